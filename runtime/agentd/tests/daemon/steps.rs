//! A daemon that nobody disturbs.

use stride_agent::agent::{Limits, StepAgent};
use stride_agent::event::Silent;
use stride_client::ClientError;
use stride_client::api::{AgentPhase, CreateAgent, Ending, StepRequest};
use stride_environments::household::HouseholdEnvironment;
use stride_firmware_config::encoding;

use crate::play::{ending, episode, essence, without_daemon};
use crate::support::Place;

fn refused(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Refused { status, code, .. } => (status, code),
        other => panic!("{other}"),
    }
}

fn step(request_id: &str, observation: &str) -> StepRequest {
    StepRequest {
        request_id: request_id.into(),
        observation: observation.into(),
        ..StepRequest::default()
    }
}

fn make(id: &str) -> CreateAgent {
    CreateAgent {
        id: Some(id.into()),
        task: "put a fork in countertop".into(),
        scene: "countertop 1 to 2, drawer 1 to 7".into(),
        ..CreateAgent::default()
    }
}

/// The same decisions as the loop of `stride-agent` in this process, on the same policy.
#[test]
fn an_episode_is_that_of_the_loop_without_a_daemon() {
    let mut place = Place::new().started();
    let answers = episode(&place.client(), "seven", 7, 50);
    assert_eq!(ending(&answers), Some(Ending::Success));

    let (_, actions) = without_daemon(&mut HouseholdEnvironment::new(7), 50);
    let served: Vec<_> = answers.iter().filter_map(|a| a.action.clone()).collect();
    assert_eq!(served, actions);
    assert!(place.stop(), "{}", place.log());
    assert!(!place.socket().exists());
}

#[test]
fn repeated_requests_return_the_recorded_answer() {
    let mut place = Place::new().started();
    let client = place.client();
    let agent = client.create(&make("a")).unwrap();
    assert_eq!((agent.phase, agent.steps), (AgentPhase::New, 0));
    assert_eq!(client.create(&make("a")).unwrap(), agent, "made once");
    let other = CreateAgent {
        task: "something else".into(),
        ..make("a")
    };
    let taken = client.create(&other).unwrap_err();
    assert_eq!(refused(taken), (409, "agent_exists".into()));

    let first = client
        .step("a", &step("r1", "You are in the middle of a room."))
        .unwrap();
    assert!(first.flags.began && first.action.is_some() && first.micros > 0);
    let again = client
        .step("a", &step("r1", "Whatever is said now is not looked at."))
        .unwrap();
    assert_eq!(again, first);
    let second = client
        .step("a", &step("r2", "You arrive at drawer 1."))
        .unwrap();
    assert_eq!(second.step, 2);
    let late = client.step("a", &step("r1", "late")).unwrap_err();
    assert_eq!(refused(late), (409, "request_superseded".into()));

    // What the daemon keeps is what the agent is, before and after the daemon ends.
    let agent = client.get("a").unwrap();
    assert_eq!(
        (agent.steps, &agent.last_action),
        (2, second.action.as_ref().unwrap())
    );
    assert!(place.stop());
    place.start();
    let client = place.client();
    assert_eq!(client.get("a").unwrap(), agent);
    assert_eq!(client.step("a", &step("r2", "x")).unwrap(), second);
    assert!(place.metric("stride_step_replays_total") >= 1.0);

    let over = StepRequest {
        done: true,
        won: true,
        reward: 1.0,
        ..step("r3", "")
    };
    let end = client.step("a", &over).unwrap();
    assert_eq!((end.action, end.flags.ended), (None, Some(Ending::Success)));
    let after = client.step("a", &step("r4", "x")).unwrap_err();
    assert_eq!(refused(after), (409, "episode_over".into()));
    assert_eq!(client.get("a").unwrap().reward, 1.0);
    client.delete("a").unwrap();
    let gone = client.get("a").unwrap_err();
    assert_eq!(refused(gone), (404, "no_agent".into()));
}

