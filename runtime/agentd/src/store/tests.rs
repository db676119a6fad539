//! The store through ends of every kind.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use stride_client::api::{StepFlags, Tokens};
use stride_client::episodes::EpisodeStep;
use stride_firmware_config::state::AgentState;

use super::handle::Opened;
use super::*;
use crate::metrics::Metrics;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn open(folder: &Path) -> Opened {
    Store::open(folder, Arc::new(Metrics::new())).unwrap()
}

fn id(text: &str) -> AgentId {
    text.parse().unwrap()
}

fn record(at: u64) -> AgentRecord {
    AgentRecord::new(AgentState::default(), at)
}

fn intent(agent: &str, request_id: &str) -> Intent {
    Intent {
        agent: id(agent),
        maker: None,
        at: 7,
        request_id: request_id.into(),
        observation: "A room.".into(),
        invalid: false,
        reward: 0.5,
        admissible: Some(vec!["look".into()]),
    }
}

/// The files as a `kill -9` leaves them.
fn killed(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["agents.redb", "agents.ahead"] {
        fs::copy(folder.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

fn ahead(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("agents.ahead")).unwrap()
}

#[test]
fn what_was_written_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let Opened { store, thread, .. } = open(folder.path());
    runtime().block_on(async {
        store.create(id("a"), &record(1), None, None).await.unwrap();
        store.create(id("b"), &record(1), None, None).await.unwrap();
        store.answer(id("b"), &record(2), None).await.unwrap();
        let words = ["go".to_owned(), "stop".to_owned()];
        store
            .create(id("c"), &record(1), Some(&words), None)
            .await
            .unwrap();
        store.answer(id("c"), &record(3), None).await.unwrap();
        store
            .create(id("d"), &record(1), Some(&words), None)
            .await
            .unwrap();
        store.delete(id("d")).await.unwrap();
        store.delete(id("a")).await.unwrap();
        store.set_note("model", "x".into()).await.unwrap();
    });
    drop(store);
    thread.join().unwrap();
    let Opened {
        store, unanswered, ..
    } = open(folder.path());
    assert_eq!(unanswered, []);
    assert_eq!(store.get(&id("a")).unwrap(), None);
    assert_eq!(store.get(&id("b")).unwrap(), Some(record(2)));
    assert_eq!(store.get(&id("c")).unwrap(), Some(record(3)));
    assert_eq!(store.vocabulary(&id("c")).unwrap().unwrap(), ["go", "stop"]);
    assert_eq!(store.vocabulary(&id("b")).unwrap(), None);
    assert_eq!(store.vocabulary(&id("d")).unwrap(), None);
    assert_eq!(store.note("model").unwrap().as_deref(), Some("x"));
    let mut ids = Vec::new();
    store
        .for_each(|id, record| ids.push((id, record.is_ok())))
        .unwrap();
    assert_eq!(ids, [(id("b"), true), (id("c"), true)]);
}

#[test]
fn answers_outlive_a_kill_and_intents_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        store,
        thread: _thread,
        ..
    } = open(folder.path());
    let intended = runtime().block_on(async {
        store.create(id("a"), &record(1), None, None).await.unwrap();
        store.create(id("b"), &record(1), None, None).await.unwrap();
        let refused = store.intend(intent("b", "r1")).await.unwrap();
        let long = Intent {
            observation: "x".repeat(1 << 20),
            ..intent("a", "long")
        };
        assert!(store.intend(long).await.unwrap().is_none());
        store.void(id("b")).await.unwrap();
        drop(refused);
        let intended = store.intend(intent("a", "r1")).await.unwrap();
        // Behind it in the queue, and synced with it.
        store.void(id("b")).await.unwrap();
        intended
    });
    let asked = ahead(folder.path()).len();
    runtime()
        .block_on(store.answer(id("a"), &record(2), intended))
        .unwrap();
    assert_eq!(store.get(&id("a")).unwrap(), Some(record(2)));
    let copy = killed(folder.path());
    let after = open(copy.path());
    assert_eq!(after.unanswered, []);
    assert_eq!(after.store.get(&id("a")).unwrap(), Some(record(2)));

    // The same without the power: whatever was not synced is gone, or half of it, or is anything.
    let whole = ahead(folder.path());
    for left in [asked, asked + 1, asked + 20, whole.len() - 1] {
        let copy = killed(folder.path());
        fs::write(copy.path().join("agents.ahead"), &whole[..left]).unwrap();
        for _ in 0..2 {
            let after = open(copy.path());
            assert_eq!(after.unanswered, [intent("a", "r1")], "{left}");
            assert_eq!(after.store.get(&id("a")).unwrap(), Some(record(1)));
            drop(after.store);
            after.thread.join().unwrap();
        }
        let after = open(copy.path());
        runtime().block_on(async {
            let Opened { store, .. } = &after;
            store.answer(id("a"), &record(2), None).await.unwrap();
        });
        let copy = killed(copy.path());
        let after = open(copy.path());
        assert_eq!(after.unanswered, []);
        assert_eq!(after.store.get(&id("a")).unwrap(), Some(record(2)));
    }
    let copy = killed(folder.path());
    let mut garbage = whole[..asked].to_vec();
    garbage.resize(asked + 5000, 0xff);
    fs::write(copy.path().join("agents.ahead"), garbage).unwrap();
    assert_eq!(open(copy.path()).unanswered, [intent("a", "r1")]);
}

