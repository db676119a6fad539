//! Clients that mean no good, and those that know no better. The daemon serves others all the while.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::play::episode;
use crate::support::{Place, say_on};

/// Says something on the daemon's socket.
fn say(place: &Place, bytes: &[u8]) -> String {
    say_on(UnixStream::connect(place.socket()).unwrap(), bytes)
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn status(answer: &str) -> u16 {
    let line = answer.lines().next().unwrap_or_default();
    line.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

#[test]
fn malformed_requests_are_refused_with_a_reason() {
    let mut place = Place::new().started();
    let deep = [b"[".repeat(30_000), b"]".repeat(30_000)].concat();
    let long = format!("{{\"task\": \"{}\"}}", "x".repeat(100_000)).into_bytes();
    let cases: [(Vec<u8>, u16); 12] = [
        (post("/v1/agents", b"{"), 400),
        (post("/v1/agents", &deep), 400),
        (post("/v1/agents", b"{\"task\": \"\xff\xfe\"}"), 400),
        (post("/v1/agents", b"{\"task\": \" \"}"), 400),
        (post("/v1/agents", b"{\"task\": \"a\", \"colour\": 1}"), 400),
        (post("/v1/agents", b"{\"task\": \"a\", \"id\": \"../../etc\"}"), 400),
        (post("/v1/agents", &long), 413),
        (post("/v1/agents/none/step", b"{\"request_id\": \"a\", \"observation\": \"b\"}"), 404),
        (post("/v1/agents/%2e%2e%2f/step", b"{\"request_id\": \"a\", \"observation\": \"b\"}"), 404),
        (b"DELETE /v1/agents HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), 405),
        (b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), 404),
        (b"POST /v1/agents HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}".to_vec(), 415),
    ];
    for (bytes, expected) in &cases {
        let answer = say(&place, bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
        assert_eq!(status(&answer), *expected, "{shown}\n{answer}");
        assert!(answer.contains("\"code\":"), "{answer}");
    }
    // A body that claims to be a gigabyte is refused by its claim; nothing of it is waited for.
    let claim = b"POST /v1/agents HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n{";
    assert_eq!(status(&say(&place, claim)), 413);
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01"[..],
        b"GET / HTTP/9\r\n\r\n",
        &[0; 4096],
    ] {
        let answer = say(&place, garbage);
        assert!(matches!(status(&answer), 0 | 400), "{answer}");
    }
    let head = format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(100_000)
    );
    assert!(matches!(status(&say(&place, head.as_bytes())), 0 | 431));
    assert!(place.is_running());
    assert!(place.stop());
}

#[test]
fn slow_clients_are_cut_off_and_hold_nobody_up() {
    let settings = "[limits]\nhead_seconds = 2\nbody_seconds = 2\nconnections = 40\n";
    let mut place = Place::new().with_settings(settings).started();
    let calm = episode(&place.client(), "calm", 2, 5);
    let mut slow = Vec::new();
    for n in 0..30 {
        let mut socket = UnixStream::connect(place.socket()).unwrap();
        let half: &[u8] = match n % 3 {
            0 => b"",
            1 => b"GET /healthz HTTP/1.1\r\nhost",
            _ => b"POST /v1/agents HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
        };
        socket.write_all(half).unwrap();
        slow.push(socket);
    }
    assert_eq!(episode(&place.client(), "beside", 2, 5), calm);
    // More than there are places: the others come in turn, once the slow ones are cut off.
    for _ in 0..60 {
        slow.push(UnixStream::connect(place.socket()).unwrap());
    }
    assert_eq!(episode(&place.client(), "after", 2, 5), calm);
    for socket in &mut slow {
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut answer = Vec::new();
        // Closed, with or without a word.
        let _ = socket.read_to_end(&mut answer);
        assert!(matches!(
            status(&String::from_utf8_lossy(&answer)),
            0 | 400 | 408
        ));
    }
    assert!(place.stop());
}
