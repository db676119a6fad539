//! What decides which answer a step gets.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::handle::EngineOptions;
use super::model::Model;

/// A policy whose answers can be had again: two steps from the same record with the same request get the same answer when their
/// makers are equal. It stands for the weights, this build, and every setting on which an answer hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker([u8; 32]);

impl Maker {
    /// The maker that a model is under these options.
    #[must_use]
    pub fn new(options: &EngineOptions, model: &Model) -> Self {
        let mut hasher = Sha256::new();
        // Its texts are limits and prompts; it has no form of its own that says as much.
        let profile = serde_json::to_string(&options.profile).unwrap_or_default();
        let (threads, slots) = (options.threads.to_string(), options.slots.to_string());
        let constrain = if options.constrain { "constrain" } else { "" };
        for part in [
            env!("CARGO_PKG_VERSION"),
            &profile,
            &threads,
            &slots,
            constrain,
            &options.rules,
            &model.sha256,
        ] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use stride_firmware_config::profile::DeviceProfile;

    use super::*;
    use crate::engine::opened::Opened;

    #[test]
    fn what_decides_an_answer_makes_another_maker() {
        let options = EngineOptions {
            program: "/bin/true".into(),
            profile: DeviceProfile::standard(),
            threads: 1,
            constrain: true,
            rules: String::new(),
            tell_calls: false,
            load_deadline: Duration::ZERO,
            step_deadline: Duration::ZERO,
            probe_pause: Duration::ZERO,
            slots: 0,
            texts: 1,
            queue: 1,
            probation: 1,
        };
        let model = Model {
            name: "a".into(),
            path: "/a.gguf".into(),
            sha256: "12".into(),
            bytes: 1,
            file: Opened::open(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap(),
        };
        let maker = Maker::new(&options, &model);
        let patient = EngineOptions {
            step_deadline: Duration::from_secs(1),
            ..options.clone()
        };
        let renamed = Model {
            name: "b".into(),
            ..model.clone()
        };
        assert_eq!(maker, Maker::new(&patient, &renamed));
        let free = EngineOptions {
            constrain: false,
            ..options.clone()
        };
        let guarded = EngineOptions {
            rules: "x".into(),
            ..options.clone()
        };
        let other = Model {
            sha256: "34".into(),
            ..model.clone()
        };
        assert_ne!(maker, Maker::new(&free, &model));
        assert_ne!(maker, Maker::new(&guarded, &model));
        assert_ne!(maker, Maker::new(&options, &other));
    }
}
