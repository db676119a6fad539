//! `stride-train data`: looking into transition files.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use stride_agent::form::Form;
use stride_agent::transition::{EndKind, Source};
use stride_firmware_config::level::PolicyLevel;
use stride_train::data;
use stride_train::error::TrainError;
use stride_train::inspect::{Counter, Filter, Readable};
use stride_train::reform::reform;

const EXAMPLES: &str = "Examples:
  stride-train data inspect demos.jsonl.zst
  stride-train data inspect demos.jsonl.zst --level high --limit 3
  stride-train data inspect demos.jsonl.zst --game household:17 --limit 0   # a whole episode
  stride-train data inspect demos.jsonl.zst --text 'soapbar' --json | jq .utterance";

const REFORM_EXAMPLES: &str = "Examples:
  stride-train data reform demos.jsonl.zst --form flat -o flat.jsonl.zst
  stride-train bc --data flat.jsonl.zst --out flat-run
  stride-eval run --policy flat.gguf --form flat --world alfworld:PATH:valid_seen   # played as it was trained";

/// Arguments of `stride-train data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Show transitions as a person reads them, and count them.
    Inspect(InspectArgs),
    /// Make transitions of another form of policy: the ablations, and the baseline that is shown the whole episode.
    Reform(ReformArgs),
}

#[derive(Debug, Args)]
#[command(after_help = REFORM_EXAMPLES)]
struct ReformArgs {
    /// Transition files (JSON Lines, plain or .zst), each episode's calls in order.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// one-call, no-progress, flat or history.
    #[arg(long)]
    form: Form,
    /// Where to write them (JSON Lines; compressed when the name ends in .zst).
    #[arg(short, long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct InspectArgs {
    /// Transition files (JSON Lines, plain or .zst).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only this level.
    #[arg(long, value_enum)]
    level: Option<LevelName>,
    /// Only games whose id holds this text.
    #[arg(long)]
    game: Option<String>,
    /// Only transitions with this text in the frame or the utterance.
    #[arg(long)]
    text: Option<String>,
    /// Only transitions that this source chose.
    #[arg(long, value_enum)]
    source: Option<SourceName>,
    /// Only episodes that ended like this.
    #[arg(long, value_enum)]
    end: Option<EndName>,
    /// Pass over so many of them first.
    #[arg(long, default_value_t = 0)]
    skip: u64,
    /// Show so many at most; 0 shows all.
    #[arg(long, default_value_t = 5)]
    limit: u64,
    /// Show no transition, only count them.
    #[arg(long)]
    counts: bool,
    /// The share of games that training holds out, for the counts.
    #[arg(long, default_value_t = 0.02)]
    held_out: f64,
    /// Print the transitions (or with --counts the counts) as JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LevelName {
    High,
    Low,
    Progress,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SourceName {
    Expert,
    Relabelled,
    Policy,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EndName {
    Success,
    Failure,
    Truncated,
}

impl InspectArgs {
    fn filter(&self) -> Filter {
        Filter {
            level: self.level.map(|level| match level {
                LevelName::High => PolicyLevel::High,
                LevelName::Low => PolicyLevel::Low,
                LevelName::Progress => PolicyLevel::Progress,
            }),
            game: self.game.clone(),
            text: self.text.clone(),
            source: self.source.map(|source| match source {
                SourceName::Expert => Source::Expert,
                SourceName::Relabelled => Source::Relabelled,
                SourceName::Policy => Source::Policy,
            }),
            end: self.end.map(|end| match end {
                EndName::Success => EndKind::Success,
                EndName::Failure => EndKind::Failure,
                EndName::Truncated => EndKind::Truncated,
            }),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or holds a line that is no transition.
pub fn run(args: &DataArgs) -> anyhow::Result<ExitCode> {
    let args = match &args.command {
        DataCommand::Inspect(args) => args,
        DataCommand::Reform(args) => {
            let (read, written) = reform(&args.files, args.form, &args.out)?;
            println!(
                "{read} transitions read, {written} written to {}",
                args.out.display()
            );
            return Ok(ExitCode::SUCCESS);
        }
    };
    match inspect(args, &mut BufWriter::new(io::stdout().lock())) {
        // Whoever reads only the first lines (`head`) has seen enough.
        Err(TrainError::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {}
        result => result?,
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(args: &InspectArgs, out: &mut impl Write) -> Result<(), TrainError> {
    let said = |source| TrainError::Io {
        path: "standard output".into(),
        source,
    };
    let filter = args.filter();
    let mut counter = Counter::default();
    let mut wanted = 0_u64;
    for path in &args.files {
        data::visit(path, |line, transition| {
            if !filter.wants(&transition) {
                return Ok(());
            }
            counter.add(&transition);
            wanted += 1;
            let shown = wanted.saturating_sub(args.skip);
            if args.counts || shown == 0 || (args.limit > 0 && shown > args.limit) {
                return Ok(());
            }
            if args.json {
                let text = serde_json::to_string(&transition).map_err(io::Error::other);
                text.and_then(|text| writeln!(out, "{text}"))
            } else {
                let readable = Readable(&transition);
                writeln!(out, "{}, line {line}\n{readable}", path.display())
            }
            .map_err(said)
        })?;
    }
    let counts = counter.finish(args.held_out);
    if !args.json {
        write!(out, "{counts}").map_err(said)?;
    } else if args.counts {
        let text = serde_json::to_string(&counts).map_err(io::Error::other);
        text.and_then(|text| writeln!(out, "{text}"))
            .map_err(said)?;
    }
    out.flush().map_err(said)
}
