//! Power cuts: what was not synced is gone. The file ahead of the database is cut after a `kill -9` as the disk could hold it, and
//! every acknowledged step must be there after the next start, with the answer that was given.

use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use stride_client::api::StepRequest;

use crate::killed::{kills, under_load};
use crate::play::{begin, ending, episode, essence, next};
use crate::support::Place;

/// Bytes in front of the entries, and in front of each body (see `store/ahead/frame.rs`).
pub const MAGIC: usize = 8;
const HEAD: usize = 16;

/// Bytes of an agent's id, behind the kind of an entry.
const ID: usize = 32;

const INTENT: u8 = 0;

/// Entries of the file: kind, agent, end.
pub fn entries(file: &[u8]) -> Vec<(u8, [u8; ID], usize)> {
    let mut entries = Vec::new();
    let mut at = MAGIC;
    while let Some(head) = file.get(at..at + HEAD) {
        let length: [u8; 4] = head[..4].try_into().unwrap();
        let body = at + HEAD;
        let end = body + usize::try_from(u32::from_le_bytes(length)).unwrap();
        if end > file.len() {
            break;
        }
        let agent = file[body + 1..=body + ID].try_into().unwrap();
        entries.push((file[body], agent, end));
        at = end;
    }
    entries
}

/// Up to where the file was surely synced, if everything in it was acknowledged that may have been: an answer was given after its
/// intent was synced, or, where it has none, after itself was.
fn synced(file: &[u8]) -> usize {
    let entries = entries(file);
    let mut synced = MAGIC;
    for (at, (kind, agent, end)) in entries.iter().enumerate() {
        if *kind != INTENT {
            let before = &entries[..at];
            let last = before.iter().rev().find(|(_, of, _)| of == agent);
            let safe = match last {
                Some((INTENT, _, intended)) => *intended,
                _ => *end,
            };
            synced = synced.max(safe);
        }
    }
    synced.min(file.len())
}

/// What a power cut leaves of the end that was not synced.
#[derive(Clone, Copy)]
enum Left {
    Nothing,
    Half,
    Garbage,
}

/// What the last cut left: it is on disk, whoever reads it or writes behind it. A daemon that is killed while it makes a step again
/// has given no answer in this life, but one may have been given in the life before.
#[derive(Default)]
struct Disk(HashSet<Vec<u8>>);

impl Disk {
    /// Up to where the file is what was left, or was rewritten from it (with other numbers, which stand in the heads).
    fn holds(&self, file: &[u8]) -> usize {
        let mut held = MAGIC;
        for (.., end) in entries(file) {
            if !self.0.contains(&file[held + HEAD..end]) {
                break;
            }
            held = end;
        }
        held.min(file.len())
    }

    fn left(&mut self, file: &[u8]) {
        let mut start = MAGIC;
        self.0.clear();
        for (.., end) in entries(file) {
            self.0.insert(file[start + HEAD..end].to_vec());
            start = end;
        }
    }
}

/// Takes the power from a killed daemon; returns how many answers that takes.
fn cut(place: &Place, left: Left, disk: &mut Disk, dice: &mut ChaCha8Rng) -> usize {
    let path = place.path("state").join("agents.ahead");
    let mut file = fs::read(&path).unwrap();
    let (before, from) = (entries(&file), synced(&file).max(disk.holds(&file)));
    let end = file.len();
    match left {
        Left::Nothing => file.truncate(from),
        Left::Half => file.truncate(dice.random_range(from..=end)),
        Left::Garbage => dice.fill(&mut file[from..]),
    }
    fs::write(&path, &file).unwrap();
    let kept = match left {
        Left::Garbage => from,
        _ => file.len(),
    };
    disk.left(&file[..kept]);
    let gone = before.iter().filter(|(.., end)| *end > kept);
    gone.filter(|(kind, ..)| *kind != INTENT).count()
}

