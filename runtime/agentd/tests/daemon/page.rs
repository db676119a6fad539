//! The page at `/`, in a real browser.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::json;
use stride_client::api::{CreateAgent, StepAnswer, StepRequest};
use stride_client::observe::{DaemonState, MadeSteps};
use stride_client::{Client, ClientError};
use stride_environments::household::HouseholdEnvironment;

use crate::browser::{Browser, chromium};
use crate::needs::skipped;
use crate::play::{begin, episode, next};
use crate::support::{MODEL, Place};
use crate::tokens::{draw, port};

/// A text that would be an element if anything took it for markup.
const HOSTILE: &str =
    "put a <img src=x onerror=alert(1)> & <script>alert(2)</script> in countertop";

fn browser() -> Option<Browser> {
    match chromium() {
        Some(program) => Some(Browser::start(&program)),
        None => skipped("there is no Chromium; .ci/prerequisites installs it"),
    }
}

fn get(port: u16, path: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// A game that is played as far as a test wants.
struct Game {
    client: Client,
    world: HouseholdEnvironment,
    request: StepRequest,
    id: &'static str,
    steps: u32,
}

impl Game {
    fn new(place: &Place, id: &'static str, seed: u64) -> Self {
        let client = place.client();
        let (world, request) = begin(&client, id, seed);
        Self {
            client,
            world,
            request,
            id,
            steps: 0,
        }
    }

    fn step(&mut self) -> StepAnswer {
        self.steps += 1;
        self.request.request_id = format!("{}", self.steps);
        let answer = self.client.step(self.id, &self.request).unwrap();
        if let ControlFlow::Continue(then) = next(&mut self.world, &answer, u32::MAX) {
            self.request = then;
        }
        answer
    }
}

/// Keeps a picture where a person can look at it, and says that it is one of a full page of this width.
fn keep(picture: &[u8], name: &str, width: u32) {
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(picture[16..20], width.to_be_bytes(), "{name}");
    // An empty page of this size is a few kilobytes.
    assert!(picture.len() > 20_000, "{name}: {} bytes", picture.len());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join(name), picture).unwrap();
    println!("{}", folder.join(name).display());
}

#[test]
fn an_agent_is_seen_as_it_runs() {
    let Some(mut browser) = browser() else { return };
    let port = port();
    let listen = format!("tcp:127.0.0.1:{port}");
    let mut place = Place::new().with(&["--listen", &listen]).started();
    browser.resize(1280, 900, false);
    browser.open(&format!("http://127.0.0.1:{port}/"));
    browser.wait("document.getElementById('ready').innerText === 'ready'");
    assert!(browser.text("agents-empty").contains("POST /v1/agents"));
    assert!(browser.text("model").contains(MODEL));

    // It appears by itself, step by step.
    let mut game = Game::new(&place, "kitchen", 3);
    browser.wait("document.getElementById('agent-title').innerText === 'kitchen'");
    for _ in 0..3 {
        let answer = game.step();
        let (step, action) = (answer.step, answer.action.unwrap());
        let row = json!(format!("{step}\n{action}"));
        browser.wait(&format!("[...document.querySelectorAll('.steps li')].some((row) => row.innerText.startsWith({row}))"));
        let tree = browser.text("tree");
        assert!(
            tree.contains(&answer.subtask) && tree.contains("running"),
            "{tree}"
        );
        assert!(browser.text("agent-facts").contains(&action));
    }
    let mut subtasks = vec![game.step().subtask];
    loop {
        let answer = game.step();
        if answer.flags.began {
            subtasks.push(answer.subtask.clone());
        }
        if answer.action.is_none() {
            break;
        }
    }
    browser
        .wait("document.getElementById('agent-facts').innerText.includes('its episode is over')");
    let tree = browser.text("tree");
    let found: Vec<_> = subtasks
        .iter()
        .map(|subtask| tree.match_indices(subtask.as_str()).count())
        .collect();
    assert!(
        subtasks.len() > 1 && found.iter().all(|count| *count > 0),
        "{tree}"
    );
    assert!(!tree.contains("running"), "{tree}");
    let points = "document.querySelector('#latency polyline').points.numberOfItems";
    assert_eq!(browser.value(points), json!(game.steps - 1));

    // What a client or a model says stays text, and the one that a reader chose stays chosen.
    let hostile = CreateAgent {
        id: Some("hostile".into()),
        task: HOSTILE.into(),
        ..CreateAgent::default()
    };
    place.client().create(&hostile).unwrap();
    browser.open(&format!("http://127.0.0.1:{port}/#agent=hostile"));
    browser.wait("document.getElementById('agent-title').innerText === 'hostile'");
    assert_eq!(browser.text("agent-task"), HOSTILE);
    assert_eq!(
        browser.value("document.querySelectorAll('img, #content script').length"),
        json!(0)
    );
    assert_eq!(browser.complaints, Vec::<String>::new());

    // Two more at work, for the picture.
    episode(&place.client(), "hall", 4, 12);
    let mut live = Game::new(&place, "bathroom", 7);
    while !live.step().flags.began || live.steps == 1 {}
    browser.open(&format!("http://127.0.0.1:{port}/#agent=bathroom"));
    let rows = |count: u32| format!("document.querySelectorAll('.steps li').length === {count}");
    browser.wait(&rows(live.steps));
    keep(&browser.picture(), "page-desktop.png", 1280);
    browser.resize(390, 844, true);
    browser.wait("document.querySelector('#latency svg').viewBox.baseVal.width < 390");
    assert_eq!(
        browser.value("document.documentElement.scrollWidth"),
        json!(390)
    );
    keep(&browser.picture(), "page-phone.png", 390);

    // A daemon that was started anew counts its steps from one.
    place.kill();
    browser.wait("document.getElementById('notice').innerText.includes('does not answer')");
    place.start();
    browser.wait("document.getElementById('ready').innerText === 'ready'");
    browser.wait(&rows(0));
    live.step();
    browser.wait(&rows(1));
}

