//! The program `stride-convert`: reads the command line, calls the library, prints.
//!
//! Exit codes: 0 done, 1 refused or failed (the reason is on stderr), 2 wrong usage, 130 interrupted (nothing is left).
//! Those of `diff`: 0 the same, 1 different, 2 wrong usage or unreadable.

mod commands;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use commands::{Answer, Command};

/// Turns trained policies into GGUF files and looks into them.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted; diff: 0 same, 1 different, 2 could not compare.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What shells report for a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let handled = ctrlc::set_handler(|| {
        stride_convert::output::abandon();
        std::process::exit(INTERRUPTED);
    });
    if let Err(error) = handled {
        // The work can still be done; only an interruption would leave a temporary file.
        eprintln!("stride-convert: warning: cannot listen for interruptions: {error}");
    }
    let command = Arguments::parse().command;
    let failure = command.failure();
    match command.run() {
        Ok(answer) => print(&answer),
        Err(error) => {
            if let Some(usage) = error.downcast_ref::<clap::Error>() {
                usage.exit();
            }
            eprintln!("stride-convert: {}", message(&error));
            failure.into()
        }
    }
}

/// The error and its causes, but for those that the text before has told already.
fn message(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Prints to stdout. A reader that has closed the pipe (`| head`) has seen enough: no failure.
fn print(answer: &Answer) -> ExitCode {
    match io::stdout().lock().write_all(answer.text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("stride-convert: cannot print: {error}");
            ExitCode::FAILURE
        }
        _ if answer.good => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
