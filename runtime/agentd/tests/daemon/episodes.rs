//! Whole episodes that the daemon plays itself, undisturbed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::json;
use stride_agent::environment::Environment as _;
use stride_agent::transition::EndKind;
use stride_client::ClientError;
use stride_client::api::{CreateAgent, Ending, StepRequest, Tokens};
use stride_client::episodes::{Episode, EpisodeBegun, EpisodeStep, RunEpisode};
use stride_environments::household::HouseholdEnvironment;

use crate::play::without_daemon;
use crate::support::{Place, signal};

pub fn wish(id: &str, environment: &str) -> RunEpisode {
    RunEpisode {
        id: Some(id.into()),
        environment: environment.into(),
        ..RunEpisode::default()
    }
}

/// An episode without what may differ between two runs of it: name, times, and how much was cached.
pub fn essence(mut episode: Episode) -> Episode {
    episode.begun.id = String::new();
    (episode.began_at, episode.ended_at) = (0, 0);
    (episode.micros, episode.world_micros, episode.tokens.decoded) = (0, 0, 0);
    for step in &mut episode.steps {
        (step.micros, step.world_micros, step.tokens.decoded) = (0, 0, 0);
    }
    episode
}

pub fn actions(episode: &Episode) -> Vec<String> {
    let given = |step: &EpisodeStep| step.action.clone();
    episode.steps.iter().filter_map(given).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>) -> (u16, String) {
    match result.unwrap_err() {
        ClientError::Refused { status, code, .. } => (status, code),
        other => panic!("{other}"),
    }
}

#[test]
fn an_episode_is_that_of_the_library() {
    let mut place = Place::new().started();
    let (client, once) = (place.client(), place.client_once());
    let episode = client.run_episode(&wish("seven", "household:7")).unwrap();
    let (report, expected) = without_daemon(&mut HouseholdEnvironment::new(7), 50);
    assert_eq!(report.end, EndKind::Success);
    assert_eq!(actions(&episode), expected);
    assert_eq!((episode.end, episode.score), (Ending::Success, 1.0));
    assert_eq!((episode.reward, report.score), (1.0, 1.0));
    assert_eq!(episode.subtasks.len(), report.subtasks as usize);
    assert!(episode.steps.last().unwrap().won);
    // What is told of the world is what it says to these actions.
    let mut world = HouseholdEnvironment::new(7);
    let opening = world.reset().unwrap();
    let begun = &episode.begun;
    assert_eq!(
        (&begun.task, &begun.scene, &begun.observation),
        (&opening.task, &opening.scene, &opening.observation)
    );
    assert_eq!((&*begun.game, begun.max_steps), ("household:7", 50));
    for (n, step) in episode.steps.iter().enumerate() {
        let outcome = world.step(step.action.as_ref().unwrap()).unwrap();
        assert_eq!(step.observation, outcome.observation);
        assert_eq!((step.done, step.won), (outcome.done, outcome.won));
        assert_eq!((step.step as usize, step.invalid), (n + 1, outcome.invalid));
    }
    // It was played with an agent, and is there as long as that is.
    let agent = client.get("seven").unwrap();
    assert_eq!(agent.ending, Some(Ending::Success));
    assert_eq!(agent.steps as usize, episode.steps.len());
    assert_eq!(
        client.run_episode(&wish("seven", "household:7")).unwrap(),
        episode
    );
    assert!(place.stop());
    place.start();
    assert_eq!(
        client.run_episode(&wish("seven", "household:7")).unwrap(),
        episode
    );
    let other = once.run_episode(&wish("seven", "household:8"));
    assert_eq!(refused(other), (409, "episode_exists".into()));
    client.delete("seven").unwrap();
    let again = client.run_episode(&wish("seven", "household:7")).unwrap();
    assert_eq!(essence(again), essence(episode));
    // The replays played nothing.
    assert_eq!(
        place.metric("stride_episodes_total{reason=\"success\"}"),
        1.0
    );
}

/// Asks for an episode and does not wait.
fn ask(place: &Place, wish: &RunEpisode) -> UnixStream {
    let body = serde_json::to_string(wish).unwrap();
    let mut socket = UnixStream::connect(place.socket()).unwrap();
    write!(
        socket,
        "POST /v1/episodes HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    socket
}

/// The events of an episode: their names and what they say.
fn events(place: &Place, wish: &RunEpisode) -> Vec<(String, String)> {
    let socket = ask(place, wish);
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains("200"), "{head:?}");
    assert!(
        head.iter().any(|line| line.contains("text/event-stream")),
        "{head:?}"
    );
    let (mut events, mut name) = (Vec::new(), String::new());
    for line in lines {
        if let Some(named) = line.strip_prefix("event: ") {
            named.clone_into(&mut name);
        } else if let Some(data) = line.strip_prefix("data: ") {
            events.push((name.clone(), data.to_owned()));
        }
    }
    events
}

