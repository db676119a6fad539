//! The worker killed, crashed and stopped, under load.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;

use crate::killed::{kills, under_load};
use crate::play::episode;
use crate::support::{Place, is_alive, signal};

#[test]
fn a_killed_or_crashed_worker_costs_time_and_nothing_else() {
    let mut place = Place::new().started();
    let kills = kills();
    let mut dice = ChaCha8Rng::seed_from_u64(u64::from(kills) + 1);
    let (episodes, steps) = under_load(&mut place, |place, acknowledged| {
        for kill in 1..=kills {
            let before = acknowledged.load(Ordering::Relaxed);
            let in_steps = kill % 5 != 0;
            if in_steps {
                place.wait_until("past a step", |_| {
                    acknowledged.load(Ordering::Relaxed) > before
                });
            }
            let worker = place.worker();
            // Every fifth right at its start, before it makes steps: one that was alone in three workers that ended is refused.
            let most = if in_steps { 200 } else { 5 };
            std::thread::sleep(Duration::from_millis(dice.random_range(0..most)));
            // No SIGSEGV: the first one that comes from outside only takes away the handler of the Rust runtime.
            let how = if kill % 2 == 0 {
                Signal::KILL
            } else {
                Signal::ABORT
            };
            signal(worker, how);
            place.wait_until("rid of the worker", |_| !is_alive(worker));
        }
    });
    println!("{kills} workers killed, {episodes} episodes, {steps} steps: none lost, none twice");
    assert!(place.is_running());
    let lost = place.metric("stride_workers_lost_total{reason=\"died\"}");
    // Those that were killed while they loaded never served, and are not counted.
    let served = kills - kills / 5;
    assert!(
        lost >= f64::from(served) * 0.9,
        "{lost} workers were seen to die"
    );
    assert!(place.stop());
}

#[test]
fn a_worker_that_hangs_is_replaced() {
    let place = Place::new();
    let settings = "[worker]\nstep_seconds = 1\nprobe_seconds = 1\n";
    let mut place = place.with_settings(settings).started();
    let calm = episode(&place.client(), "calm", 3, 8);
    // Stopped while it is idle: the probe finds out, and the daemon says that it is not ready.
    let worker = place.worker();
    signal(worker, Signal::STOP);
    place.wait_until("rid of the stopped worker", |_| !is_alive(worker));
    place.wait_ready();
    // Stopped in the middle of an episode.
    let client = place.client();
    let playing = std::thread::spawn(move || episode(&client, "disturbed", 3, 8));
    let worker = place.worker();
    std::thread::sleep(Duration::from_millis(50));
    signal(worker, Signal::STOP);
    place.wait_until("rid of the stopped worker", |_| !is_alive(worker));
    assert_eq!(playing.join().unwrap(), calm);
    assert!(place.metric("stride_workers_lost_total{reason=\"hang\"}") >= 2.0);
}
