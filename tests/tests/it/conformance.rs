//! The native engine repeats the official one to the character.

use crate::support::{program, refuse, shared, succeed};

#[test]
fn every_transcript_is_repeated() {
    let (Some(games), Some(transcripts)) = (
        shared("alfworld/games.tar.zst"),
        shared("alfworld/transcripts.jsonl.zst"),
    ) else {
        return;
    };
    let printed = succeed(
        program("stride-eval")
            .args([
                "replay",
                "--world",
                &format!("alfworld:{}", games.display()),
                "--transcripts",
            ])
            .arg(transcripts),
    );
    let last = printed.lines().last().unwrap();
    assert!(
        last.starts_with("replayed 8019 steps in 260 games"),
        "{last}"
    );
    assert!(last.ends_with(": 0 mismatches"), "{last}");
}

#[test]
fn a_changed_transcript_is_a_mismatch() {
    let (Some(games), Some(transcripts)) = (
        shared("alfworld/games.tar.zst"),
        shared("alfworld/transcripts.jsonl.zst"),
    ) else {
        return;
    };
    let all = zstd::decode_all(std::fs::File::open(transcripts).unwrap()).unwrap();
    let first = String::from_utf8(all)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let changed = first.replace(
        "You are in the middle of a room",
        "You are in the corner of a room",
    );
    assert_ne!(first, changed);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, changed).unwrap();
    let mut command = program("stride-eval");
    command
        .args([
            "replay",
            "--world",
            &format!("alfworld:{}", games.display()),
            "--transcripts",
        ])
        .arg(file.path());
    let ran = crate::support::run(&mut command);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.contains("  - You are in the corner of a room"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.trim_end().ends_with("in 1 games: 1 mismatches"),
        "{}",
        ran.stdout
    );
    std::fs::write(&file, "{\"game\": 3}\n").unwrap();
    refuse(&mut command, 1, &["line 1"]);
}
