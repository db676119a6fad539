//! What systemd hears, and what `check` finds.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

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
