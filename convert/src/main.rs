//! The program `stride-convert`: reads the command line, calls the library, prints.
//!
//! Exit codes: 0 done, 1 refused or failed (the reason is on stderr), 2 wrong usage.

mod commands;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use commands::{Answer, Command};

/// Turns trained policies into GGUF files and looks into them.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(answer) => print(&answer),
        Err(error) => {
            eprintln!("stride-convert: {error:#}");
            ExitCode::FAILURE
        }
    }
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
