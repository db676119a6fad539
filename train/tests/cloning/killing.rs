//! Runs that are killed, at any point, resume to the same bits.

use std::io::Read as _;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use stride_train::bc::{metrics, state};

use super::bench::{Bench, assert_same_bits, wait_for};

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let bench = Bench::new(300, "threads = 2");
    bench.finish("whole", &[]);
    let mut child = bench.command("killed", &[]).spawn().unwrap();
    wait_for(&bench.path("killed").join(state::LAST), &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let stopped_at = bench.last("killed").0;
    assert!(stopped_at < 300, "killed too late: step {stopped_at}");
    // Another number of threads must not change a bit either.
    let text = bench.finish("killed", &["--resume", "--threads", "1"]);
    assert!(
        text.contains(&format!("resumed at  step {stopped_at}")),
        "{text}"
    );
    let (whole, resumed) = (bench.last("whole"), bench.last("killed"));
    assert_eq!((whole.0, resumed.0), (300, 300));
    assert_same_bits(&whole.1, &resumed.1);
}

/// Checkpoints and evaluations so often that many moments fall into them.
const OFTEN: [&str; 4] = ["--save-every", "3", "--eval-every", "4"];
const RESUMED_OFTEN: [&str; 5] = ["--resume", "--save-every", "3", "--eval-every", "4"];

/// The last step in the metrics, 0 without any.
fn logged(bench: &Bench, run: &str) -> u64 {
    let lines = metrics::read(&bench.path(run).join(metrics::METRICS)).unwrap_or_default();
    lines.last().map_or(0, metrics::Metrics::step)
}

fn assert_same_ends(bench: &Bench, steps: u64) {
    let (whole, killed) = (bench.last("whole"), bench.last("killed"));
    assert_eq!((whole.0, killed.0), (steps, steps));
    assert_same_bits(&whole.1, &killed.1);
    let best = |run: &str| {
        let (record, weights) = state::load_weights(&bench.path(run).join(state::BEST)).unwrap();
        let bits: Vec<u32> = weights.iter().map(|w| w.to_bits()).collect();
        (record.step, bits)
    };
    assert_eq!(best("whole"), best("killed"));
}

#[test]
fn a_run_killed_at_ten_moments_ends_in_the_same_bits() {
    const STEPS: u64 = 400;
    let bench = Bench::new(400, "threads = 2\nlog_every = 1");
    bench.finish("whole", &OFTEN);
    // A generator of the moments: the same in every run of the test, as far as the machine lets them be.
    let mut state = 17_u64;
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut kills = 0;
    for _ in 0..10 {
        // Without new steps it dies while it starts, somewhere between reading its data and its first step.
        let until = logged(&bench, "killed") + below(20);
        let mut child = bench.command("killed", &RESUMED_OFTEN).spawn().unwrap();
        while logged(&bench, "killed") < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(below(20_000)));
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        if ended {
            break;
        }
        kills += 1;
    }
    assert!(kills > 2, "the run ended after {kills} kills");
    bench.finish("killed", &RESUMED_OFTEN);
    assert_same_ends(&bench, STEPS);
}

/// Reads from a pipe what a run writes into it; a run that ends first fails the test.
fn read_from(pipe: std::fs::File, count: usize, child: &mut Child) -> Vec<u8> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = vec![0; count];
        let read = (&pipe).read_exact(&mut bytes).map(|()| bytes);
        // The pipe stays open until the test has seen this, so that the run is not told that nobody reads.
        let _ = sender.send((read, pipe));
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(10)) {
            Ok((read, pipe)) => {
                child.kill().unwrap();
                child.wait().unwrap();
                drop(pipe);
                return read.unwrap();
            }
            Err(_) => assert!(child.try_wait().unwrap().is_none(), "the run ended early"),
        }
    }
}

/// A pipe stands where the run writes a checkpoint, so it stops in the middle of writing, and is killed there.
#[cfg(target_os = "linux")]
#[test]
fn a_run_killed_while_it_writes_a_checkpoint_ends_in_the_same_bits() {
    const STEPS: u64 = 60;
    let bench = Bench::new(60, "threads = 1");
    bench.finish("whole", &OFTEN);
    let folder = bench.path("killed");
    std::fs::create_dir(&folder).unwrap();
    // Step 4 writes the best weights for the first time, one step behind the first checkpoint; then every third step writes one.
    for (file, written, checkpoint) in [
        (state::BEST, 20_000, 3),
        (state::LAST, 1, 3),
        (state::LAST, 200_000, 3),
        (state::LAST, 400_000, 3),
    ] {
        let beside = folder.join(format!("{file}.tmp"));
        let _ = std::fs::remove_file(&beside);
        let made = Command::new("mkfifo").arg(&beside).status().unwrap();
        assert!(made.success());
        // Opened for both, a pipe waits for nobody on Linux.
        let pipe = std::fs::File::options()
            .read(true)
            .write(true)
            .open(&beside)
            .unwrap();
        let mut child = bench.command("killed", &RESUMED_OFTEN).spawn().unwrap();
        let part = read_from(pipe, written, &mut child);
        assert_eq!(bench.last("killed").0, checkpoint, "the old one stands");
        // What was written so far is what a cut of power may leave. The pipe is gone when it held all the rest, so that the run came to
        // sync it, could not, and took it away.
        let _ = std::fs::remove_file(&beside);
        std::fs::write(&beside, part).unwrap();
    }
    bench.finish("killed", &RESUMED_OFTEN);
    assert_same_ends(&bench, STEPS);
}
