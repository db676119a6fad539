//! The transition log: what it holds, and what happens to it when things go wrong.

use std::fs;
use std::path::Path;

use stride_agent::agent::Limits;
use stride_agent::recorder::Recorder;
use stride_agent::transition::{EndKind, Source, Transition};
use stride_client::api::{CreateAgent, StepRequest};
use stride_engine::{ActionTemplates, EngineOptions, LlamaPolicy};
use stride_environments::household::HouseholdEnvironment;
use stride_firmware_config::profile::DeviceProfile;

use crate::disk::{fill, unshare, with_a_small_disk};
use crate::play::{begin, episode};
use crate::support::{Place, shipped_model};

/// The lines of all files in a folder, oldest first. Every file is a whole stream, and every line a transition.
fn logged(folder: &Path) -> Vec<Transition> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut transitions = Vec::new();
    for path in paths {
        let text = zstd::decode_all(fs::File::open(&path).unwrap()).unwrap();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            assert!(line.ends_with(b"\n"), "{}", path.display());
            transitions.push(serde_json::from_slice(line).unwrap());
        }
    }
    transitions
}

/// What the loop of `stride-agent` records of a game in this process, on the same policy.
fn recorded(seed: u64, most: u32) -> Vec<Transition> {
    let options = EngineOptions {
        constraint: Some(ActionTemplates::default()),
        ..EngineOptions::default()
    };
    let options = options.under_profile(&DeviceProfile::standard());
    let mut policy = LlamaPolicy::load(&shipped_model(), options).unwrap();
    let mut world = HouseholdEnvironment::new(seed);
    let mut recorder = Recorder::new("game", Source::Policy);
    let limits = Limits::default();
    let played = stride_agent::episode::play(&mut world, &mut policy, &limits, most, &mut recorder);
    let (report, agent) = played.unwrap();
    recorder.finish(report.end, agent.state())
}

/// The transitions of one agent, under the name that [`recorded`] gives them.
fn of_agent(all: &[Transition], id: &str) -> Vec<Transition> {
    let game = format!("agent:{id}@");
    let mine = all.iter().filter(|it| it.game.starts_with(&game));
    mine.cloned()
        .map(|transition| Transition {
            game: "game".into(),
            ..transition
        })
        .collect()
}

#[test]
fn the_log_holds_what_the_loop_without_a_daemon_records() {
    let place = Place::new();
    let profile = place.path("profile.toml");
    fs::write(&profile, "[limits]\nactions_per_episode = 30\n").unwrap();
    let settings = "[log]\nenabled = true\nreserve_bytes = 0\n";
    let mut place = place
        .with(&["--profile", profile.to_str().unwrap(), "--threads", "1"])
        .with_settings(settings)
        .started();
    episode(&place.client(), "won", 7, 100);
    // Games that the limit of the profile ends, one of them beside another.
    std::thread::scope(|scope| {
        for seed in [3, 5] {
            let client = place.client();
            scope.spawn(move || episode(&client, &format!("seed-{seed}"), seed, 100));
        }
    });
    assert!(place.stop());
    let all = logged(&place.path("state/transitions"));
    let won = of_agent(&all, "won");
    assert_eq!(won.last().unwrap().end, EndKind::Success);
    assert_eq!(won, recorded(7, 30));
    for seed in [3, 5] {
        assert_eq!(of_agent(&all, &format!("seed-{seed}")), recorded(seed, 30));
    }
}