#[test]
fn many_agents_share_the_daemon_and_do_not_mix() {
    let place = Place::new().started();
    let alone: Vec<_> = (1..=4)
        .map(|seed| episode(&place.client(), &format!("alone-{seed}"), seed, 12))
        .collect();
    std::thread::scope(|scope| {
        let games: Vec<_> = (1..=4)
            .map(|seed| {
                let client = place.client();
                scope.spawn(move || episode(&client, &format!("together-{seed}"), seed, 12))
            })
            .collect();
        for (game, alone) in games.into_iter().zip(&alone) {
            assert_eq!(game.join().unwrap(), *alone);
        }
    });
    let list = place.client().list(None).unwrap();
    assert_eq!((list.total, list.agents.len()), (8, 8));
    assert!(list.agents.iter().all(|agent| agent.ended));
}

#[test]
fn the_export_is_the_state_of_the_agent() {
    let place = Place::new().started();
    let client = place.client();
    client.create(&make("a")).unwrap();
    let made = make("a");
    let begun = StepAgent::begin(&made.task, &made.scene, Limits::default(), &mut Silent);
    let record = raw_get(&place, "/v1/agents/a/export");
    assert_eq!(encoding::decode(&record).unwrap(), *begun.state());
}

#[test]
fn the_profile_bounds_the_agents() {
    let place = Place::new();
    let profile = place.path("profile.toml");
    std::fs::write(
        &profile,
        "[agents]\ncapacity = 2\nidle_seconds = 0\n[limits]\nactions_per_episode = 2\n",
    )
    .unwrap();
    let place = place
        .with(&["--profile", profile.to_str().unwrap(), "--threads", "1"])
        .started();
    let (client, once) = (place.client(), place.client_once());
    client.create(&make("a")).unwrap();
    client.create(&make("b")).unwrap();
    assert_eq!(
        refused(once.create(&make("c")).unwrap_err()),
        (503, "agents_full".into())
    );
    for n in 1..=2 {
        let answer = client
            .step("a", &step(&format!("r{n}"), "A room."))
            .unwrap();
        assert!(answer.action.is_some() && answer.flags.ended.is_none());
    }
    let last = client.step("a", &step("r3", "A room.")).unwrap();
    assert_eq!(
        (last.action.clone(), last.flags.ended),
        (None, Some(Ending::Limit))
    );
    assert_eq!(
        essence(&client.step("a", &step("r3", "A room.")).unwrap()),
        essence(&last)
    );
    // An agent whose episode is over makes room.
    client.create(&make("c")).unwrap();
    assert_eq!(refused(once.get("a").unwrap_err()).0, 404);
    assert_eq!(client.list(None).unwrap().total, 2);
}

/// The body of a GET, as bytes.
pub fn raw_get(place: &Place, path: &str) -> Vec<u8> {
    use std::io::{Read as _, Write as _};
    let mut socket = std::os::unix::net::UnixStream::connect(place.socket()).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let body = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    answer.split_off(body)
}

#[test]
fn steps_are_told_as_events() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let mut place = Place::new().started();
    let client = place.client();
    client.create(&make("a")).unwrap();
    client.create(&make("b")).unwrap();
    let mut socket = std::os::unix::net::UnixStream::connect(place.socket()).unwrap();
    write!(
        socket,
        "GET /v1/agents/a/events HTTP/1.1\r\nhost: x\r\n\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains("200"), "{head:?}");
    client.step("b", &step("r1", "A room.")).unwrap();
    let answer = client.step("a", &step("r1", "A room.")).unwrap();
    let data = lines
        .find_map(|line| line.strip_prefix("data: ").map(String::from))
        .unwrap();
    let event: stride_client::api::StepEvent = serde_json::from_str(&data).unwrap();
    assert_eq!((event.agent.as_str(), &event.answer), ("a", &answer));
    // An open stream does not hold the daemon up.
    assert!(place.stop());
}
