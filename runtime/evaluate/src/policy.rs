//! GGUF policies, and how the engine is told to run them.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stride_engine::{ActionTemplates, EngineOptions, LlamaPolicy, Sampling, digest};
use stride_firmware_config::profile::DeviceProfile;

use crate::error::EvalError;
use crate::run::report::PolicyFile;
use crate::temperature::Temperatures;

/// Which policy is evaluated, and how it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyOptions {
    /// The GGUF file.
    pub path: PathBuf,
    /// CPU threads of one engine.
    pub threads: NonZeroU32,
    /// Context, batch, GPU layers, number type of the KV cache and utterance caps of a device; `None` for the engine's
    /// defaults.
    pub profile: Option<Box<DeviceProfile>>,
    /// Decode low-level utterances along verb templates filled with names of the frame.
    pub constrain: bool,
    /// Sampling temperatures; 0 is greedy. Not told to the workers of a bench, which are greedy.
    #[serde(skip, default = "greedy")]
    pub temperature: Temperatures,
    /// Seed of the sampling.
    pub seed: u64,
    /// Most tokens that the engine guesses ahead; 0 for none.
    pub draft_tokens: u32,
    /// Let llama.cpp choose CPU-specific weight layouts: for probes in a child process.
    pub repack_weights: bool,
}

impl PolicyOptions {
    /// Loads the policy. Several may be loaded from one file; they share its pages.
    ///
    /// # Errors
    /// When the file is missing, damaged or no policy, or memory does not suffice.
    pub fn load(&self) -> Result<LlamaPolicy, EvalError> {
        LlamaPolicy::load(&self.path, self.engine_options()).map_err(EvalError::policy)
    }

    /// What the engine is told.
    #[must_use]
    pub fn engine_options(&self) -> EngineOptions {
        let sampling = if self.temperature.is_greedy() {
            Sampling::Greedy
        } else {
            Sampling::Seeded {
                seed: self.seed,
                temperature: self.temperature.0,
            }
        };
        let mut options = EngineOptions {
            threads: self.threads,
            sampling,
            repack_weights: self.repack_weights,
            draft_tokens: self.draft_tokens,
            constraint: self.constrain.then(ActionTemplates::default),
            ..EngineOptions::default()
        };
        if let Some(profile) = &self.profile {
            options = options.under_profile(profile);
        }
        options
    }

    /// Size and hash of the file, for reports.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn describe(&self) -> Result<PolicyFile, EvalError> {
        let (bytes, sha256) = digest(&self.path).map_err(EvalError::file(&self.path))?;
        Ok(PolicyFile {
            path: self.path.display().to_string(),
            bytes,
            sha256,
        })
    }
}

const fn greedy() -> Temperatures {
    Temperatures::GREEDY
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stride_firmware_config::profile::WEIGHT_LAYOUTS;

    use super::*;

    fn options(path: &Path) -> PolicyOptions {
        PolicyOptions {
            path: path.to_owned(),
            threads: NonZeroU32::MIN,
            profile: None,
            constrain: true,
            temperature: Temperatures::GREEDY,
            seed: 0,
            draft_tokens: 0,
            repack_weights: false,
        }
    }

    #[test]
    fn describes_a_file_by_its_hash() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let file = options(&path).describe().unwrap();
        assert_eq!(file.bytes, std::fs::metadata(&path).unwrap().len());
        assert_eq!(file.sha256.len(), 64);
    }

    #[test]
    fn kernels_that_were_measured_to_fail_are_left_alone() {
        let repacks = |bad: &str| {
            let mut profile = DeviceProfile::standard();
            let measured = format!(
                "policy = ''\nprocessor = 'Cortex'\nthreads = 1\nbatch_tokens = 32\nresident_bytes = 0\n\
                 anonymous_bytes = 0\nbad_features = ['{bad}']"
            );
            profile.measured = Some(toml::from_str(&measured).unwrap());
            let options = PolicyOptions {
                profile: Some(Box::new(profile.on(Some("Cortex")))),
                repack_weights: true,
                ..options(Path::new("p.gguf"))
            };
            let engine = options.engine_options();
            (engine.repack_weights, engine.batch_tokens.get())
        };
        assert_eq!(repacks("another"), (true, 32));
        assert_eq!(repacks(WEIGHT_LAYOUTS), (false, 32));
    }

    #[test]
    fn refuses_what_is_no_policy() {
        let missing = options(Path::new("/nonexistent/policy.gguf"));
        let error = missing.describe().unwrap_err().to_string();
        assert!(error.contains("/nonexistent/policy.gguf"), "{error}");
        let text = options(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        assert!(matches!(text.load(), Err(EvalError::Policy(_))));
    }
}
