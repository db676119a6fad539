//! `stride-eval bench-world`: how long a world takes to load a game and to answer a step.
//!
//! Worlds that list their admissible commands are exercised with random ones ([`bench()`]); ScienceWorld, where listing them is
//! slow, with recorded actions ([`recorded`]).

mod peer;
pub mod recorded;

use std::fmt;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use stride_agent::environment::{Environment, EnvironmentError};
use stride_agent::text::chain;

use crate::error::EvalError;
use crate::statistics::Spread;
use crate::stop::Stop;
use crate::table::Table;
use crate::world::Games;

/// How the world is exercised.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Indices of the games.
    pub games: Vec<usize>,
    /// Random admissible commands per game.
    pub steps: u32,
    /// Seed of the commands.
    pub seed: u64,
}

/// The figures of another engine for the same work.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Peer {
    /// Seconds to load a game.
    pub load_s: f64,
    /// Milliseconds of one step with its list of admissible commands.
    pub step_ms: f64,
}

/// TextWorld 1.7 with ALFWorld 0.4.2, as the project measured them on a 2-core x86-64 machine: loading a game, and one
/// step with its admissible commands. On another machine measure them there, and pass `--peer-load-s` and `--peer-step-ms`.
impl Default for Peer {
    fn default() -> Self {
        Self {
            load_s: 0.72,
            step_ms: 44.0,
        }
    }
}

/// What was measured. Loading is reading, parsing and compiling a game up to its first text and command list; a step is
/// the answer to one command and the new command list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timings {
    /// Games that were loaded.
    pub games: usize,
    /// Milliseconds to load a game.
    pub load_ms: Spread,
    /// Milliseconds of a step.
    pub step_ms: Spread,
    /// The other engine.
    pub peer: Peer,
    /// Peer's load time over our median.
    pub load_ratio: f64,
    /// Peer's step time over our median.
    pub step_ratio: f64,
    /// Stopped before the last game.
    pub partial: bool,
}

/// Loads and plays games. `played` is told after each game.
///
/// # Errors
/// When a game cannot be played, or there was nothing to measure.
pub fn bench(
    plan: &Plan,
    games: &dyn Games,
    peer: Peer,
    stop: &Stop,
    mut played: impl FnMut(),
) -> Result<Timings, EvalError> {
    let mut loads = Vec::new();
    let mut steps = Vec::new();
    for &index in &plan.games {
        let seed = plan.seed.wrapping_add(index as u64);
        let rng = ChaCha8Rng::seed_from_u64(seed);
        exercise(games, index, plan.steps, rng, &mut loads, &mut steps).map_err(|source| {
            EvalError::Episode {
                message: format!("{}: {}", games.label(index).id, chain(&source)),
            }
        })?;
        played();
        // Asked behind a game, so that even the earliest stop leaves something measured.
        if stop.requested() {
            break;
        }
    }
    let nothing = || EvalError::NoGames {
        world: "the selection".into(),
    };
    let millis = |times: &[Duration]| {
        Spread::of(times.iter().map(|time| time.as_secs_f64() * 1000.0)).ok_or_else(nothing)
    };
    let (load_ms, step_ms) = (millis(&loads)?, millis(&steps)?);
    Ok(Timings {
        games: loads.len(),
        load_ms,
        step_ms,
        peer,
        load_ratio: peer.load_s * 1000.0 / load_ms.p50,
        step_ratio: peer.step_ms / step_ms.p50,
        partial: loads.len() < plan.games.len(),
    })
}

/// One game: loaded once, then played with random commands; an episode that ends begins again.
fn exercise(
    games: &dyn Games,
    index: usize,
    steps: u32,
    mut rng: ChaCha8Rng,
    loads: &mut Vec<Duration>,
    times: &mut Vec<Duration>,
) -> Result<(), EnvironmentError> {
    let begin = Instant::now();
    let mut world = games.open(index)?;
    world.reset()?;
    let mut choices = choices(&mut *world)?;
    loads.push(begin.elapsed());
    for _ in 0..steps {
        let action = choices
            .choose(&mut rng)
            .map_or("look", String::as_str)
            .to_owned();
        let begin = Instant::now();
        let outcome = world.step(&action)?;
        choices = self::choices(&mut *world)?;
        times.push(begin.elapsed());
        if outcome.done {
            world.reset()?;
            choices = self::choices(&mut *world)?;
        }
    }
    Ok(())
}

fn choices(world: &mut dyn Environment) -> Result<Vec<String>, EnvironmentError> {
    world
        .admissible()
        .ok_or_else(|| EnvironmentError::new("the world lists no admissible commands"))
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.partial {
            writeln!(f, "PARTIAL: stopped after {} games", self.games)?;
        }
        let mut table = Table::new(&[
            "",
            "count",
            "median",
            "p99",
            "max",
            "peer",
            "peer / median",
            "peer / p99",
        ]);
        let mut row = |name: &str, ours: &Spread, peer_ms: f64, ratio: f64| {
            table.row([
                name.to_owned(),
                ours.count.to_string(),
                format!("{:.3} ms", ours.p50),
                format!("{:.3} ms", ours.p99),
                format!("{:.3} ms", ours.max),
                format!("{peer_ms:.0} ms"),
                format!("{ratio:.0} x"),
                format!("{:.0} x", peer_ms / ours.p99),
            ]);
        };
        row(
            "load",
            &self.load_ms,
            self.peer.load_s * 1000.0,
            self.load_ratio,
        );
        row("step", &self.step_ms, self.peer.step_ms, self.step_ratio);
        write!(f, "{table}")?;
        if self.peer == Peer::default() {
            writeln!(
                f,
                "peer: TextWorld 1.7.0 / ALFWorld 0.4.2 on a 2-core x86-64 machine (--peer-load-s, --peer-step-ms for yours)"
            )
        } else {
            writeln!(f, "peer: as given by --peer-load-s and --peer-step-ms")
        }
    }
}
