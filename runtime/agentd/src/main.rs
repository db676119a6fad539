//! The program `stride-agentd`: reads the command line, starts logging, calls the library.
//!
//! Exit codes: 0 ended in order, 1 failure, 2 wrong usage.

mod manual;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use stride_agentd::agents::service::unix_seconds;
use stride_agentd::config::{Config, Flags};
use stride_agentd::engine::model::Registry;
use stride_agentd::engine::{self, Golden};
use stride_agentd::http::given::Given;
use stride_agentd::{check, daemon, files, http, tokens, worker};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Serves step-level agents to programs on this device, and keeps them through crashes and power cuts.
///
/// Each flag can also be set in the environment and in the settings file; flags go first, then the environment, then the file.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    flags: Flags,

    /// Print the settings that would be used, as the settings file would say them, and end
    #[arg(long)]
    print_config: bool,

    /// How log lines are written to standard error [default: text on a terminal, json elsewhere]
    #[arg(long, value_enum, env = "STRIDE_AGENTD_LOG_FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look whether a daemon with these settings would work: profile, model, memory, state folder, journals, tokens, certificate, environments, sockets
    Check {
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Write down what the model answers, so that no other model serves under its name: NAME.golden.json beside it
    Golden {
        #[command(flatten)]
        flags: Box<Flags>,
        /// The task
        #[arg(long)]
        task: String,
        /// The static part of the observations
        #[arg(long, default_value = "")]
        scene: String,
        /// What the world says, step by step
        #[arg(required = true)]
        observations: Vec<String>,
    },
    /// Print the OpenAPI document of the API
    Openapi,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder
        folder: PathBuf,
    },
    /// Draw a bearer token, add its hash to a file, and print it: it is kept nowhere
    Token {
        /// The file that --tokens names
        #[arg(long, value_name = "FILE", env = "STRIDE_AGENTD_TOKENS")]
        tokens: PathBuf,
        /// Whose token it is
        #[arg(long)]
        name: String,
        /// Days until it expires [default: never]
        #[arg(long)]
        days: Option<u32>,
    },
    /// Make steps for a daemon; started by the daemon itself
    #[command(hide = true)]
    Worker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn main() -> ExitCode {
    match execute(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stride-agentd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Some(Command::Worker) => worker::process::run().context("worker"),
        Some(Command::Token { tokens, name, days }) => {
            let expires_at = days.map(|days| unix_seconds() + u64::from(days) * 86_400);
            println!("{}", tokens::add(&tokens, &name, expires_at)?);
            Ok(())
        }
        Some(Command::Check { flags }) => {
            let config = Config::settle(*flags)?;
            let findings = runtime()?.block_on(check::check(&config));
            for finding in &findings {
                println!("{finding}");
            }
            let bad = findings
                .iter()
                .filter(|finding| finding.result.is_err())
                .count();
            anyhow::ensure!(bad == 0, "{bad} of {} would not work", findings.len());
            Ok(())
        }
        Some(Command::Golden {
            flags,
            task,
            scene,
            observations,
        }) => {
            let config = Config::settle(*flags)?;
            let golden = Golden {
                task,
                scene,
                steps: Vec::new(),
            };
            runtime()?.block_on(write_golden(&config, golden, observations))
        }
        Some(Command::Completions { shell }) => {
            manual::print_completions(Arguments::command(), shell);
            Ok(())
        }
        Some(Command::Man { folder }) => manual::write_pages(Arguments::command(), &folder),
        Some(Command::Openapi) => {
            print!("{}", http::router::openapi()?);
            Ok(())
        }
        None => {
            let config = Config::settle(arguments.flags)?;
            if arguments.print_config {
                print!("{}", config.to_toml()?);
                return Ok(());
            }
            start_logging(arguments.log_format);
            serve(&config)
        }
    }
}

fn serve(config: &Config) -> Result<()> {
    // While there is one thread: the environment is read and changed.
    let given = Given::from_environment()?;
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
        let mut hangup = signal(SignalKind::hangup()).context("signals")?;
        let (reload, reloads) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            while hangup.recv().await.is_some() && reload.send(()).await.is_ok() {}
        });
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(daemon::run(config, given, stop, reloads).await?)
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.context("no threads")
}

async fn write_golden(config: &Config, golden: Golden, observations: Vec<String>) -> Result<()> {
    let registry = Registry::new(config.models.clone()).signed_by(config.model_key.clone());
    let named = config.model.clone().map_or_else(|| registry.only(), Ok);
    let model = registry.find(&named?)?;
    let path = model.path.with_extension("golden.json");
    let options = daemon::engine_options(config, &daemon::profile_of(config)?);
    let golden = engine::record(model, &options, golden, observations)
        .await
        .map_err(anyhow::Error::msg)?;
    let text = serde_json::to_string_pretty(&golden)? + "\n";
    // Half a file would keep the model from serving.
    files::replace(&path, text.as_bytes(), 0o644).with_context(|| path.display().to_string())?;
    println!("{}: {} steps", path.display(), golden.steps.len());
    Ok(())
}

fn start_logging(format: Option<LogFormat>) {
    let filter =
        EnvFilter::try_from_env("STRIDE_AGENTD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let text = match format {
        Some(format) => format == LogFormat::Text,
        None => std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if text {
        lines.init();
    } else {
        lines.json().init();
    }
}
