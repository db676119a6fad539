//! `stride-eval fit`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stride_device::read_profile;
use stride_evaluate::board::fit::Fit;
use stride_evaluate::error::EvalError;
use stride_evaluate::output::write_json;
use stride_evaluate::policy::PolicyOptions;
use stride_evaluate::temperature::Temperatures;

/// Say whether a policy fits a board, and by how much
///
/// llama.cpp plans its buffers from the file's metadata: no weights are read and nothing is allocated, so a workstation can answer
/// for a board. Weights count whole although they are mapped from the file: a board that has no room for them reads them from
/// its card over and over.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FitCommand {
    /// The device profile: a shipped board (raspberry-pi-5, jetson-orin-nano, gateway-x86-2core, arm-512mb) or a TOML file
    #[arg(long, value_name = "BOARD|FILE")]
    profile: String,

    /// The policy: a GGUF file written by stride-convert
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,

    /// Write the parts as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  stride-eval fit --profile arm-512mb --policy models/stride-household-q8_0.gguf
  stride-eval fit --profile kiosk.toml --policy p.gguf --json fit.json

Exit codes: 0 it fits; 1 it does not, or an error (on stderr); 2 wrong usage.";

impl FitCommand {
    pub fn execute(self) -> Result<bool> {
        let profile = read_profile(&self.profile)?;
        let name = self.policy.display().to_string();
        let options = PolicyOptions {
            path: self.policy,
            threads: NonZeroU32::new(profile.inference.threads).unwrap_or(NonZeroU32::MIN),
            profile: Some(Box::new(profile.clone())),
            constrain: false,
            temperature: Temperatures::GREEDY,
            seed: 0,
            draft_tokens: 0,
            repack_weights: false,
        };
        let estimate = stride_engine::estimate(&options.path, &options.engine_options())
            .map_err(EvalError::policy)?;
        let fit = Fit::new(&profile, name, &estimate);
        print!("{fit}");
        if let Some(path) = &self.json {
            write_json(path, &fit)?;
        }
        Ok(fit.fits)
    }
}
