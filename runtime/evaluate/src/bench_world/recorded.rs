//! ScienceWorld with recorded actions: natively, and through the official Python package in the same run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use stride_environments::scienceworld::{Jar, Settings, Simulator, SimulatorError, Transcript};

use super::peer;
use crate::error::EvalError;
use crate::replay::Portion;
use crate::statistics::Spread;
use crate::stop::Stop;
use crate::table::Table;
use crate::world::WorldError;

/// What is played.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file of transcripts.
    pub transcripts: PathBuf,
    /// Which of them.
    pub portion: Portion,
    /// A Python that has the official package, to be timed on the same actions.
    pub peer: Option<PathBuf>,
}

/// What was measured. Loading is from the request to the first room; a step is the answer with room, inventory and score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timings {
    /// Games that were played.
    pub games: usize,
    /// Milliseconds from nothing to a simulator that listens.
    pub start_ms: f64,
    /// Milliseconds to load a game.
    pub load_ms: Spread,
    /// Milliseconds of a step.
    pub step_ms: Spread,
    /// The official package, if it was asked.
    pub peer: Option<PeerTimings>,
    /// Stopped before the last game.
    pub partial: bool,
}

/// The official package on the same actions. Its step always lists the valid actions too; that cannot be switched off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeerTimings {
    /// The Python that ran it.
    pub python: String,
    /// Games that it played.
    pub games: usize,
    /// Steps that it played.
    pub steps: usize,
    /// Mean milliseconds to load a game.
    pub load_ms: f64,
    /// Mean milliseconds of a step.
    pub step_ms: f64,
    /// Its load over our mean.
    pub load_ratio: f64,
    /// Its step over our mean.
    pub step_ratio: f64,
    /// Games that ended with the same score on both sides.
    pub same_scores: usize,
}

/// Times of our side.
#[derive(Default)]
struct Played {
    loads: Vec<Duration>,
    steps: Vec<Duration>,
    scores: Vec<i32>,
    partial: bool,
}

/// Plays recorded actions, here and with the peer. `played` is told after each game of ours.
///
/// # Errors
/// When the simulator, the transcripts or the peer cannot be used, or nothing was there to be played.
pub fn bench(plan: &Plan, stop: &Stop, played: impl FnMut()) -> Result<Timings, EvalError> {
    let settings = Settings::find().map_err(WorldError::from)?;
    let begin = Instant::now();
    let mut simulator = Simulator::start(settings).map_err(WorldError::from)?;
    let start_ms = millis(begin.elapsed());
    let ours = play(plan, &mut simulator, stop, played)?;
    // Its memory is the peer's now.
    drop(simulator);
    let nothing = || EvalError::NoGames {
        world: plan.transcripts.display().to_string(),
    };
    let spread =
        |times: &[Duration]| Spread::of(times.iter().map(|time| millis(*time))).ok_or_else(nothing);
    let (load_ms, step_ms) = (spread(&ours.loads)?, spread(&ours.steps)?);
    let peer = match &plan.peer {
        Some(python) if !ours.partial => Some(ask(plan, python, &ours.scores, load_ms, step_ms)?),
        _ => None,
    };
    Ok(Timings {
        games: ours.loads.len(),
        start_ms,
        load_ms,
        step_ms,
        peer,
        partial: ours.partial,
    })
}

fn play(
    plan: &Plan,
    simulator: &mut Simulator,
    stop: &Stop,
    mut told: impl FnMut(),
) -> Result<Played, EvalError> {
    let mut played = Played::default();
    for transcript in plan.portion.of(&plan.transcripts)? {
        // Asked behind a game, so that even the earliest stop leaves something measured.
        if stop.requested() && !played.loads.is_empty() {
            played.partial = true;
            break;
        }
        one(&transcript?, simulator, &mut played)?;
        told();
    }
    Ok(played)
}

fn one(
    transcript: &Transcript,
    simulator: &mut Simulator,
    played: &mut Played,
) -> Result<(), EvalError> {
    let broken = |error: SimulatorError| EvalError::from(WorldError::from(error));
    let id = transcript.episode().map_err(|error| EvalError::Episode {
        message: error.to_string(),
    })?;
    let begin = Instant::now();
    simulator.load(id, false).map_err(broken)?;
    simulator.look().map_err(broken)?;
    played.loads.push(begin.elapsed());
    let mut score = 0;
    for step in &transcript.steps {
        let begin = Instant::now();
        score = simulator.step(&step.action).map_err(broken)?.score;
        played.steps.push(begin.elapsed());
    }
    played.scores.push(score);
    Ok(())
}

fn ask(
    plan: &Plan,
    python: &Path,
    scores: &[i32],
    load_ms: Spread,
    step_ms: Spread,
) -> Result<PeerTimings, EvalError> {
    let jar = Jar::find().map_err(|error| WorldError::from(SimulatorError::from(error)))?;
    let theirs = peer::play(python, jar.path(), &plan.transcripts, plan.portion)?;
    let mean = |seconds: f64, count: usize| seconds * 1000.0 / count.max(1) as f64;
    let (load, step) = (
        mean(theirs.load_s, theirs.games),
        mean(theirs.seconds, theirs.steps),
    );
    let pairs = scores.iter().zip(&theirs.scores);
    Ok(PeerTimings {
        python: python.display().to_string(),
        games: theirs.games,
        steps: theirs.steps,
        load_ms: load,
        step_ms: step,
        load_ratio: load / load_ms.mean,
        step_ratio: step / step_ms.mean,
        same_scores: pairs.filter(|(ours, theirs)| ours == theirs).count(),
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.partial {
            writeln!(f, "PARTIAL: stopped after {} games", self.games)?;
        }
        let titles = [
            "", "count", "mean", "median", "p99", "max", "official", "ratio",
        ];
        let shown = if self.peer.is_some() { titles.len() } else { 6 };
        let mut table = Table::new(&titles[..shown]);
        let mut row = |name: &str, ours: &Spread, peer: Option<(f64, f64)>| {
            let mut cells = vec![name.to_owned(), ours.count.to_string()];
            let times = [ours.mean, ours.p50, ours.p99, ours.max];
            cells.extend(times.map(|time| format!("{time:.2} ms")));
            if let Some((theirs, ratio)) = peer {
                cells.extend([format!("{theirs:.2} ms"), format!("{ratio:.2} x")]);
            }
            table.row(cells);
        };
        let peer = self.peer.as_ref();
        row(
            "load",
            &self.load_ms,
            peer.map(|peer| (peer.load_ms, peer.load_ratio)),
        );
        row(
            "step",
            &self.step_ms,
            peer.map(|peer| (peer.step_ms, peer.step_ratio)),
        );
        write!(f, "{table}")?;
        writeln!(f, "the simulator started in {:.0} ms", self.start_ms)?;
        if let Some(peer) = peer {
            writeln!(
                f,
                "official: {} games and {} steps by the Python package (means; its step lists the valid actions too); same last \
                 score in {} of {} games",
                peer.games, peer.steps, peer.same_scores, self.games
            )?;
        }
        Ok(())
    }
}
