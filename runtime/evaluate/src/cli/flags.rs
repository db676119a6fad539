//! Flags that several subcommands share.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stride_agent::agent::Limits;
use stride_device::profile_here;
use stride_evaluate::error::EvalError;
use stride_evaluate::policy::PolicyOptions;
use stride_evaluate::replay::Portion;
use stride_evaluate::run::selection::Selection;
use stride_evaluate::temperature::Temperatures;
use stride_evaluate::world::{Games, WorldSpec};
use stride_firmware_config::profile::DeviceProfile;

/// The policy, and how it is asked.
#[derive(Debug, Args)]
pub struct PolicyFlags {
    /// The policy: a GGUF file written by stride-convert
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,

    /// Decode actions along verb templates filled with the names that stand in the frame
    ///
    /// The other levels write no numbered name that does not stand in it. Nothing but the frame is consulted: no list of
    /// admissible actions, no memory.
    #[arg(long)]
    constrain: bool,

    /// Sample at this temperature instead of taking the likeliest token: one number, or high=T,low=T,progress=T
    #[arg(long, value_name = "T", default_value_t = Temperatures::GREEDY)]
    temperature: Temperatures,

    /// Guess up to N tokens ahead by looking up what followed the last ones before; no token of the answer changes
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=32))]
    draft: u32,

    /// CPU threads of each engine [default: 1, or what the profile says]
    ///
    /// Small policies gain little from a second thread, and lose much when something else wants the core: llama.cpp's threads
    /// wait for each other by spinning.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroU32>,

    /// Play under the limits of a device: a shipped board (raspberry-pi-5, jetson-orin-nano, gateway-x86-2core, arm-512mb)
    /// or a TOML file
    #[arg(long, value_name = "BOARD|FILE")]
    profile: Option<String>,
}

/// The policy flags, read and checked.
pub struct PolicySetup {
    /// How the policy is loaded.
    pub options: PolicyOptions,
    /// The agent's limits.
    pub limits: Limits,
    /// Tokens of one prompt that the device allows.
    pub prompt_budget: u32,
}

impl PolicyFlags {
    /// The flags of a greedy policy without a constraint.
    pub fn of(policy: PathBuf, profile: Option<String>) -> Self {
        Self {
            policy,
            constrain: false,
            temperature: Temperatures::GREEDY,
            draft: 0,
            threads: None,
            profile,
        }
    }

    /// Reads the profile and settles every option for the games of a world.
    pub fn settle(self, seed: u64, world: &WorldSpec, games: &dyn Games) -> Result<PolicySetup> {
        if self.constrain && !games.has_templates() {
            return Err(EvalError::NoTemplates {
                world: world.to_string(),
            }
            .into());
        }
        let profile = self.profile.as_deref().map(profile_here).transpose()?;
        let of_profile = profile.as_ref().map(|profile| profile.inference.threads);
        let threads = self
            .threads
            .or_else(|| NonZeroU32::new(of_profile?))
            .unwrap_or(NonZeroU32::MIN);
        let device = profile.clone().unwrap_or_else(DeviceProfile::standard);
        if device.inference.gpu_layers > 0
            && stride_engine::gpus().is_ok_and(|gpus| gpus.is_empty())
        {
            let why = if cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal")) {
                "no GPU was found here"
            } else {
                "this binary was built without GPU support (features cuda, vulkan, metal)"
            };
            eprintln!(
                "stride-eval: the profile asks for {} GPU layers, but {why}: everything is computed on the CPU",
                device.inference.gpu_layers
            );
        }
        let mut limits = Limits::of_profile(&device);
        if let Some(action) = games.harmless_action() {
            action.clone_into(&mut limits.fallback_action);
        }
        Ok(PolicySetup {
            limits,
            prompt_budget: device.capacities.prompt_tokens,
            options: PolicyOptions {
                path: self.policy,
                threads,
                profile: profile.map(|profile: DeviceProfile| Box::new(profile)),
                constrain: self.constrain,
                temperature: self.temperature,
                seed,
                draft_tokens: self.draft,
                repack_weights: false,
            },
        })
    }
}

/// Which of a world's games.
#[derive(Debug, Default, Args)]
pub struct SelectionFlags {
    /// Only the first N games, in the order of their paths (ALFWorld), seeds (household) or tasks (ScienceWorld)
    #[arg(long, value_name = "N", conflicts_with = "sample")]
    games: Option<usize>,

    /// Only a random sample of N games, the same for the same --seed
    #[arg(long, value_name = "N")]
    sample: Option<usize>,

    /// Seed of the sample, and of the sampling when --temperature is set
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
}

impl SelectionFlags {
    /// The first games that were asked for, of a list that has no sample.
    pub fn first(&self) -> Option<usize> {
        self.games
    }

    /// What the flags select behind the first `skip` games; a sample is one of all games.
    pub fn selection(&self, skip: usize) -> Selection {
        match self.sample {
            Some(count) => Selection::Sample {
                count,
                seed: self.seed,
            },
            None => Selection::Span {
                skip,
                count: self.games.unwrap_or(usize::MAX),
            },
        }
    }
}

/// Which of a file's transcripts.
#[derive(Debug, Args)]
pub struct PortionFlags {
    /// Only the first N transcripts (ScienceWorld)
    #[arg(long, value_name = "N")]
    games: Option<usize>,

    /// Only each K-th transcript of the file, so that a few games are of many tasks (ScienceWorld)
    #[arg(long, value_name = "K")]
    every: Option<NonZeroUsize>,
}

impl PortionFlags {
    /// Whether the user chose.
    pub fn is_set(&self) -> bool {
        self.games.is_some() || self.every.is_some()
    }

    /// What the flags choose.
    pub fn portion(&self) -> Portion {
        Portion {
            games: self.games,
            every: self.every.unwrap_or(NonZeroUsize::MIN),
        }
    }
}