#[test]
fn texts_are_replaced_before_they_are_written() {
    let settings = "[log]\nenabled = true\nreserve_bytes = 0\n\
        redact = [{ pattern = 'drawer', replacement = 'box' }, { pattern = '(?i)fork', replacement = '[thing]' }]\n";
    let mut place = Place::new().with_settings(settings).started();
    let client = place.client();
    client
        .create(&CreateAgent {
            id: Some("a".into()),
            task: "put a fork in countertop".into(),
            scene: "countertop 1 to 2, drawer 1 to 7".into(),
            ..CreateAgent::default()
        })
        .unwrap();
    for n in 0..3 {
        let step = StepRequest {
            request_id: format!("r{n}"),
            observation: "You arrive at drawer 1. On the drawer 1, you see a Fork 1.".into(),
            ..StepRequest::default()
        };
        client.step("a", &step).unwrap();
    }
    assert!(place.stop());
    let all = logged(&place.path("state/transitions"));
    let text = serde_json::to_string(&all).unwrap();
    assert!(all.len() >= 5, "{text}");
    assert!(text.contains("box 1") && text.contains("[thing]"), "{text}");
    assert!(
        !text.contains("drawer") && !text.to_lowercase().contains("fork"),
        "{text}"
    );
}

#[test]
fn a_torn_file_is_repaired_and_what_follows_a_crash_is_logged() {
    let settings = "[log]\nenabled = true\nreserve_bytes = 0\n";
    let mut place = Place::new().with_settings(settings).started();
    let client = place.client();
    episode(&client, "whole", 2, 8);
    // One under way while the daemon is killed.
    let (_, opening) = begin(&client, "cut", 4);
    let step = |n: u32| StepRequest {
        request_id: format!("r{n}"),
        observation: opening.observation.clone(),
        ..StepRequest::default()
    };
    for n in 0..4 {
        client.step("cut", &step(n)).unwrap();
    }
    place.wait_until("logged", |place| {
        place.metric("stride_transition_log_lines_total") > 0.0
    });
    place.kill();
    let folder = place.path("state/transitions");
    let file = folder.join("transitions-000001.jsonl.zst");
    let mut bytes = fs::read(&file).unwrap();
    let before = logged(&folder);
    // As a crash in the middle of a block leaves it.
    let half = bytes[..bytes.len() / 2].to_vec();
    bytes.extend_from_slice(&half);
    fs::write(&file, bytes).unwrap();
    place.start();
    let client = place.client();
    for n in 4..8 {
        client.step("cut", &step(n)).unwrap();
    }
    assert!(place.stop());
    let all = logged(&folder);
    assert_eq!(all[..before.len()], before);
    let cut = of_agent(&all, "cut");
    // What the daemon knew of the episode died with it; what came after is there, with its place in the episode.
    assert_eq!(cut.first().unwrap().step_index, 3);
    assert!(cut.iter().all(
        |it| it.end == EndKind::Truncated && !(it.done && it.next.is_some() && it.reward < 0.0)
    ));
    assert_eq!(cut.last().unwrap().step_index, 6);
}

#[test]
fn a_full_disk_stops_the_log_and_not_the_agents() {
    let Some(flags) = unshare() else { return };
    let place = Place::new();
    let folder = place.path("small");
    let settings = format!(
        "[log]\nenabled = true\nreserve_bytes = 0\nfolder = '{}'\n",
        folder.display()
    );
    let (place, disk) = with_a_small_disk(place.with_settings(&settings), "small", flags);
    let ballast = fill(&disk);
    let calm = episode(&place.client(), "calm", 2, 8);
    let stopped = || place.metric("stride_transition_log_stopped");
    let mut place_waits = 0;
    while stopped() == 0.0 {
        // The agents do not notice.
        place_waits += 1;
        let id = format!("full-{place_waits}");
        assert_eq!(episode(&place.client_once(), &id, 2, 8), calm);
    }
    assert!(place.metric("stride_transition_log_dropped_lines_total") > 0.0);
    assert_eq!(place.metric("stride_transition_log_lines_total"), 0.0);
    fs::remove_file(ballast).unwrap();
    while stopped() == 1.0 {
        place_waits += 1;
        let id = format!("room-{place_waits}");
        assert_eq!(episode(&place.client_once(), &id, 2, 8), calm);
    }
    assert!(place.metric("stride_transition_log_lines_total") > 0.0);
    assert!(!logged(&disk).is_empty());
}
