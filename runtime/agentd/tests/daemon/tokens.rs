//! Tokens over TCP: wrong, missing and expired ones never reach the engine.

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rustix::process::Signal;
use stride_client::api::CreateAgent;
use stride_client::{Client, ClientError, Retries};

use crate::support::{PROGRAM, Place, signal};

/// A port that was free a moment ago.
pub fn port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

pub fn draw(place: &Place, name: &str, days: &str) -> String {
    let file = place.path("tokens");
    let drawn = Command::new(PROGRAM)
        .args(["token", "--name", name, "--days", days, "--tokens"])
        .arg(file)
        .output()
        .unwrap();
    assert!(drawn.status.success());
    String::from_utf8(drawn.stdout).unwrap().trim().to_owned()
}

fn refused(result: Result<impl std::fmt::Debug, ClientError>) -> (u16, String) {
    match result {
        Err(ClientError::Refused { status, code, .. }) => (status, code),
        other => panic!("{other:?}"),
    }
}

fn agent(id: &str) -> CreateAgent {
    CreateAgent {
        id: Some(id.into()),
        task: "put a fork in countertop".into(),
        ..CreateAgent::default()
    }
}

#[test]
fn only_valid_tokens_get_in() {
    let place = Place::new();
    let (good, old) = (draw(&place, "robot", "1"), draw(&place, "old", "0"));
    let port = port();
    let tokens = place.path("tokens");
    let flags = [
        "--listen",
        &format!("tcp:127.0.0.1:{port}"),
        "--tokens",
        tokens.to_str().unwrap(),
    ];
    let place = place.with(&flags).started();
    let once = Retries {
        within: std::time::Duration::ZERO,
        ..Retries::default()
    };
    let remote =
        || Client::new(format!("tcp:127.0.0.1:{port}").parse().unwrap()).with_retries(once);
    assert_eq!(
        refused(remote().create(&agent("a"))),
        (401, "no_token".into())
    );
    let wrong = remote().with_token("stride_0000");
    assert_eq!(
        refused(wrong.create(&agent("a"))),
        (401, "wrong_token".into())
    );
    let expired = remote().with_token(&old);
    assert_eq!(
        refused(expired.create(&agent("a"))),
        (401, "expired_token".into())
    );
    assert_eq!(refused(remote().text("/metrics")), (401, "no_token".into()));
    // Nothing of it was done.
    assert_eq!(place.client().list(None).unwrap().total, 0);
    assert!(remote().ready().unwrap().ready);
    let robot = remote().with_token(&good);
    assert_eq!(robot.create(&agent("a")).unwrap().id, "a");
    // The socket needs none; its permissions decide.
    assert_eq!(place.client().get("a").unwrap().id, "a");
    // A token that is taken out of the file is out after SIGHUP.
    std::fs::write(&tokens, "").unwrap();
    signal(place.pid(), Signal::HUP);
    place.wait_without_daemon(|| robot.get("a").is_err());
    assert_eq!(refused(robot.get("a")), (401, "wrong_token".into()));
}

#[test]
fn a_token_is_added_to_a_file_that_somebody_wrote_by_hand() {
    let place = Place::new();
    let first = draw(&place, "robot", "1");
    let tokens = place.path("tokens");
    let text = std::fs::read_to_string(&tokens).unwrap();
    // An editor that ends no last line, and an owner who lets the daemon's group read.
    std::fs::write(&tokens, format!("# ours\n{}", text.trim_end())).unwrap();
    std::fs::set_permissions(&tokens, Permissions::from_mode(0o640)).unwrap();
    let link = place.path("link");
    std::os::unix::fs::symlink(&tokens, &link).unwrap();
    let second = Command::new(PROGRAM)
        .args(["token", "--name", "kiosk", "--tokens"])
        .arg(&link)
        .output()
        .unwrap();
    assert!(second.status.success());
    let second = String::from_utf8(second.stdout).unwrap().trim().to_owned();
    let there = std::fs::symlink_metadata(&tokens).unwrap();
    assert!(there.is_file() && there.permissions().mode() & 0o777 == 0o640);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());

    let listen = format!("tcp:127.0.0.1:{}", port());
    let flags = ["--listen", &listen, "--tokens", tokens.to_str().unwrap()];
    let place = place.with(&flags).started();
    for token in [first, second] {
        let client = Client::new(listen.parse().unwrap()).with_token(&token);
        assert_eq!(client.list(None).unwrap().total, 0);
    }
    drop(place);
}

#[test]
fn without_tokens_only_this_machine_is_served_and_only_by_its_name() {
    let port = port();
    let place = Place::new();
    let place = place
        .with(&["--listen", &format!("tcp:127.0.0.1:{port}")])
        .started();
    let ask = |host: &str| {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(
            socket,
            "GET /v1/agents HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(ask(&format!("127.0.0.1:{port}")), "200");
    assert_eq!(ask("localhost"), "200");
    assert_eq!(ask("rebound.example"), "403");
    drop(place);
    let mut exposed = Place::new().with(&["--listen", "tcp:0.0.0.0:0"]);
    let ended = exposed.command(PROGRAM).status().unwrap();
    assert_eq!(ended.code(), Some(1));
    assert!(
        exposed.log().contains("--allow-remote"),
        "{}",
        exposed.log()
    );
    assert!(!exposed.is_running());
}

#[test]
fn too_many_requests_are_told_when_to_come_again() {
    let place = Place::new().with_settings("[limits]\nrate = 5\n").started();
    let once = place.client_once();
    let answers: Vec<_> = (0..200).map(|_| once.list(None)).collect();
    let late = answers.into_iter().find_map(Result::err).unwrap();
    let ClientError::Refused {
        status,
        retry_after,
        ..
    } = late
    else {
        panic!("{late}")
    };
    assert_eq!((status, retry_after), (429, Some(1)));
    // Who waits is served.
    assert_eq!(place.client().list(None).unwrap().total, 0);
}
