//! What cannot be run is refused, with words that say what to do.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use stride_agent::policy::Policy as _;
use stride_engine::{EngineError, EngineOptions, LlamaPolicy, PerLevel, Sampling};
use stride_firmware_config::frame::StepFrame;
use tempfile::TempDir;

use crate::common::{episode, exact, load, policy_file, reading};

fn refusal(path: &Path) -> EngineError {
    LlamaPolicy::load(path, EngineOptions::default()).unwrap_err()
}

fn write(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The policy with the first occurrence of `from` overwritten by `to`, which is as long.
fn patched(dir: &TempDir, from: &[u8], to: &[u8]) -> PathBuf {
    patched_file(&policy_file(), dir, from, to)
}

fn patched_file(file: &Path, dir: &TempDir, from: &[u8], to: &[u8]) -> PathBuf {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    write(dir, "patched.gguf", &bytes)
}

#[test]
fn a_missing_file_says_so() {
    let error = refusal(Path::new("/nowhere/policy.gguf"));
    assert!(matches!(error, EngineError::File { .. }));
    assert!(
        error.to_string().contains("/nowhere/policy.gguf"),
        "{error}"
    );
}

#[test]
fn cut_files_are_refused_with_llama_cpps_reason() {
    let dir = TempDir::new().unwrap();
    let bytes = fs::read(policy_file()).unwrap();
    let n = bytes.len();
    for len in [
        0,
        3,
        4,
        8,
        24,
        100,
        1000,
        n / 100,
        n / 10,
        n / 2,
        n - n / 10,
        n - 1,
    ] {
        let path = write(&dir, "cut.gguf", &bytes[..len]);
        let error = refusal(&path);
        assert!(
            matches!(error, EngineError::Refused { .. }),
            "{len}: {error}"
        );
    }
    let error = refusal(&write(&dir, "cut.gguf", &bytes[..n - 1]));
    assert!(error.to_string().contains("tensor"), "{error}");
}

#[test]
fn other_files_are_refused() {
    let dir = TempDir::new().unwrap();
    for bytes in [&b"not a model"[..], &[0; 4096], b"GGUF\x03\0\0\0garbage"] {
        assert!(matches!(
            refusal(&write(&dir, "other.gguf", bytes)),
            EngineError::Refused { .. }
        ));
    }
    assert!(matches!(refusal(dir.path()), EngineError::Refused { .. }));
}

#[test]
fn another_layout_is_refused() {
    let dir = TempDir::new().unwrap();
    // A u32 value follows its key and its type number (4).
    let path = patched(
        &dir,
        b"layout.version\x04\0\0\0\x01",
        b"layout.version\x04\0\0\0\x07",
    );
    let error = refusal(&path);
    assert!(
        matches!(&error, EngineError::LayoutVersion { found, needed: 1 } if found == "7"),
        "{error}"
    );
    assert!(error.to_string().contains("layout 7"), "{error}");
}

#[test]
fn a_policy_that_reads_more_than_an_agent_remembers_is_refused() {
    let (dir, short) = (TempDir::new().unwrap(), reading(2));
    for number in [0, 9] {
        let path = patched_file(
            &short.path().join("policy.gguf"),
            &dir,
            b"capacity.completed\x04\0\0\0\x02",
            &[b"capacity.completed\x04\0\0\0".as_slice(), &[number]].concat(),
        );
        let error = refusal(&path);
        assert!(
            matches!(&error, EngineError::Capacity { found, most: 8, .. } if *found == number.to_string()),
            "{error}"
        );
    }
}

#[test]
fn other_gguf_models_are_refused() {
    let dir = TempDir::new().unwrap();
    let error = refusal(&patched(
        &dir,
        b"stride.layout.version",
        b"xtride.layout.version",
    ));
    assert!(
        matches!(
            error,
            EngineError::NotAPolicy {
                key: "stride.layout.version"
            }
        ),
        "{error}"
    );
    let error = refusal(&patched(&dir, b"stride.markers", b"xtride.markers"));
    assert!(
        matches!(
            error,
            EngineError::NotAPolicy {
                key: "stride.markers"
            }
        ),
        "{error}"
    );
}

#[test]
fn other_markers_are_refused() {
    let dir = TempDir::new().unwrap();
    // Both the vocabulary and the list name the marker; each alone is noticed.
    let bytes = fs::read(policy_file()).unwrap();
    let marker = b"<|update|>";
    let places: Vec<usize> = (0..bytes.len() - marker.len())
        .filter(|at| &bytes[*at..*at + marker.len()] == marker)
        .collect();
    let mut refused = [false; 2];
    for place in places {
        let mut bytes = bytes.clone();
        bytes[place + 2] = b'U';
        match refusal(&write(&dir, "marker.gguf", &bytes)) {
            EngineError::Markers { .. } => refused[0] = true,
            EngineError::Marker { marker, .. } => {
                assert_eq!(marker, "<|update|>");
                refused[1] = true;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(refused, [true; 2]);
}

#[test]
fn a_frame_that_does_not_fit_is_refused_with_numbers() {
    let mut options = exact();
    options.context_tokens = NonZeroU32::new(256);
    let mut policy = load(options);
    let long = "drawer ".repeat(400);
    let frame = StepFrame::Low {
        scene: "",
        observation: &long,
        subtask: "find an egg",
        progress: "",
    };
    let error = policy.answer(&frame).unwrap_err();
    let EngineError::FrameTooLong {
        prompt_tokens,
        cap: 12,
        context: 256,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert!(prompt_tokens > 400);
    assert!(
        policy
            .utter(&frame)
            .unwrap_err()
            .to_string()
            .contains("256")
    );
    // The policy goes on.
    assert!(policy.utter(&episode(1, 1)[2].as_frame()).is_ok());
}

#[test]
fn a_frame_that_just_fits_is_answered() {
    let mut options = exact();
    let frame = &episode(1, 1)[2];
    let prompt = load(options.clone()).frame_tokens(&frame.as_frame()).len() as u32;
    options.context_tokens = NonZeroU32::new(prompt + 12);
    assert!(load(options.clone()).utter(&frame.as_frame()).is_ok());
    options.context_tokens = NonZeroU32::new(prompt + 11);
    assert!(load(options).utter(&frame.as_frame()).is_err());
}

#[test]
fn impossible_options_are_refused_by_name() {
    let with = |change: fn(&mut EngineOptions)| {
        let mut options = EngineOptions::default();
        change(&mut options);
        match LlamaPolicy::load(&policy_file(), options).unwrap_err() {
            EngineError::Option { field, .. } => field,
            other => panic!("{other}"),
        }
    };
    assert_eq!(
        with(|o| o.context_tokens = NonZeroU32::new(1 << 20)),
        "context_tokens"
    );
    assert_eq!(
        with(|o| o.context_tokens = NonZeroU32::new(150)),
        "context_tokens"
    );
    assert_eq!(
        with(|o| o.threads = NonZeroU32::new(100_000).unwrap()),
        "threads"
    );
    assert_eq!(with(|o| o.utterance_caps.high = 0), "utterance_caps");
    assert_eq!(with(|o| o.batch_tokens = NonZeroU32::MIN), "batch_tokens");
    let sampling = |o: &mut EngineOptions| {
        o.sampling = Sampling::Seeded {
            seed: 0,
            temperature: PerLevel::all(-1.0),
        };
    };
    assert_eq!(with(sampling), "sampling");
}

#[test]
fn engines_in_parallel_threads_answer_alike() {
    let frames = episode(6, 3);
    let ask = || -> Vec<String> {
        let mut policy = load(exact());
        frames
            .iter()
            .map(|f| policy.utter(&f.as_frame()).unwrap().text)
            .collect()
    };
    let expected = ask();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}
