//! The disk filled: steps are refused with a status that says so, nothing acknowledged is lost, and when there is room again the
//! daemon goes on by itself.
//!
//! The state lies on a tmpfs of 4 MiB in a mount namespace of the daemon's own (`unshare`, as root or with user namespaces); the
//! test fills it with a file of its own through `/proc/PID/root`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use stride_client::ClientError;
use stride_client::api::{CreateAgent, StepRequest};

use crate::killed::under_load;
use crate::needs::skipped;
use crate::support::{PROGRAM, Place};

/// The flags with which `unshare` gives this user a mount namespace.
pub fn unshare() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let works = |flags: &&[&str]| {
        let mounted = Command::new("unshare")
            .args(*flags)
            .args(["sh", "-c", "mount -t tmpfs tmpfs /mnt"])
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success())
    };
    ways.into_iter()
        .find(works)
        .or_else(|| skipped("no mount namespace for this user (unshare --mount)"))
}

/// A daemon whose state lies on a small disk, and the path of that disk as others see it.
fn on_a_small_disk(flags: &[&str]) -> (Place, PathBuf) {
    with_a_small_disk(Place::new(), "state", flags)
}

/// A daemon one of whose folders is a small disk, and the path of that disk as others see it.
pub fn with_a_small_disk(mut place: Place, folder: &str, flags: &[&str]) -> (Place, PathBuf) {
    let state = place.path(folder);
    fs::create_dir(&state).unwrap();
    let daemon = place.command(PROGRAM);
    let mut command = Command::new("unshare");
    command
        .args(flags)
        .args([
            "sh",
            "-c",
            "mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\"",
        ])
        .arg(&state)
        .arg(daemon.get_program())
        .args(daemon.get_args())
        .stderr(
            File::options()
                .append(true)
                .open(place.path("log"))
                .unwrap(),
        );
    place.adopt(command.spawn().unwrap());
    place.wait_ready();
    let root = format!("/proc/{}/root", place.pid());
    let disk = PathBuf::from(root + state.to_str().unwrap());
    (place, disk)
}

pub fn fill(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    let block = [1; 4096];
    while file.write_all(&block).is_ok() {}
    ballast
}

#[test]
fn a_full_disk_refuses_steps_and_loses_none() {
    let Some(flags) = unshare() else { return };
    let (mut place, disk) = on_a_small_disk(flags);
    let (episodes, steps) = under_load(&mut place, |place, _| {
        for _ in 0..5 {
            let ballast = fill(&disk);
            std::thread::sleep(Duration::from_millis(500));
            fs::remove_file(ballast).unwrap();
            place.wait_ready();
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    println!("5 times full, {episodes} episodes, {steps} steps: none lost, none twice");
    assert!(place.is_running());
}

#[test]
fn a_full_disk_is_named_and_the_daemon_recovers() {
    let Some(flags) = unshare() else { return };
    let (place, disk) = on_a_small_disk(flags);
    let once = place.client_once();
    let agent = |n: u32| CreateAgent {
        id: Some(format!("a{n}")),
        task: "put a fork in countertop".into(),
        ..CreateAgent::default()
    };
    once.create(&agent(0)).unwrap();
    let ballast = fill(&disk);
    // Pages that redb has already claimed may take some more.
    let made: Vec<_> = (1..1000)
        .map_while(|n| {
            once.create(&agent(n))
                .map_err(|error| {
                    let ClientError::Refused {
                        status,
                        code,
                        retry_after,
                        ..
                    } = error
                    else {
                        panic!("{error}")
                    };
                    assert_eq!((status, &*code, retry_after), (503, "storage", Some(1)));
                })
                .ok()
        })
        .collect();
    assert!(made.len() < 999, "the disk was not full");
    assert!(place.metric("stride_commit_failures_total") >= 1.0);
    fs::remove_file(ballast).unwrap();
    let client = place.client();
    let step = StepRequest {
        request_id: "r1".into(),
        observation: "A room.".into(),
        ..StepRequest::default()
    };
    assert!(client.step("a0", &step).unwrap().action.is_some());
    // All that was acknowledged is there, and nothing else.
    assert_eq!(client.list(None).unwrap().total as usize, made.len() + 1);
    for agent in made {
        assert_eq!(client.get(&agent.id).unwrap(), agent);
    }
}
