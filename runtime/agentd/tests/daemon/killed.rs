//! `kill -9` of the daemon at random moments under load. `STRIDE_KILLS=1000 cargo test --release -p stride-agentd killed` does it
//! as often as one likes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::play::{counted_episode, episode};
use crate::support::{Place, is_alive};

/// Games that are played at the same time.
const PLAYERS: u64 = 3;

/// Different games; each player goes round them.
const GAMES: u64 = 6;

/// Actions of a game at most.
const ACTIONS: u32 = 10;

pub fn kills() -> u32 {
    std::env::var("STRIDE_KILLS").map_or(30, |kills| kills.parse().unwrap())
}

/// Plays on until `enough`, while `disturb` does what it likes; every episode must be that of an undisturbed daemon. Returns
/// the number of episodes and of steps.
pub fn under_load(place: &mut Place, disturb: impl FnOnce(&mut Place, &AtomicU64)) -> (u64, u64) {
    let undisturbed: Vec<_> = (0..GAMES)
        .map(|game| episode(&place.client(), &format!("calm-{game}"), game, ACTIONS))
        .collect();
    let undisturbed = &undisturbed;
    let (enough, episodes, steps) = (
        &AtomicBool::new(false),
        &AtomicU64::new(0),
        &AtomicU64::new(0),
    );
    std::thread::scope(|scope| {
        for player in 0..PLAYERS {
            let client = place.client();
            scope.spawn(move || {
                for round in 0.. {
                    let game = (player * 2 + round) % GAMES;
                    let id = format!("p{player}-{round}");
                    let answers = counted_episode(&client, &id, game, ACTIONS, steps);
                    let expected = &undisturbed[usize::try_from(game).unwrap()];
                    assert_eq!(&answers, expected, "agent {id}, game {game}");
                    episodes.fetch_add(1, Ordering::Relaxed);
                    if enough.load(Ordering::Relaxed) {
                        return;
                    }
                    client.delete(&id).ok();
                }
            });
        }
        disturb(place, steps);
        enough.store(true, Ordering::Relaxed);
    });
    (
        episodes.load(Ordering::Relaxed),
        steps.load(Ordering::Relaxed),
    )
}

#[test]
fn no_acknowledged_step_is_lost_or_made_twice() {
    let mut place = Place::new().started();
    let kills = kills();
    let mut dice = ChaCha8Rng::seed_from_u64(u64::from(kills));
    let (episodes, steps) = under_load(&mut place, |place, acknowledged| {
        for kill in 1..=kills {
            // Mostly at a random moment after a step; every fifth time at a random moment of the start.
            let before = acknowledged.load(Ordering::Relaxed);
            if kill % 5 != 0 {
                place.wait_until("past a step", |_| {
                    acknowledged.load(Ordering::Relaxed) > before
                });
            }
            std::thread::sleep(Duration::from_millis(dice.random_range(0..300)));
            let pid = place.pid();
            place.kill();
            place.spawn();
            assert!(!is_alive(pid));
            if kill % 50 == 0 {
                println!(
                    "{kill} kills, {} steps",
                    acknowledged.load(Ordering::Relaxed)
                );
            }
        }
    });
    println!("{kills} kills, {episodes} episodes, {steps} steps: none lost, none twice");
    assert!(episodes >= PLAYERS);
    assert!(place.stop());
}

/// A killed daemon leaves no worker behind.
#[test]
fn the_worker_dies_with_its_daemon() {
    let mut place = Place::new().started();
    let worker = place.worker();
    place.kill();
    place.wait_without_daemon(|| !is_alive(worker));
}
