//! One thread and one policy each, over a shared list of games.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use stride_agent::policy::Policy;
use stride_agent::text::chain;
use stride_agent::transition::Transition;

use super::{Plan, Sink};
use crate::episode::{self, Episode, Origin};
use crate::error::EvalError;
use crate::stop::Stop;
use crate::world::Games;

/// What a player reports: a finished episode with its place in the plan, or why it cannot play at all.
type Played = Result<(usize, Episode, Vec<Transition>), EvalError>;

/// What all players share.
struct Table<'a> {
    plan: &'a Plan,
    games: &'a dyn Games,
    next: AtomicUsize,
    stop: &'a Stop,
}

/// Plays the games of a plan and returns the episodes in its order: all of them, or the first ones and whatever else was
/// finished when `stop` was uttered.
///
/// # Errors
/// When a policy cannot be made or the sink cannot store what it gets. A game or a call that breaks is no error here but
/// an episode that ended in one.
pub fn run<P, F>(
    plan: &Plan,
    games: &dyn Games,
    make_policy: F,
    stop: &Stop,
    sink: &mut dyn Sink,
) -> Result<Vec<Episode>, EvalError>
where
    P: Policy,
    F: Fn() -> Result<P, EvalError> + Sync,
{
    let table = Table {
        plan,
        games,
        next: AtomicUsize::new(0),
        stop,
    };
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..plan.jobs.get().min(plan.games.len()) {
            let sender = sender.clone();
            let table = &table;
            let make_policy = &make_policy;
            scope.spawn(move || table.sit_down(make_policy, &sender));
        }
        drop(sender);
        let collected = collect(&receiver, sink);
        if collected.is_err() {
            // Nobody listens any more: let the others finish their episode and go.
            stop.request();
        }
        collected
    })
}

impl Table<'_> {
    fn sit_down<P: Policy>(
        &self,
        make_policy: &dyn Fn() -> Result<P, EvalError>,
        sender: &Sender<Played>,
    ) {
        let mut policy = match make_policy() {
            Ok(policy) => policy,
            Err(error) => {
                // A closed channel means that the run has failed already.
                let _ = sender.send(Err(error));
                return;
            }
        };
        while !self.stop.requested() {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&index) = self.plan.games.get(place) else {
                return;
            };
            let (episode, transitions) = self.play(index, &mut policy);
            if sender.send(Ok((place, episode, transitions))).is_err() {
                return;
            }
        }
    }

    fn play<P: Policy>(&self, index: usize, policy: &mut P) -> (Episode, Vec<Transition>) {
        let label = &self.games.label(index);
        match self.games.open(index) {
            Ok(mut world) => episode::measure(label, &mut *world, policy, &self.plan.rules),
            Err(error) => {
                let broken = Episode::broken(label, Origin::World, chain(&error));
                (broken, Vec::new())
            }
        }
    }
}

/// Hands episodes on in the order of the plan, holding back those that were faster than an earlier one.
fn collect(receiver: &Receiver<Played>, sink: &mut dyn Sink) -> Result<Vec<Episode>, EvalError> {
    let mut early = BTreeMap::new();
    let mut episodes = Vec::new();
    let mut hand_on = |episode: Episode, transitions: Vec<Transition>| {
        sink.episode(&episode, &transitions)?;
        episodes.push(episode);
        Ok::<(), EvalError>(())
    };
    let mut next = 0;
    for played in receiver {
        let (place, episode, transitions) = played?;
        early.insert(place, (episode, transitions));
        while let Some((episode, transitions)) = early.remove(&next) {
            hand_on(episode, transitions)?;
            next += 1;
        }
    }
    // After an early stop there are gaps: what lies behind them was played all the same.
    for (episode, transitions) in early.into_values() {
        hand_on(episode, transitions)?;
    }
    Ok(episodes)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use stride_agent::agent::Limits;
    use stride_agent::environment::EnvironmentError;

    use super::*;
    use crate::episode::{End, Rules};
    use crate::testing::{Corridor, Walker};
    use crate::world::{Game, GameLabel};

    /// Corridors of 1, 2, 3, ... steps; every fifth is blocked.
    struct Corridors(usize);

    impl Games for Corridors {
        fn len(&self) -> usize {
            self.0
        }

        fn label(&self, index: usize) -> GameLabel {
            GameLabel::new(index.to_string(), "walk")
        }

        fn open(&self, index: usize) -> Result<Box<dyn Game + '_>, EnvironmentError> {
            if index % 5 == 4 {
                return Err(EnvironmentError::new("blocked"));
            }
            Ok(Box::new(Corridor::new(u32::try_from(index).unwrap() + 1)))
        }
    }

    #[derive(Default)]
    struct Seen(Vec<(String, usize)>, Option<(usize, Stop)>);

    impl Sink for Seen {
        fn episode(&mut self, e: &Episode, t: &[Transition]) -> Result<(), EvalError> {
            self.0.push((e.game.clone(), t.len()));
            if let Some((after, stop)) = &self.1
                && self.0.len() == *after
            {
                stop.request();
            }
            Ok(())
        }
    }

    fn plan(games: usize, jobs: usize) -> Plan {
        Plan {
            games: (0..games).collect(),
            rules: Rules {
                limits: Limits::default(),
                max_actions: 50,
                record: true,
            },
            jobs: NonZeroUsize::new(jobs).unwrap(),
        }
    }

    fn strip(mut episodes: Vec<Episode>) -> Vec<Episode> {
        for step in episodes.iter_mut().flat_map(|e| &mut e.costs) {
            step.policy_micros = 0;
            step.world_micros = 0;
        }
        episodes
    }

    #[test]
    fn any_number_of_jobs_gives_the_same_run() {
        let games = Corridors(23);
        let play = |jobs| {
            let mut seen = Seen::default();
            let make = || Ok(Walker);
            let episodes = super::run(&plan(23, jobs), &games, make, &Stop::new(), &mut seen);
            (strip(episodes.unwrap()), seen.0)
        };
        let (alone, seen) = play(1);
        assert_eq!(alone.len(), 23);
        assert!(matches!(alone[4].end, End::Error { .. }));
        assert_eq!(seen[2], ("2".to_owned(), 7));
        assert_eq!(play(4), (alone, seen));
    }

    #[test]
    fn a_stop_keeps_what_was_played() {
        let games = Corridors(1000);
        let stop = Stop::new();
        let mut seen = Seen(Vec::new(), Some((3, stop.clone())));
        let make = || Ok(Walker);
        let episodes = super::run(&plan(1000, 2), &games, make, &stop, &mut seen).unwrap();
        assert!((3..1000).contains(&episodes.len()), "{}", episodes.len());
        assert_eq!(episodes.len(), seen.0.len());
    }

    #[test]
    fn a_policy_that_cannot_be_made_ends_the_run() {
        let games = Corridors(3);
        let make = || Err::<Walker, _>(EvalError::policy("no file"));
        let refused = super::run(
            &plan(3, 2),
            &games,
            make,
            &Stop::new(),
            &mut Seen::default(),
        );
        assert!(refused.unwrap_err().to_string().contains("no file"));
    }
}