#[test]
fn an_episode_is_told_as_it_is_played() {
    let place = Place::new().started();
    let whole = place.client().run_episode(&wish("whole", "household:3"));
    let whole = whole.unwrap();
    let streamed = RunEpisode {
        stream: true,
        ..wish("told", "household:3")
    };
    // As it is played, and again when it was.
    let told = events(&place, &streamed);
    assert_eq!(told, events(&place, &streamed));
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    let steps = whole.steps.len();
    assert_eq!(
        names,
        [vec!["begin"], vec!["step"; steps], vec!["end"]].concat()
    );
    let begun: EpisodeBegun = serde_json::from_str(&told[0].1).unwrap();
    let end: Episode = serde_json::from_str(&told[steps + 1].1).unwrap();
    for (told, step) in told[1..].iter().zip(&end.steps) {
        let told: EpisodeStep = serde_json::from_str(&told.1).unwrap();
        assert_eq!(told, *step);
    }
    assert_eq!(begun, end.begun);
    assert_eq!(essence(end), essence(whole));
}

#[test]
fn the_limit_of_an_episode_is_its_own() {
    let place = Place::new().started();
    let short = RunEpisode {
        max_steps: Some(4),
        ..wish("short", "household:3")
    };
    let episode = place.client().run_episode(&short).unwrap();
    let (report, expected) = without_daemon(&mut HouseholdEnvironment::new(3), 4);
    assert_eq!(report.end, EndKind::Truncated);
    assert_eq!((actions(&episode), episode.end), (expected, Ending::Limit));
    // The agent took the last observation in.
    let steps = episode.steps.iter().map(|step| step.tokens);
    let prompts: u32 = steps.map(|Tokens { prompt, .. }| prompt).sum();
    assert!(episode.tokens.prompt > prompts);
    let agent = place.client().get("short").unwrap();
    assert_eq!((agent.steps, agent.ending), (4, Some(Ending::Limit)));
    // And an agent beside it is not held to it.
    let other = wish("long", "household:3");
    assert!(place.client().run_episode(&other).unwrap().steps.len() > 4);
}

#[test]
fn actions_are_chosen_among_what_the_environment_lists() {
    let place = Place::new().started();
    let listed = RunEpisode {
        admissible: true,
        max_steps: Some(12),
        ..wish("listed", "household:5")
    };
    let episode = place.client().run_episode(&listed).unwrap();
    let mut world = HouseholdEnvironment::new(5);
    world.reset().unwrap();
    for step in &episode.steps {
        let action = step.action.as_ref().unwrap();
        assert!(world.admissible().unwrap().contains(action), "{action}");
        world.step(action).unwrap();
    }
    assert!(!episode.steps.is_empty());
    assert!(episode.steps.iter().all(|step| !step.invalid));
}

#[test]
fn what_cannot_be_played_is_refused() {
    let place = Place::new().started();
    let once = place.client_once();
    let absent = |environment: &str| refused(once.run_episode(&wish("a", environment)));
    assert_eq!(absent("kitchen:1"), (404, "no_environment".into()));
    assert_eq!(absent("alfworld:0"), (404, "no_environment".into()));
    assert_eq!(absent("household:1000000"), (404, "no_game".into()));
    assert_eq!(absent("household"), (404, "no_game".into()));
    let paths = [
        "",
        "/etc/passwd",
        "alfworld:/etc/passwd",
        "alfworld:../../games#x",
        "household:../7",
        "household:7:7",
        "household:-1",
        "scienceworld:boil/3",
        "household:7\u{0}",
    ];
    for path in paths {
        assert_eq!(absent(path), (400, "invalid".into()), "{path}");
    }
    let longer = |max_steps| {
        refused(once.run_episode(&RunEpisode {
            max_steps: Some(max_steps),
            ..wish("a", "household:7")
        }))
    };
    for most in [0, 51, u32::MAX] {
        assert_eq!(longer(most), (400, "invalid".into()), "{most}");
    }
    let named = refused(once.run_episode(&wish("../a", "household:7")));
    assert_eq!(named, (400, "invalid".into()));
    let foreign = json!({"environment": "household:7", "path": "/etc"});
    let foreign = once.post::<Episode>("/v1/episodes", &foreign);
    assert_eq!(refused(foreign), (400, "invalid".into()));
    // Nothing of this has left an agent behind, or counts as an episode.
    assert_eq!(once.list(None).unwrap().total, 0);
    assert!(!once.text("/metrics").unwrap().contains("episodes_total{"));
    // An agent of somebody else's is not played with, and the daemon's agents are not stepped by others.
    let made = CreateAgent {
        id: Some("mine".into()),
        task: "tidy up".into(),
        ..CreateAgent::default()
    };
    once.create(&made).unwrap();
    let taken = refused(once.run_episode(&wish("mine", "household:7")));
    assert_eq!(taken, (409, "agent_exists".into()));
    let episode = once.run_episode(&wish("theirs", "household:7")).unwrap();
    let step = StepRequest {
        request_id: "r".into(),
        observation: "A room.".into(),
        ..StepRequest::default()
    };
    assert_eq!(
        refused(once.step("theirs", &step)),
        (409, "in_episode".into())
    );
    let namesake = CreateAgent {
        id: Some("theirs".into()),
        task: episode.begun.task,
        scene: episode.begun.scene,
        vocabulary: None,
    };
    assert_eq!(
        refused(once.create(&namesake)),
        (409, "agent_exists".into())
    );
}