/// What the file says of an agent that is gone, or was written before what the database holds, is not taken in.
#[test]
fn an_old_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Opened { store, thread, .. } = open(folder.path());
    let old = runtime().block_on(async {
        store.create(id("a"), &record(1), None, None).await.unwrap();
        store.answer(id("a"), &record(2), None).await.unwrap();
        let old = ahead(folder.path());
        store.delete(id("a")).await.unwrap();
        old
    });
    drop(store);
    thread.join().unwrap();
    fs::write(folder.path().join("agents.ahead"), old).unwrap();
    let after = open(folder.path());
    assert_eq!(after.store.get(&id("a")).unwrap(), None);
}

/// Cut again and again, and never longer than it may be.
#[test]
fn the_file_is_cut_as_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        store,
        thread: _thread,
        ..
    } = open(folder.path());
    let mut most = 0;
    let open_step = runtime().block_on(async {
        store.create(id("a"), &record(1), None, None).await.unwrap();
        store.create(id("b"), &record(1), None, None).await.unwrap();
        let open_step = store.intend(intent("b", "open")).await.unwrap();
        for n in 0..200 {
            let asked = Intent {
                observation: "x".repeat(60_000),
                ..intent("a", &format!("r{n}"))
            };
            let intended = store.intend(asked).await.unwrap();
            store.answer(id("a"), &record(n), intended).await.unwrap();
            most = most.max(ahead(folder.path()).len());
        }
        open_step
    });
    // What is seen between two writes: it grows, and is cut.
    assert!((1 << 19..2 << 20).contains(&most), "{most}");
    let copy = killed(folder.path());
    let after = open(copy.path());
    assert_eq!(after.unanswered, [intent("b", "open")]);
    assert_eq!(after.store.get(&id("a")).unwrap(), Some(record(199)));
    drop(open_step);
}

/// The version before wrote the same, but no steps of episodes.
#[test]
fn the_file_of_the_version_before_is_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        store,
        thread: _thread,
        ..
    } = open(folder.path());
    runtime().block_on(async {
        store.create(id("a"), &record(1), None, None).await.unwrap();
        store.answer(id("a"), &record(2), None).await.unwrap();
    });
    let copy = killed(folder.path());
    let mut file = ahead(copy.path());
    assert_eq!(&file[..8], b"SGAHEAD\x02");
    file[7] = 1;
    fs::write(copy.path().join("agents.ahead"), &file).unwrap();
    let after = open(copy.path());
    assert_eq!(after.store.get(&id("a")).unwrap(), Some(record(2)));
    assert_eq!(&ahead(copy.path())[..8], b"SGAHEAD\x02");
}

fn played(step: u32) -> EpisodeStep {
    EpisodeStep {
        step,
        subtask: "wait".into(),
        progress: String::new(),
        action: Some("look".into()),
        observation: "A room.".into(),
        invalid: false,
        reward: 0.25,
        score: 0.5,
        done: false,
        won: false,
        flags: StepFlags::default(),
        tokens: Tokens::default(),
        micros: 7,
        world_micros: 8,
    }
}

#[test]
fn an_episode_outlives_a_kill_and_goes_with_its_agent() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        store,
        thread: _thread,
        ..
    } = open(folder.path());
    let head = EpisodeHead {
        environment: "household:7".into(),
        max_steps: 9,
        admissible: true,
        game: "household:7".into(),
        task_type: "look".into(),
        observation: "A room.".into(),
    };
    let steps: Vec<_> = (1..=300).map(played).collect();
    let play = async |store: &Store, name| {
        let agent = record(1);
        let made = store.create(id(name), &agent, None, Some(&head));
        made.await.unwrap();
        for (number, step) in (0..).zip(&steps) {
            store.played(id(name), number, step).await.unwrap();
        }
    };
    runtime().block_on(play(&store, "a"));
    runtime().block_on(play(&store, "b"));
    let copy = killed(folder.path());
    let after = open(copy.path());
    assert_eq!(after.store.episode(&id("a")).unwrap().as_ref(), Some(&head));
    assert_eq!(after.store.episode(&id("c")).unwrap(), None);
    runtime().block_on(async {
        for store in [&store, &after.store] {
            assert_eq!(store.all_played(id("a")).await.unwrap(), steps);
            store.delete(id("a")).await.unwrap();
            // A step that comes after its agent is gone is nobody's.
            store.played(id("a"), 300, &played(301)).await.unwrap();
            assert_eq!(store.all_played(id("a")).await.unwrap(), []);
            assert_eq!(store.episode(&id("a")).unwrap(), None);
            store.create(id("a"), &record(1), None, None).await.unwrap();
            assert_eq!(store.all_played(id("a")).await.unwrap(), []);
            assert_eq!(store.all_played(id("b")).await.unwrap(), steps);
        }
    });
}

#[test]
fn a_second_daemon_and_another_version_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = || Arc::new(Metrics::new());
    let first = open(folder.path());
    let second = Store::open(folder.path(), metrics()).unwrap_err();
    assert!(second.to_string().contains("agents.redb"), "{second}");
    drop(first.store);
    first.thread.join().unwrap();
    fs::write(folder.path().join("agents.ahead"), b"SGAHEAD\x03").unwrap();
    let foreign = Store::open(folder.path(), metrics()).unwrap_err();
    assert!(foreign.to_string().contains("another version"), "{foreign}");
    // One that was made a moment before the power went.
    for begun in [&b""[..], b"SGA", &[0; 8]] {
        fs::write(folder.path().join("agents.ahead"), begun).unwrap();
        let opened = open(folder.path());
        assert_eq!(opened.unanswered, []);
        drop(opened.store);
        opened.thread.join().unwrap();
    }
}
