//! Writes a checkpoint directory with a small model of random weights.
//!
//! `cargo run -p stride-convert --example random_model -- DIR [SEED]`

use std::path::Path;
use std::process::ExitCode;

use stride_convert::fixtures::RandomModel;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut model = RandomModel::default();
    let directory = match &arguments[..] {
        [directory] => directory,
        [directory, seed] => match seed.parse() {
            Ok(seed) => {
                model.seed = seed;
                directory
            }
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    match model.write(Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {directory}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: random_model DIR [SEED]");
    ExitCode::from(2)
}
