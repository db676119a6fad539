//! What systemd hears, and what `check` finds.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use stride_agentd::config::{Limits, Worker};

use crate::support::{PATIENCE, PROGRAM, Place, signal};

/// The next message that holds `word`, if one comes within a time.
fn hears(socket: &UnixDatagram, word: &str, within: Duration) -> bool {
    socket.set_read_timeout(Some(within)).unwrap();
    let mut bytes = [0; 4096];
    while let Ok(length) = socket.recv(&mut bytes) {
        if String::from_utf8_lossy(&bytes[..length]).contains(word) {
            return true;
        }
    }
    false
}

#[test]
fn signs_of_life_follow_finished_steps() {
    let mut place = Place::new().with_settings("[worker]\nstep_seconds = 600\nprobe_seconds = 1\n");
    let told = UnixDatagram::bind(place.path("notify")).unwrap();
    let mut command = place.command(PROGRAM);
    command.env("NOTIFY_SOCKET", place.path("notify"));
    command.env("WATCHDOG_USEC", "600000");
    place.adopt(command.spawn().unwrap());
    assert!(hears(&told, "READY=1", PATIENCE), "{}", place.log());
    for _ in 0..5 {
        assert!(hears(&told, "WATCHDOG=1", PATIENCE));
    }
    assert!(place.stop());
    assert!(hears(&told, "STOPPING=1", PATIENCE));

    // A daemon whose worker cannot be loaded is never ready and gives no sign.
    std::fs::write(place.models().join("text.gguf"), "no model").unwrap();
    let mut command = place.command(PROGRAM);
    command.args(["--model", "text"]);
    command.env("NOTIFY_SOCKET", place.path("notify"));
    command.env("WATCHDOG_USEC", "600000");
    place.adopt(command.spawn().unwrap());
    assert!(
        hears(&told, "no policy is loaded", PATIENCE),
        "{}",
        place.log()
    );
    told.set_nonblocking(true).unwrap();
    let mut bytes = [0; 4096];
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(50));
        while let Ok(length) = told.recv(&mut bytes) {
            let told = String::from_utf8_lossy(&bytes[..length]).into_owned();
            assert!(
                !told.contains("READY") && !told.contains("WATCHDOG"),
                "{told}"
            );
        }
    }
    signal(place.pid(), Signal::TERM);
}

#[test]
fn check_finds_what_would_not_work() {
    let place = Place::new();
    let check = |more: &[&str]| {
        let daemon = place.command(PROGRAM);
        let checked = Command::new(PROGRAM)
            .arg("check")
            .args(daemon.get_args())
            .args(more)
            .output()
            .unwrap();
        (
            checked.status.code(),
            String::from_utf8(checked.stdout).unwrap(),
        )
    };
    let (code, text) = check(&[]);
    assert_eq!((code, text.contains("FAIL")), (Some(0), false), "{text}");
    for what in ["profile", "model", "memory", "state", "listen"] {
        assert!(text.contains(&format!("ok    {what}")), "{text}");
    }
    // The journals' folders are looked at as well, and an address that is taken is most likely the daemon's own.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("tcp:{}", taken.local_addr().unwrap());
    fs::create_dir(place.path("state")).unwrap();
    fs::write(place.path("state/audit"), "no folder").unwrap();
    let (code, text) = check(&["--listen", &taken]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("FAIL  audit"), "{text}");
    let listen = text.lines().find(|line| line.contains(&taken)).unwrap();
    assert!(
        listen.starts_with("ok ") && listen.contains("listens there"),
        "{text}"
    );
    fs::remove_file(place.path("state/audit")).unwrap();
    let bad = [
        "--profile",
        "no-such-board",
        "--model",
        "absent",
        "--tokens",
        "/nonexistent",
        "--listen",
        "tcp:0.0.0.0:1",
    ];
    let (code, text) = check(&bad);
    assert_eq!(code, Some(1), "{text}");
    for what in ["profile", "model", "tokens", "listen"] {
        assert!(text.contains(&format!("FAIL  {what}")), "{text}");
    }
}

/// The value of a setting in the unit, in the section where systemd looks for it.
fn unit(section: &str, key: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/stride-agentd.service");
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().skip_while(|line| *line != section).skip(1);
    let mut lines = lines.take_while(|line| !line.starts_with('['));
    let key = format!("{key}=");
    let value = lines.find_map(|line| line.strip_prefix(&key));
    value
        .unwrap_or_else(|| panic!("{section} {key}"))
        .to_owned()
}

#[test]
fn the_unit_gives_the_daemon_the_time_that_its_settings_give_it() {
    let seconds = |key: &str| unit("[Service]", key).parse::<u64>().unwrap();
    let (worker, limits) = (Worker::default(), Limits::default());
    // A worker that hangs is noticed and replaced before systemd loses patience.
    assert!(seconds("WatchdogSec") > worker.step_seconds + worker.load_seconds);
    assert!(seconds("TimeoutStartSec") > worker.load_seconds);
    assert!(seconds("TimeoutStopSec") > limits.step_seconds + limits.grace_seconds);
    // A disk that is mounted late costs time, and not the daemon.
    assert_eq!(unit("[Service]", "Restart"), "always");
    assert_eq!(unit("[Unit]", "StartLimitIntervalSec"), "0");
}
