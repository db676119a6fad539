//! The program `stride-convert`: reads the command line, calls the library, prints.
//!
//! Exit codes: 0 done, 1 refused or failed (the reason is on stderr), 2 wrong usage.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use stride_convert::export;
use stride_convert::inspect::{self, Page};
use stride_convert::quantize::{Recipe, TypeChoice, TypeOverride};
use stride_convert::report::{Report, TensorReport};
use stride_convert::source::Checkpoint;

/// Turns trained policies into GGUF files and looks into them.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Convert a checkpoint directory (config.json, tokenizer.json, model.safetensors, stride.json) to GGUF.
    Export {
        /// The checkpoint directory.
        directory: PathBuf,
        /// The file to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Type of the matrices: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1 or q4_0. Vectors stay f32; rows that do not
        /// divide into blocks of 32 become f16; below q8_0 the matrix that makes the logits becomes q8_0.
        #[arg(short, long = "type", value_name = "TYPE", default_value_t = Recipe::Q8_0)]
        recipe: Recipe,
        /// Another type for the matrices whose GGUF name matches a regular expression anywhere, for example
        /// ffn_down=q8_0; may stand several times, the first that matches wins.
        #[arg(long = "tensor-type", value_name = "PATTERN=TYPE")]
        overrides: Vec<TypeOverride>,
        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
        /// Check everything but the weights, print what would be written, write nothing.
        #[arg(long)]
        dry_run: bool,
        /// Print one line per tensor: type, bytes, how far storing moved the weights.
        #[arg(short, long)]
        verbose: bool,
    },
    /// Print the metadata and tensors of a GGUF file.
    Inspect {
        /// The file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Print whole arrays and strings.
        #[arg(long)]
        all: bool,
    },
    /// Print the model card that is stored in a GGUF file.
    Card {
        /// The file.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(text) => print(&text),
        Err(error) => {
            eprintln!("stride-convert: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to stdout. A reader that has closed the pipe (`| head`) has seen enough: no failure.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("stride-convert: cannot print: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Does the command and returns what goes to stdout.
fn run(command: Command) -> Result<String> {
    match command {
        Command::Export {
            directory,
            output,
            recipe,
            overrides,
            force,
            dry_run,
            verbose,
        } => {
            let types = TypeChoice { recipe, overrides };
            let checkpoint = Checkpoint::open(&directory)
                .with_context(|| format!("cannot convert {}", directory.display()))?;
            if checkpoint.policy.is_none() {
                eprintln!(
                    "stride-convert: warning: no stride.json, so the file will not say which prompt layout it speaks"
                );
            }
            let config = &checkpoint.config;
            if let Some(window) = config.window.filter(|&window| window < config.context) {
                eprintln!(
                    "stride-convert: warning: attention reaches back {window} positions, but llama.cpp attends to all \
                     of them for \"{}\"; keep contexts within the window",
                    config.architecture.name
                );
            }
            let report = if dry_run {
                export::preview(&checkpoint, &types)?
            } else {
                convert(&checkpoint, &output, &types, force)?
            };
            let done = if dry_run { "would write" } else { "wrote" };
            let headline = format!(
                "{done} {}: {} tensors as {recipe}, {} bytes\n",
                output.display(),
                report.tensors.len(),
                report.file_bytes
            );
            Ok(if verbose || dry_run {
                lines(&report) + &headline
            } else {
                headline
            })
        }
        Command::Inspect { file, json, all } => {
            let text = inspect::open(&file, |gguf, file_bytes| {
                if json {
                    format!("{:#}\n", inspect::to_json(gguf, file_bytes, all))
                } else {
                    let page = Page {
                        file: gguf,
                        file_bytes,
                        all,
                    };
                    page.to_string()
                }
            })?;
            Ok(text)
        }
        Command::Card { file } => {
            let card = inspect::open(&file, |gguf, _| inspect::card(gguf))?;
            let card = card
                .with_context(|| format!("{} holds no model card (stride.card)", file.display()))?;
            Ok(card + "\n")
        }
    }
}

/// Converts with a progress bar on stderr (hidden when that is no terminal).
fn convert(
    checkpoint: &Checkpoint,
    output: &std::path::Path,
    types: &TypeChoice,
    replace: bool,
) -> Result<Report, stride_convert::Error> {
    let style = ProgressStyle::with_template(
        "{bar:30} {percent:>3}% {human_pos}/{human_len} weights, {eta} left  {msg}",
    );
    let bar = ProgressBar::new(0);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    let report = export::export_as(checkpoint, output, types, replace, |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(progress.tensor.to_owned());
    });
    bar.finish_and_clear();
    report
}

/// One line per tensor.
fn lines(report: &Report) -> String {
    let line = |tensor: &TensorReport| {
        let moved = tensor.deviation.map_or_else(String::new, |deviation| {
            format!(
                "  largest error {:.3e}, relative rms {:.3e}",
                deviation.largest,
                deviation.relative_rms()
            )
        });
        format!(
            "{:<28} {:<5} {:>10} weights {:>10} bytes{moved}\n",
            tensor.name, tensor.kind, tensor.weights, tensor.bytes
        )
    };
    report.tensors.iter().map(line).collect()
}