/// An agent whose actions are all refused is at work, and its subtask is seen.
#[test]
fn a_refused_action_is_seen_as_one() {
    let Some(mut browser) = browser() else { return };
    let port = port();
    let listen = format!("tcp:127.0.0.1:{port}");
    let settings = "[guard]\ndeny = ['.']\n[audit]\nreserve_bytes = 0\n";
    let place = Place::new().with(&["--listen", &listen]);
    let place = place.with_settings(settings).started();
    let mut game = Game::new(&place, "kitchen", 3);
    let first = game.step();
    assert!(first.flags.refused && first.flags.began && first.action.is_none());
    browser.open(&format!("http://127.0.0.1:{port}/"));
    browser.wait("document.querySelectorAll('.steps li').length === 1");
    let tree = browser.text("tree");
    assert!(
        tree.contains(&first.subtask) && tree.contains("running"),
        "{tree}"
    );
    assert!(tree.contains("refused"), "{tree}");
    let agents = browser.text("agents");
    assert!(
        agents.contains("refused") && !agents.contains("over"),
        "{agents}"
    );
    // The time of the policy is that of any other step.
    let points = "document.querySelector('#latency polyline').points.numberOfItems";
    game.step();
    browser.wait(&format!("{points} === 2"));
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_token_is_asked_for_and_kept_for_the_tab() {
    let Some(mut browser) = browser() else { return };
    let place = Place::new();
    let token = draw(&place, "reader", "1");
    let (port, tokens) = (port(), place.path("tokens"));
    let listen = format!("tcp:127.0.0.1:{port}");
    let flags = ["--listen", &listen, "--tokens", tokens.to_str().unwrap()];
    let place = place.with(&flags).started();
    episode(&place.client(), "kitchen", 3, 2);
    browser.open(&format!("http://127.0.0.1:{port}/"));
    let shown = |id: &str| format!("document.getElementById('{id}').checkVisibility()");
    browser.wait(&shown("entry"));
    assert_eq!(browser.value(&shown("content")), json!(false));
    let enter = |token: &str| {
        format!(
            "{{ const field = document.getElementById('token'); field.value = '{token}'; field.form.requestSubmit(); }}"
        )
    };
    browser.value(&enter("stride_0000"));
    browser.wait("document.getElementById('notice').innerText.includes('not known')");
    assert_eq!(browser.value(&shown("entry")), json!(true));
    browser.value(&enter(&token));
    browser.wait(&shown("content"));
    assert_eq!(browser.value(&shown("entry")), json!(false));
    assert!(browser.text("agents").contains("kitchen"));
    // It is asked for once, and is nowhere that outlives the tab.
    browser.call("Page.reload", json!({}));
    browser.wait(&format!(
        "document.readyState === 'complete' && {}",
        shown("content")
    ));
    assert_eq!(
        browser.value("localStorage.length + document.cookie.length"),
        json!(0)
    );
    assert!(!browser.value("location.href").to_string().contains(&token));
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_says_nothing_without_a_token() {
    let place = Place::new();
    draw(&place, "reader", "1");
    let (port, tokens) = (port(), place.path("tokens"));
    let listen = format!("tcp:127.0.0.1:{port}");
    let flags = ["--listen", &listen, "--tokens", tokens.to_str().unwrap()];
    let _place = place.with(&flags).started();
    let page = get(port, "/");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    for expected in [
        "content-security-policy: default-src 'none'; script-src 'self';",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "x-content-type-options: nosniff",
    ] {
        assert!(page.contains(expected), "{page}");
    }
    let mut files = 0;
    for link in page.split(['"']).filter(|part| part.starts_with("/page/")) {
        files += 1;
        assert!(get(port, link).starts_with("HTTP/1.1 200"), "{link}");
    }
    assert_eq!(files, 3);
    for path in [
        "/v1/stride/state",
        "/v1/stride/steps",
        "/v1/agents",
        "/page/none",
        "/page/../v1/agents",
    ] {
        assert!(get(port, path).starts_with("HTTP/1.1 401"), "{path}");
    }
}

#[test]
fn steps_and_state_are_told_as_they_are() {
    let place = Place::new().started();
    let client = place.client();
    let state = || -> DaemonState { client.fetch("/v1/stride/state").unwrap() };
    let steps =
        |query: &str| -> MadeSteps { client.fetch(&format!("/v1/stride/steps{query}")).unwrap() };
    assert_eq!((state().steps, steps("").last), (0, 0));
    let (one, two) = (episode(&client, "one", 2, 4), episode(&client, "two", 5, 3));
    let all = steps("");
    assert_eq!(all.last, (one.len() + two.len()) as u64);
    assert_eq!(all.steps.len() as u64, all.last);
    let told: Vec<_> = all
        .steps
        .iter()
        .map(|step| crate::play::essence(&step.answer))
        .collect();
    assert_eq!(told, [one.clone(), two].concat());
    assert!(
        all.steps
            .iter()
            .all(|step| step.micros >= step.answer.micros)
    );
    assert_eq!(steps("?agent=one").steps.len(), one.len());
    assert_eq!(steps("?agent=two&limit=1").steps[0].number, all.last);
    assert_eq!(steps(&format!("?after={}", all.last - 1)).steps.len(), 1);
    let now = state();
    assert_eq!((now.steps, now.agents, now.workers_lost), (all.last, 2, 0));
    assert_eq!(now.daemon.pid, place.pid());
    assert!(now.worker.unwrap().resident_bytes > 1 << 20);
    assert!(now.device.store_bytes > 4096 && now.readiness.ready);
    let refused = |path: &str| match client.fetch::<MadeSteps>(path) {
        Err(ClientError::Refused { status, .. }) => status,
        other => panic!("{other:?}"),
    };
    for query in [
        "limit=0",
        "limit=1025",
        "agent=../x",
        "after=-1",
        "colour=1",
    ] {
        assert_eq!(
            refused(&format!("/v1/stride/steps?{query}")),
            400,
            "{query}"
        );
    }
    // The list, the agent that was used last first.
    let used: stride_client::api::AgentList = client.fetch("/v1/agents?order=used").unwrap();
    assert_eq!((used.total, used.agents.len()), (2, 2));
    assert!(used.agents[0].used_at >= used.agents[1].used_at);
    assert_eq!(refused("/v1/agents?order=used&after=one"), 400);
    assert_eq!(refused("/v1/agents?order=age"), 400);
}
