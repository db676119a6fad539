//! Sockets that are handed over, as systemd does with a socket unit.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::play::episode;
use crate::support::{PROGRAM, Place};

/// The daemon's command, with a socket as file descriptor 3.
fn handed(place: &Place, socket: &UnixListener) -> Command {
    let daemon = place.command(PROGRAM);
    let log = File::options()
        .append(true)
        .open(place.path("log"))
        .unwrap();
    let mut shell = Command::new("/bin/sh");
    shell
        .env_clear()
        .envs(
            daemon
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .args([
            "-c",
            "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 0</dev/null",
        ])
        .arg(PROGRAM)
        .args(daemon.get_args())
        .stdout(Stdio::null())
        .stderr(log);
    let socket: OwnedFd = socket.try_clone().unwrap().into();
    shell.stdin(socket);
    shell
}

#[test]
fn a_socket_that_is_handed_over_outlives_the_daemon() {
    let mut place = Place::new();
    let socket = UnixListener::bind(place.socket()).unwrap();
    // Who comes before the daemon does, waits and is served.
    let client = place.client();
    let early = std::thread::spawn(move || episode(&client, "early", 2, 5));
    place.adopt(handed(&place, &socket).spawn().unwrap());
    let early = early.join().unwrap();
    assert_eq!(early.len(), 6);

    // The worker has nothing of it: it would keep the socket alive, and could take connections.
    let inode = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
    let holds = |pid: u32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .flatten();
        files
            .filter_map(|file| std::fs::read_link(file.path()).ok())
            .any(|file| file == inode)
    };
    let worker = place.worker();
    assert!(holds(place.pid()) && !holds(worker));
    let environment = std::fs::read(format!("/proc/{worker}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("LISTEN_"));

    // It is not the daemon's to remove; the next daemon gets it again.
    assert!(place.stop());
    assert!(place.socket().exists());
    let client = place.client();
    let between = std::thread::spawn(move || episode(&client, "between", 2, 5));
    place.adopt(handed(&place, &socket).spawn().unwrap());
    assert_eq!(between.join().unwrap(), early);
    assert!(place.stop());
}

#[test]
fn a_socket_that_the_settings_do_not_name_is_refused() {
    let place = Place::new();
    let socket = UnixListener::bind(place.path("other.sock")).unwrap();
    let ended = handed(&place, &socket).status().unwrap();
    assert_eq!(ended.code(), Some(1));
    let log = place.log();
    assert!(
        log.contains("other.sock") && log.contains("`listen` does not name it"),
        "{log}"
    );
}

#[test]
fn manual_pages_and_completions_know_every_flag() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(PROGRAM)
        .arg("man")
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(made.success());
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags: Vec<_> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-'))
        .collect();
    assert!(flags.len() > 12, "{help}");
    let main = page("stride-agentd.8");
    for flag in &flags {
        assert!(main.contains(&flag.replace('-', "\\-")), "{flag}");
    }
    for part in [
        "STRIDE_AGENTD_MODELS",
        ".SH SIGNALS",
        "stride\\-agentd\\-check(8)",
    ] {
        assert!(main.contains(part), "{part}");
    }
    assert!(page("stride-agentd-token.8").contains("\\-\\-days"));
    assert!(!folder.path().join("stride-agentd-worker.8").exists());
    for shell in ["bash", "zsh", "fish"] {
        let made = Command::new(PROGRAM)
            .args(["completions", shell])
            .output()
            .unwrap();
        let made = String::from_utf8(made.stdout).unwrap();
        for flag in ["allow-remote", "tls-certificate", "print-config"] {
            assert!(made.contains(flag), "{shell}: {flag}");
        }
    }
}
