//! Episodes that the daemon plays itself, through its ends of every kind.

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use stride_client::ClientError;
use stride_client::episodes::Episode;

use crate::episodes::{essence, wish};
use crate::killed::kills;
use crate::power::{MAGIC, entries};
use crate::support::Place;

/// Plays a game while `disturb` does what it likes until it says that it is enough, and then to its end.
fn disturbed(
    place: &mut Place,
    id: &str,
    environment: &str,
    mut disturb: impl FnMut(&mut Place) -> ControlFlow<()>,
) -> Episode {
    let (client, wish) = (place.client(), wish(id, environment));
    std::thread::scope(|scope| {
        let player = scope.spawn(|| client.run_episode(&wish).unwrap());
        while !player.is_finished() && disturb(place).is_continue() {}
        player.join().unwrap()
    })
}

/// Waits until the agent of an episode has made so many more steps than it had, or its episode is over; false when it is.
fn more_steps(place: &mut Place, id: &str, had: u32, more: u32) -> bool {
    let client = place.client();
    let mut ended = false;
    place.wait_until("past a step", |_| match client.get(id) {
        Ok(agent) => {
            ended = agent.ending.is_some();
            ended || agent.steps >= had + more
        }
        Err(ClientError::Refused { status: 404, .. }) => false,
        Err(error) => panic!("{error}"),
    });
    !ended
}

/// The steps that an agent has made.
fn steps(place: &Place, id: &str) -> u32 {
    place.client().get(id).map_or(0, |agent| agent.steps)
}

fn check(place: &Place, id: &str, episode: Episode, calm: &Episode) {
    let agent = place.client().get(id).unwrap();
    assert_eq!(agent.steps as usize, episode.steps.len(), "{id}");
    for (n, step) in episode.steps.iter().enumerate() {
        assert_eq!(step.step as usize, n + 1, "{id}: a step was made twice");
    }
    assert_eq!(essence(episode), *calm, "{id}");
}

#[test]
fn no_step_of_an_episode_is_lost_or_made_twice() {
    let mut place = Place::new().started();
    let games = ["household:4", "household:9", "household:16"];
    let calm = games.map(|game| {
        let id = format!("calm-{}", &game[10..]);
        essence(place.client().run_episode(&wish(&id, game)).unwrap())
    });
    let mut dice = ChaCha8Rng::seed_from_u64(u64::from(kills()));
    let (mut killed, mut episodes) = (0, 0);
    while killed < kills() {
        let at = episodes % games.len();
        let id = format!("killed-{episodes}");
        let episode = disturbed(&mut place, &id, games[at], |place| {
            let (had, more) = (steps(place, &id), dice.random_range(1..9));
            if killed == kills() || !more_steps(place, &id, had, more) {
                return ControlFlow::Break(());
            }
            std::thread::sleep(Duration::from_millis(dice.random_range(0..60)));
            place.kill();
            place.spawn();
            killed += 1;
            ControlFlow::Continue(())
        });
        check(&place, &id, episode, &calm[at]);
        episodes += 1;
    }
    println!("{killed} kills, {episodes} episodes: no step lost, none twice");
    assert!(place.stop());
}

#[test]
fn an_episode_goes_on_after_power_cuts() {
    const CUTS: u32 = 12;
    let mut place = Place::new().started();
    let mut dice = ChaCha8Rng::seed_from_u64(9);
    let (mut cuts, mut gone, mut game) = (0, 0, 4);
    while cuts < CUTS {
        let environment = format!("household:{game}");
        let calm = wish(&format!("calm-{game}"), &environment);
        let calm = essence(place.client().run_episode(&calm).unwrap());
        let id = format!("cut-{game}");
        let episode = disturbed(&mut place, &id, &environment, |place| {
            let had = steps(place, &id);
            if cuts == CUTS || !more_steps(place, &id, had, 2) {
                return ControlFlow::Break(());
            }
            std::thread::sleep(Duration::from_millis(dice.random_range(0..60)));
            place.kill();
            // Nobody was given an answer yet, so the disk may hold anything up to the end.
            let path = place.path("state").join("agents.ahead");
            let mut file = fs::read(&path).unwrap();
            let before = entries(&file).len();
            file.truncate(dice.random_range(MAGIC..=file.len()));
            gone += before - entries(&file).len();
            fs::write(&path, &file).unwrap();
            cuts += 1;
            place.spawn();
            ControlFlow::Continue(())
        });
        check(&place, &id, episode, &calm);
        game += 1;
    }
    println!("{cuts} power cuts took {gone} entries");
    assert!(gone > 0);
    assert!(place.stop());
}

#[test]
fn the_end_of_the_daemon_interrupts_an_episode_between_steps() {
    let mut place = Place::new().started();
    let calm = place.client().run_episode(&wish("calm", "household:16"));
    let calm = essence(calm.unwrap());
    let (once, wanted) = (place.client_once(), wish("ended", "household:16"));
    let mut interrupted = 0;
    let episode = loop {
        let had = steps(&place, "ended");
        let ended = std::thread::scope(|scope| {
            let player = scope.spawn(|| once.run_episode(&wanted));
            if more_steps(&mut place, "ended", had, 1) {
                assert!(place.stop(), "{}", place.log());
            }
            player.join().unwrap()
        });
        match ended {
            Ok(episode) => break episode,
            Err(ClientError::Refused { status, code, .. }) => {
                assert_eq!((status, &*code), (503, "closing"));
                interrupted += 1;
            }
            Err(other) => panic!("{other}"),
        }
        place.start();
    };
    assert!(interrupted > 0);
    if !place.is_running() {
        place.start();
    }
    check(&place, "ended", episode, &calm);
}

#[test]
fn deleting_its_agent_ends_an_episode() {
    let mut place = Place::new().started();
    let (once, wanted) = (place.client_once(), wish("gone", "household:16"));
    let ended = std::thread::scope(|scope| {
        let player = scope.spawn(|| once.run_episode(&wanted));
        assert!(more_steps(&mut place, "gone", 0, 1));
        place.client().delete("gone").unwrap();
        player.join().unwrap()
    });
    let Err(ClientError::Refused { status, code, .. }) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!((status, &*code), (404, "no_agent"));
    // Its id is free, and nothing of it is left.
    let again = place.client().run_episode(&wanted).unwrap();
    assert_eq!(again.steps[0].step, 1);
    let fresh = place.client().run_episode(&wish("new", "household:16"));
    assert_eq!(essence(again), essence(fresh.unwrap()));
}
