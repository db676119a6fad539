//! The program `stride-eval`: reads the command line, calls the library, prints.
//!
//! Exit codes: 0 ok, 1 failure (lost, mismatches, broken or partial runs, errors), 2 wrong usage.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use stride_agent::text::chain;

fn main() -> ExitCode {
    match cli::Arguments::parse().execute() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stride-eval: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
