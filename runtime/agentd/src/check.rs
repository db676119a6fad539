//! Whether a daemon with these settings would work, without starting it: `stride-agentd check`.

use std::fmt;
use std::path::Path;

use stride_firmware_config::profile::DeviceProfile;

use crate::config::Config;
use crate::daemon::{engine_options, profile_of};
use crate::engine::model::Registry;
use crate::engine::trial;
use crate::episodes::Environments;
use crate::http::listen::{ListenError, Listener};
use crate::http::tls::Tls;
use crate::tokens::Tokens;

/// What was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// What it is, or what is wrong with it.
    pub result: Result<String, String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(good) => write!(f, "ok    {:<8} {good}", self.what),
            Err(bad) => write!(f, "FAIL  {:<8} {bad}", self.what),
        }
    }
}

/// Looks at everything, and stops at nothing.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |what, result| findings.push(Finding { what, result });
    let profile = profile_of(config).map_err(|error| error.to_string());
    find(
        "profile",
        profile
            .as_ref()
            .map(ToString::to_string)
            .map_err(Clone::clone),
    );
    let profile = profile.unwrap_or_else(|_| DeviceProfile::standard());
    let (model, memory) = tried(config, &profile).await;
    find("model", model);
    if let Some(memory) = memory {
        find("memory", memory);
    }
    find("state", writable(&config.state));
    find(
        "audit",
        writable(&config.audit.bounds(&config.state).folder),
    );
    if config.log.enabled {
        find("log", writable(&config.log.bounds(&config.state).folder));
    }
    if let Some(path) = &config.tokens {
        let read = Tokens::read(path).map_err(|error| error.to_string());
        find(
            "tokens",
            read.map(|tokens| format!("{} of them", tokens.len())),
        );
    }
    if let Some(files) = &config.tls {
        let read = Tls::read(files).map_err(|error| error.to_string());
        find("tls", read.map(|_| files.certificate.display().to_string()));
    }
    let environments = Environments::new(&config.environments);
    for (environment, (name, spec)) in environments.describe().iter().zip(&config.environments) {
        let result = match environment.games {
            Some(games) => Ok(format!("{name}: {games} games of {spec}")),
            None => Err(format!("{name}: {spec} cannot be opened")),
        };
        find("world", result);
    }
    for place in &config.listen {
        let bound = Listener::bind(place, 0o600, config.may_be_exposed(place)).await;
        let result = match bound {
            Ok(_) => Ok(place.to_string()),
            // The daemon itself, most likely.
            Err(error @ ListenError::InUse { .. }) => Ok(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        find("listen", result);
    }
    findings
}

/// Loads the model as a daemon would, and says what that takes.
async fn tried(
    config: &Config,
    profile: &DeviceProfile,
) -> (Result<String, String>, Option<Result<String, String>>) {
    let registry = Registry::new(config.models.clone()).signed_by(config.model_key.clone());
    let named = config.model.clone().map_or_else(|| registry.only(), Ok);
    let model = match named.and_then(|name| registry.find(&name)) {
        Ok(model) => model,
        Err(error) => return (Err(error.to_string()), None),
    };
    let signed = match config.model_key {
        Some(_) => ", signed",
        None => "",
    };
    let shown = format!(
        "{}, {} bytes, SHA-256 {}{signed}",
        model.name, model.bytes, model.sha256
    );
    let tried = trial(model, &engine_options(config, profile)).await;
    let budget = profile.memory.budget_bytes >> 20;
    match tried {
        Err(reason) => (Err(reason), None),
        Ok(trial) => {
            let golden = match trial.golden {
                Some(steps) => format!("{steps} golden steps made"),
                None => "no golden steps".into(),
            };
            let takes = trial.resident_bytes >> 20;
            let line = format!("the worker takes {takes} MiB of {budget} MiB");
            let memory = if takes <= budget { Ok(line) } else { Err(line) };
            (Ok(format!("{shown}, {golden}")), Some(memory))
        }
    }
}

fn writable(folder: &Path) -> Result<String, String> {
    let shown = folder.display();
    let there = folder.ancestors().find(|folder| folder.exists());
    let there = there.ok_or_else(|| format!("{shown}: no part of it exists"))?;
    if !there.is_dir() {
        return Err(format!("{} is no folder", there.display()));
    }
    match tempfile_in(there) {
        Ok(()) if there == folder => Ok(shown.to_string()),
        Ok(()) => Ok(format!("{shown} can be made")),
        Err(error) => Err(format!("{}: {error}", there.display())),
    }
}

fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".stride-check-{}", std::process::id()));
    std::fs::File::create_new(&path)?;
    std::fs::remove_file(&path)
}
