//! The commands of the program, one file each: what they take from the command line, and what they answer.
//!
//! A command is a `clap` struct with a method `run`. It says nothing on stdout itself: what it returns is printed, and
//! decides the exit code.

mod card;
mod dequantize;
mod diff;
mod export;
mod imatrix;
mod inspect;
mod lora;
mod outputs;
mod progress;
mod requantize;
mod shown;
mod verify;

use clap::Subcommand;

pub use progress::{bar, work_bar};

/// What a command has to say, and whether that is what the user hoped for.
pub struct Answer {
    /// Goes to stdout.
    pub text: String,
    /// False for an answer that scripts should stop at: exit code 1.
    pub good: bool,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, good: true }
    }
}

/// All commands.
#[derive(Subcommand)]
pub enum Command {
    Export(export::Export),
    Requantize(requantize::Requantize),
    Dequantize(dequantize::Dequantize),
    Diff(diff::Diff),
    Inspect(inspect::Inspect),
    Card(card::Card),
    Lora(lora::Lora),
    Imatrix(imatrix::Imatrix),
    Verify(verify::Verify),
}

impl Command {
    /// The exit code of a failure. Where 1 already means "they differ", it is 2, as with diff(1) and cmp(1).
    pub const fn failure(&self) -> u8 {
        match self {
            Self::Diff(_) => 2,
            _ => 1,
        }
    }

    /// Does the command.
    pub fn run(self) -> anyhow::Result<Answer> {
        match self {
            Self::Export(command) => command.run(),
            Self::Requantize(command) => command.run(),
            Self::Dequantize(command) => command.run(),
            Self::Diff(command) => command.run(),
            Self::Inspect(command) => command.run(),
            Self::Card(command) => command.run(),
            Self::Lora(command) => command.run(),
            Self::Imatrix(command) => command.run(),
            Self::Verify(command) => command.run(),
        }
    }
}
