//! The program that plays: `stride-eval run` as a child.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use stride_agent::transition::Transition;

use super::CollectOptions;
use super::world::TrainingWorld;
use crate::data;
use crate::error::{Result, TrainError};

/// The variable that names the program.
pub const VARIABLE: &str = "STRIDE_EVAL";

/// Some games to be played one time.
pub(super) struct Job<'a> {
    pub(super) world: &'a TrainingWorld,
    pub(super) options: &'a CollectOptions,
    /// Where their transitions are recorded. A player that outlives a killed parent still writes to it, so no other process uses it.
    pub(super) record: PathBuf,
    /// The first game.
    pub(super) first: usize,
    /// How many there are.
    pub(super) games: usize,
}

/// `stride-eval`, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    program: PathBuf,
}

impl Player {
    /// The program that is named, or in the variable [`VARIABLE`], or beside this program, or in the search path.
    #[must_use]
    pub fn find(named: Option<PathBuf>) -> Self {
        let beside = || {
            let folder = std::env::current_exe().ok()?.parent()?.to_owned();
            let file = folder.join("stride-eval");
            file.is_file().then_some(file)
        };
        let program = named
            .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from))
            .or_else(beside)
            .unwrap_or_else(|| PathBuf::from("stride-eval"));
        Self { program }
    }

    /// Plays the games of a job once and returns their transitions; `None` when it was stopped.
    ///
    /// # Errors
    /// When the program cannot be started or ends without having played.
    pub(super) fn play(
        &self,
        job: &Job<'_>,
        seed: u64,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Transition>>> {
        let Job {
            world,
            options,
            record,
            first,
            games,
        } = job;
        let arguments: Vec<OsString> = vec![
            "run".into(),
            "--policy".into(),
            options.policy.clone().into(),
            "--world".into(),
            world.to_string().into(),
            "--skip".into(),
            first.to_string().into(),
            "--games".into(),
            games.to_string().into(),
            "--temperature".into(),
            options.temperature.clone().into(),
            "--seed".into(),
            seed.to_string().into(),
            "--max-actions".into(),
            options.max_actions.to_string().into(),
            "--jobs".into(),
            options.jobs.to_string().into(),
            "--record".into(),
            record.clone().into(),
        ];
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null());
        if options.constrain {
            command.arg("--constrain");
        }
        // Its table goes nowhere, its complaints to ours.
        let ended = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| TrainError::Player {
                program: self.program.clone(),
                reason: format!(
                    "cannot be started: {error}; build it (cargo build --release -p stride-evaluate) and name it with --evaluator or \
                     {VARIABLE}"
                ),
            })?;
        if stop.load(Ordering::Relaxed) {
            // Nobody reads it, and it goes with its folder.
            let _ = std::fs::remove_file(record);
            return Ok(None);
        }
        // 1 means that some episodes broke or were lost; what was recorded counts.
        if !matches!(ended.status.code(), Some(0 | 1)) || !record.is_file() {
            let said = String::from_utf8_lossy(&ended.stderr);
            // Where the program says what is wrong; a hint at its help may follow.
            let mut lines = said.trim().lines();
            let why = lines
                .clone()
                .find(|line| line.to_ascii_lowercase().starts_with("error"))
                .or_else(|| lines.next_back())
                .unwrap_or("nothing");
            return Err(TrainError::Player {
                program: self.program.clone(),
                reason: format!("ended with {}: {why}", ended.status),
            });
        }
        let mut transitions = Vec::new();
        data::visit(record, |_, transition| {
            transitions.push(transition);
            Ok(())
        })?;
        std::fs::remove_file(record).map_err(TrainError::io(record))?;
        Ok(Some(transitions))
    }
}