#[test]
fn so_many_are_played_at_once_and_others_may_join() {
    let settings = "[limits]\nepisodes = 1\n[worker]\nstep_seconds = 3600\nprobe_seconds = 3600\n";
    let mut place = Place::new().with_settings(settings).started();
    let worker = place.worker();
    // Nothing moves while the worker stands still.
    signal(worker, Signal::STOP);
    let (first, second) = (wish("first", "household:2"), wish("second", "household:3"));
    let both = std::thread::scope(|scope| {
        let play = || place.client().run_episode(&first).unwrap();
        let players = [scope.spawn(play), scope.spawn(play)];
        let place = &place;
        place.wait_without_daemon(|| place.metric("stride_episodes_running ") > 0.0);
        let once = place.client_once();
        let error = once.run_episode(&second).unwrap_err();
        let ClientError::Refused {
            status,
            retry_after,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((status, retry_after), (429, Some(1)));
        let other = once.run_episode(&wish("first", "household:3"));
        assert_eq!(refused(other), (409, "episode_exists".into()));
        // Whoever is busy with a world keeps nobody waiting.
        assert_eq!(once.list(None).unwrap().total, 1);
        signal(worker, Signal::CONT);
        players.map(|player| player.join().unwrap())
    });
    assert_eq!(both[0], both[1], "played once");
    let second = place.client().run_episode(&second).unwrap();
    assert_ne!(actions(&second), actions(&both[0]));
    assert_eq!(place.metric("stride_episodes_running "), 0.0);
    assert!(place.stop());
}

#[test]
fn the_guard_holds_for_episodes() {
    let settings = "[guard]\ndeny = ['^take']\n[audit]\nreserve_bytes = 0\n";
    let mut place = Place::new().with_settings(settings).started();
    let guarded = RunEpisode {
        max_steps: Some(20),
        ..wish("guarded", "household:7")
    };
    let episode = place.client().run_episode(&guarded).unwrap();
    let denied = |step: &&EpisodeStep| step.flags.refused;
    let denied: Vec<_> = episode.steps.iter().filter(denied).collect();
    assert!(!denied.is_empty(), "{:?}", actions(&episode));
    assert!(denied.iter().all(|step| step.action.is_none()));
    assert!(actions(&episode).iter().all(|it| !it.starts_with("take")));
    assert_eq!((episode.end, episode.steps.len()), (Ending::Limit, 20));
    // What was not given out was not done: the world stands where it stood.
    for pair in episode.steps.windows(2) {
        if pair[1].flags.refused {
            assert_eq!(pair[0].observation, pair[1].observation);
        }
    }
    assert!(place.stop());
    let audit = fs::read_to_string(place.path("state/audit/audit-000001.jsonl")).unwrap();
    assert_eq!(audit.lines().count(), denied.len());
}

#[test]
fn an_episode_goes_on_without_its_client() {
    let mut place = Place::new().started();
    for stream in [false, true] {
        let left = RunEpisode {
            stream,
            ..wish(&format!("left-{stream}"), "household:7")
        };
        let id = left.id.clone().unwrap();
        let socket = ask(&place, &left);
        place.wait_until("begun", |place| place.client_once().get(&id).is_ok());
        drop(socket);
        place.wait_until("over", |place| {
            let agent = place.client_once().get(&id).unwrap();
            agent.ending == Some(Ending::Success)
        });
    }
    let one = |id| {
        essence(
            place
                .client()
                .run_episode(&wish(id, "household:7"))
                .unwrap(),
        )
    };
    assert_eq!(one("left-false"), one("left-true"));
    let played = place.metric("stride_episodes_total{reason=\"success\"}");
    assert_eq!(played, 2.0);
}