#[test]
fn acknowledged_steps_outlive_power_cuts_under_load() {
    let mut place = Place::new().started();
    let kills = kills();
    let mut dice = ChaCha8Rng::seed_from_u64(u64::from(kills) + 2);
    let (mut gone, mut disk) = (0, Disk::default());
    let (episodes, steps) = under_load(&mut place, |place, acknowledged| {
        for kill in 0..kills {
            let before = acknowledged.load(Ordering::Relaxed);
            place.wait_until("past a step", |_| {
                acknowledged.load(Ordering::Relaxed) > before
            });
            std::thread::sleep(Duration::from_millis(dice.random_range(0..100)));
            place.kill();
            let left = [Left::Nothing, Left::Half, Left::Garbage][kill as usize % 3];
            gone += cut(place, left, &mut disk, &mut dice);
            place.spawn();
        }
    });
    let again = place.log().matches("was made again").count();
    println!(
        "{kills} power cuts took {gone} answers, {again} steps made again; {episodes} episodes, {steps} steps: none lost, none twice"
    );
    assert!(gone > 0 && again >= gone, "{gone} {again}");
    assert!(!place.log().contains("by another policy"));
    assert!(place.stop());
}

/// One client, the power cut after every step: each answer comes again.
#[test]
fn every_answer_comes_again_after_a_power_cut() {
    let mut place = Place::new().started();
    let calm = episode(&place.client(), "calm", 5, 6);
    let client = place.client();
    let (mut world, mut request) = begin(&client, "cut", 5);
    let mut dice = ChaCha8Rng::seed_from_u64(5);
    let (mut answers, mut gone, mut disk) = (Vec::new(), 0, Disk::default());
    loop {
        request.request_id = format!("step-{}", answers.len());
        let answer = client.step("cut", &request).unwrap();
        place.kill();
        gone += cut(&place, Left::Nothing, &mut disk, &mut dice);
        place.spawn();
        let again = client.step("cut", &request).unwrap();
        assert_eq!(essence(&again), essence(&answer));
        answers.push(essence(&answer));
        match next(&mut world, &answer, 6) {
            ControlFlow::Continue(then) => request = then,
            ControlFlow::Break(()) => break,
        }
    }
    assert_eq!(answers, calm);
    assert!(ending(&answers).is_some());
    // All but the end of the episode, which is synced itself.
    assert_eq!(gone, answers.len() - 1);
    assert!(place.stop());
}

/// A policy with other settings may answer otherwise. The agent goes on, and it is said.
#[test]
fn another_policy_is_told_after_a_power_cut() {
    let mut place = Place::new().started();
    let client = place.client();
    let (_, mut request) = begin(&client, "a", 3);
    request.request_id = "r1".into();
    client.step("a", &request).unwrap();
    place.kill();
    assert_eq!(
        cut(
            &place,
            Left::Nothing,
            &mut Disk::default(),
            &mut ChaCha8Rng::seed_from_u64(0)
        ),
        1
    );
    let mut place = place.with(&["--threads", "2"]).started();
    let again = client.step("a", &request).unwrap();
    assert_eq!((again.step, client.get("a").unwrap().steps), (1, 1));
    assert_eq!(place.metric("stride_steps_recovered_otherwise_total"), 1.0);
    assert!(place.log().contains("by another policy"));
    // Nothing is left to be made at the start after that.
    assert!(place.stop());
    place.start();
    assert_eq!(place.metric("stride_steps_recovered_total"), 0.0);
}

/// Where it is wished, or where answers may differ in the last bits, nothing hangs on their coming again.
#[test]
fn answers_are_synced_where_it_is_wished() {
    let mut place = Place::new()
        .with_settings("sync_answers = true\n")
        .started();
    let client = place.client();
    let (_, request) = begin(&client, "a", 3);
    for n in 0..3 {
        let request = StepRequest {
            request_id: format!("r{n}"),
            ..request.clone()
        };
        let answer = client.step("a", &request).unwrap();
        place.kill();
        let file = fs::read(place.path("state").join("agents.ahead")).unwrap();
        assert!(entries(&file).iter().all(|(kind, ..)| *kind != INTENT));
        assert_eq!(synced(&file), file.len());
        place.spawn();
        assert_eq!(client.step("a", &request).unwrap(), answer);
    }
}
