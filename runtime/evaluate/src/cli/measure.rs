//! `stride-eval measure`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use stride_evaluate::bench::child::Worker;
use stride_evaluate::bench::measure::{self, Lane};
use stride_evaluate::bench::script::Script;
use stride_evaluate::bench::wire::Kind;
use stride_evaluate::board::calibrate::{self, Calibration};
use stride_evaluate::board::{file, probe};
use stride_evaluate::machine;
use stride_evaluate::output::write_json;
use stride_evaluate::world::WorldSpec;

use super::recording::{Recording, RecordingFlags};
use super::{progress, signal};

/// Measure a policy on this machine, write the figures into its device profile, and say what changed
///
/// Every number of threads and every batch that is worth a try plays the same recorded steps, one step each in turn and each in
/// a process of its own, as many at the same time as the profile's memory holds. The fastest is what stride-eval and stride-agentd
/// use under this profile and on this processor from then on; a setting that is as fast within 3 % and needs fewer threads or a
/// smaller batch goes before it. Kernels that are known to crash somewhere are tried in a child
/// process and marked when they do, or when they say something else.
///
/// Only the section `[measured]` of the profile is replaced; a shipped board is no file, so give its copy, or --dry-run.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Measure {
    /// The policy: a GGUF file written by stride-convert
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,

    /// The device profile: a TOML file, or with --dry-run a shipped board
    #[arg(long, value_name = "FILE")]
    profile: String,

    /// Where the steps come from
    #[arg(long, value_name = "WORLD", default_value = "household:0..3")]
    world: WorldSpec,

    /// Most steps of an episode
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: u32,

    /// Try no more threads than this [default: the machine's cores]
    ///
    /// Set 1 where other programs keep the cores busy: llama.cpp's threads wait for each other by spinning, so two of them are many
    /// times slower there, and so is measuring it.
    #[arg(long, value_name = "N")]
    most_threads: Option<NonZeroUsize>,

    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Write the figures and the last ones as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  stride-eval measure --policy p.gguf --profile kiosk.toml
  stride-eval measure --policy p.gguf --profile raspberry-pi-5 --dry-run

Exit codes: 0 ok; 1 an error or a stop; 2 wrong usage.";

impl Measure {
    pub fn execute(self) -> Result<bool> {
        let stop = signal::stop_on_interrupt("episode")?;
        let profile = stride_device::read_profile(&self.profile)?;
        let path = Path::new(&self.profile);
        if !self.dry_run && !path.is_file() {
            bail!(
                "{} is a shipped board, which is no file; copy its text to a file of your own, or use --dry-run",
                self.profile
            );
        }
        let flags = RecordingFlags::of(self.policy, self.world, Some(self.profile.clone()));
        let recording = flags.record(self.steps, &stop)?;
        let hash = recording.options.describe()?.sha256;
        let mut setup = recording.setup(Kind::Step);
        let most = self.most_threads.map_or(usize::MAX, NonZeroUsize::get);
        // Probes run under these; what is measured has its own.
        if let Some(most) = u32::try_from(most).ok().and_then(NonZeroU32::new) {
            setup.options.threads = setup.options.threads.min(most);
        }
        let Recording {
            program,
            scripts,
            worker,
            ..
        } = recording;
        // Its memory is for those that are measured.
        drop(worker);
        let longest = longest_observation(&scripts);
        let settings = calibrate::settings(&profile, machine::cores().min(most));
        let under = |setting| calibrate::under(&setup, &profile, setting);
        let setups: Vec<_> = settings.iter().copied().map(under).collect();
        let at_once = calibrate::at_once(&setups, &profile)?;
        let groups = settings.len().div_ceil(at_once);
        let bar = progress::bar(groups * scripts.len(), "episodes");
        let mut tried = Vec::new();
        for (settings, setups) in settings.chunks(at_once).zip(setups.chunks(at_once)) {
            let mut lanes = Vec::new();
            for setup in setups {
                lanes.push(Lane::new(Worker::start(&program, setup)?));
            }
            let grown = || bar.inc(1);
            if !measure::run(&mut lanes, &scripts, 1, None, &stop, grown)? {
                bar.finish_and_clear();
                bail!("stopped; nothing was written");
            }
            for (lane, setting) in lanes.iter_mut().zip(settings) {
                tried.push(calibrate::run_of(lane, *setting, &longest.0, &longest.1)?);
            }
        }
        bar.finish_and_clear();
        let probes = vec![probe::layouts(&program, &setup, &scripts[0])];
        let processor = stride_device::processor().unwrap_or_default();
        if processor.is_empty() {
            eprintln!(
                "stride-eval: this machine does not say which processor it has, so no program will use what was measured"
            );
        }
        let measured = calibrate::measured(&hash, &processor, &tried, &probes)?;
        let calibration = Calibration {
            profile: profile.name.to_string(),
            measured,
            before: profile.measured,
            probes,
        };
        print!("{calibration}");
        if let Some(json) = &self.json {
            write_json(json, &calibration)?;
        }
        if !self.dry_run {
            file::write_measured(path, &calibration.measured)?;
            println!("written to {}", path.display());
        }
        Ok(true)
    }
}

/// The scene and the longest observation of any script.
fn longest_observation(scripts: &[Script]) -> (String, String) {
    let all = scripts.iter().flat_map(|script| {
        let steps = script.steps.iter().map(|step| &step.observation);
        let first = std::iter::once(&script.observation);
        first.chain(steps).map(|seen| (&script.scene, seen))
    });
    let longest = all.max_by_key(|(_, seen)| seen.len());
    longest.map_or_else(Default::default, |(scene, seen)| {
        (scene.clone(), seen.clone())
    })
}
