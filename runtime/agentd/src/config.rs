//! What an operator decides: flags and environment first, then the file, then the defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::agents::guard::GuardRules;
use crate::engine::signature::ModelKey;
use crate::episodes::environments::{self, Named};
use crate::files;
use crate::http::listen::Place;
use crate::http::tls::TlsFiles;

mod journals;
mod worlds;

/// Bytes of a settings file at most.
const SETTINGS: u64 = 1 << 20;

pub use journals::{Audit, Log};

/// What an operator decides, as flags and as environment variables. What is not said here is looked up in the file.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// Settings as TOML; what flags and environment say goes first
    #[arg(long, value_name = "FILE", env = "STRIDE_AGENTD_CONFIG")]
    pub config: Option<PathBuf>,

    /// The device: a shipped board (raspberry-pi-5, jetson-orin-nano, gateway-x86-2core, arm-512mb) or a TOML file
    #[arg(long, value_name = "BOARD|FILE", env = "STRIDE_AGENTD_PROFILE")]
    pub profile: Option<String>,

    /// The folder of GGUF policies, NAME.gguf each
    #[arg(long, value_name = "DIR", env = "STRIDE_AGENTD_MODELS")]
    pub models: Option<PathBuf>,

    /// The policy to serve at first: the name of its file without the ending [default: the only one]
    #[arg(long, value_name = "NAME", env = "STRIDE_AGENTD_MODEL")]
    pub model: Option<String>,

    /// The folder in which agents are kept; made if it is not there
    #[arg(long, value_name = "DIR", env = "STRIDE_AGENTD_STATE")]
    pub state: Option<PathBuf>,

    /// Where to listen: unix:PATH, tcp:ADDRESS:PORT or tls:ADDRESS:PORT; may be given several times
    #[arg(
        long,
        value_name = "PLACE",
        env = "STRIDE_AGENTD_LISTEN",
        value_delimiter = ','
    )]
    pub listen: Vec<Place>,

    /// CPU threads of the policy [default: what the profile says, 1 without a profile]
    #[arg(long, value_name = "N", env = "STRIDE_AGENTD_THREADS", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,

    /// Decode actions along verb templates filled with the names that stand in the frame
    #[arg(long, env = "STRIDE_AGENTD_CONSTRAIN")]
    pub constrain: bool,

    /// Bearer tokens that clients need over TCP, one a line, hashed; `stride-agentd token` writes them
    #[arg(long, value_name = "FILE", env = "STRIDE_AGENTD_TOKENS")]
    pub tokens: Option<PathBuf>,

    /// Listen beyond this machine without TLS, or without tokens: something else must guard the address
    #[arg(long, env = "STRIDE_AGENTD_ALLOW_REMOTE")]
    pub allow_remote: bool,

    /// The certificate of tls: addresses as PEM, with those between it and one that clients know
    #[arg(long, value_name = "FILE", env = "STRIDE_AGENTD_TLS_CERTIFICATE")]
    pub tls_certificate: Option<PathBuf>,

    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", env = "STRIDE_AGENTD_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// A minisign public key: serve only models that it signed (NAME.gguf.minisig)
    #[arg(long, value_name = "KEY", env = "STRIDE_AGENTD_MODEL_KEY")]
    pub model_key: Option<ModelKey>,
}

/// The settings file. Every key may be left out; an unknown key is refused.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<PathBuf>,
    listen: Vec<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<u32>,
    constrain: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<PathBuf>,
    allow_remote: bool,
    sync_answers: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_key: Option<ModelKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsFiles>,
    limits: Limits,
    worker: Worker,
    log: Log,
    guard: GuardRules,
    audit: Audit,
    #[serde(skip_serializing_if = "Option::is_none")]
    environments: Option<Named>,
}

/// Bounds on what clients may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request's body at most; default 65536.
    pub body_bytes: usize,
    /// Seconds in which a request's head must be there, in which a client must take some of its answer, and that an idle
    /// connection is kept; default 30.
    pub head_seconds: u64,
    /// Seconds in which a request's body must be there; default 10.
    pub body_seconds: u64,
    /// Connections on each listener at most; default 256. More wait in the system's queue.
    pub connections: usize,
    /// Steps under way at most, waiting ones included; default 256. More are answered with 429.
    pub steps: usize,
    /// Requests a second that each token may make, or all clients of a listener without tokens together; default 0, no limit.
    pub rate: u32,
    /// Texts that are continued at once, for `/v1/completions` and `/v1/chat/completions`; default 1, 0 refuses all. More are
    /// answered with 429.
    pub texts: u32,
    /// Seconds that one text may take, waiting included; default 300.
    pub text_seconds: u64,
    /// Episodes that the daemon plays itself at once; default 4, 0 refuses all. More are answered with 429.
    pub episodes: u32,
    /// Seconds that one step may take, waiting and restarts of the worker included; default 60.
    pub step_seconds: u64,
    /// Seconds that open connections get to finish at shutdown; default 10.
    pub grace_seconds: u64,
    /// Permissions of a Unix socket, as in `chmod`; default "660".
    pub socket_mode: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 10,
            head_seconds: 30,
            body_seconds: 10,
            connections: 256,
            steps: 256,
            rate: 0,
            texts: 1,
            text_seconds: 300,
            episodes: 4,
            step_seconds: 60,
            grace_seconds: 10,
            socket_mode: "660".into(),
        }
    }
}

/// How the worker is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Seconds in which a policy must be loaded; default 120.
    pub load_seconds: u64,
    /// Seconds in which the next step must come out of the worker, else it hangs and is replaced; default 20.
    pub step_seconds: u64,
    /// Calls of steps that are answered together at most; default 0, up to 16 as the memory of the profile allows.
    pub slots: u32,
    /// Seconds without a step after which the worker must show that it answers; default 10.
    pub probe_seconds: u64,
    /// Steps after the switch to another model in which a failure brings the one before back; default 20.
    pub probation_steps: u32,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            load_seconds: 120,
            step_seconds: 20,
            slots: 0,
            probe_seconds: 10,
            probation_steps: 20,
        }
    }
}

/// All settings, complete and checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// A shipped board or a profile file; `None` is the standard profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The folder of models.
    pub models: PathBuf,
    /// The model to serve at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The folder of agents.
    pub state: PathBuf,
    /// Where to listen.
    pub listen: Vec<Place>,
    /// CPU threads of the policy; `None` is what the profile says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Decode actions along verb templates.
    pub constrain: bool,
    /// The file of bearer tokens that clients need over TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<PathBuf>,
    /// Listen beyond this machine without TLS, or without tokens.
    pub allow_remote: bool,
    /// Sync every answer before it is given, also those that would come again after a power cut.
    pub sync_answers: bool,
    /// Serve only models that this key signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_key: Option<ModelKey>,
    /// The certificate of `tls:` addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
    /// How the worker is watched.
    pub worker: Worker,
    /// The transition log.
    pub log: Log,
    /// Which actions are given out.
    pub guard: GuardRules,
    /// The audit log of those that were not.
    pub audit: Audit,
    /// The environments in which episodes are played, and the worlds behind them.
    pub environments: Named,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("settings {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, or keys that there are not.
    #[error("settings {}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said; it names line and column.
        source: Box<toml::de::Error>,
    },
    /// A setting that has no default.
    #[error("`{key}` is not set: say --{key}, {variable}, or {key} = ... in the settings file")]
    Missing {
        /// The key.
        key: &'static str,
        /// The environment variable.
        variable: &'static str,
    },
    /// A value that does not work.
    #[error("{key} = {value}: {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A regular expression that is none, or too large.
    #[error("{key}: {source}")]
    Pattern {
        /// The key.
        key: &'static str,
        /// What the parser said; it shows the place.
        source: Box<regex::Error>,
    },
}

impl Config {
    /// Settles flags, environment (which clap reads as flags) and file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn settle(flags: Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let missing = |key, variable| ConfigError::Missing { key, variable };
        let models = flags.models.or(file.models);
        let state = flags.state.or(file.state);
        let tls = match (flags.tls_certificate, flags.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => file.tls,
            (one, other) => {
                let one = one.or(other).unwrap_or_default();
                let problem = "tls.certificate and tls.key go together";
                return Err(refuse("tls", one.display(), problem));
            }
        };
        let config = Self {
            profile: flags.profile.or(file.profile),
            models: models.ok_or(missing("models", "STRIDE_AGENTD_MODELS"))?,
            model: flags.model.or(file.model),
            state: state.ok_or(missing("state", "STRIDE_AGENTD_STATE"))?,
            listen: if flags.listen.is_empty() {
                file.listen
            } else {
                flags.listen
            },
            threads: flags.threads.or(file.threads),
            constrain: flags.constrain || file.constrain,
            tokens: flags.tokens.or(file.tokens),
            allow_remote: flags.allow_remote || file.allow_remote,
            sync_answers: file.sync_answers,
            model_key: flags.model_key.or(file.model_key),
            tls,
            limits: file.limits,
            worker: file.worker,
            log: file.log,
            guard: file.guard,
            audit: file.audit,
            environments: file.environments.unwrap_or_else(environments::bundled),
        };
        if config.listen.is_empty() {
            return Err(missing("listen", "STRIDE_AGENTD_LISTEN"));
        }
        config.check()?;
        Ok(config)
    }

    /// The permissions of a Unix socket.
    #[must_use]
    pub fn socket_mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.limits.socket_mode, 8)
            .ok()
            .filter(|mode| *mode <= 0o777)
    }

    /// Whether a place may be one that other machines reach: who asks there is known, and what is said is not heard by others.
    #[must_use]
    pub fn may_be_exposed(&self, place: &Place) -> bool {
        self.allow_remote || (matches!(place, Place::Tls(_)) && self.tokens.is_some())
    }

    /// The settings as the file would say them.
    ///
    /// # Errors
    /// When a path is no UTF-8.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let (limits, worker) = (&self.limits, &self.worker);
        let least = [
            ("limits.body_bytes", limits.body_bytes as u64, 1024),
            ("limits.head_seconds", limits.head_seconds, 1),
            ("limits.body_seconds", limits.body_seconds, 1),
            ("limits.connections", limits.connections as u64, 1),
            ("limits.steps", limits.steps as u64, 1),
            ("limits.step_seconds", limits.step_seconds, 1),
            ("limits.text_seconds", limits.text_seconds, 1),
            ("worker.load_seconds", worker.load_seconds, 1),
            ("worker.step_seconds", worker.step_seconds, 1),
            ("worker.probe_seconds", worker.probe_seconds, 1),
            ("threads", u64::from(self.threads.unwrap_or(1)), 1),
        ];
        for (key, value, least) in least {
            if value < least {
                return Err(refuse(key, value, "it is too small to work"));
            }
        }
        let most = [
            // The record and the observation must fit one message to the worker.
            ("limits.body_bytes", limits.body_bytes, 128 << 10),
            ("limits.connections", limits.connections, 1 << 16),
            ("limits.steps", limits.steps, 1 << 16),
            ("limits.texts", limits.texts as usize, 64),
            ("limits.episodes", limits.episodes as usize, 64),
            ("worker.slots", worker.slots as usize, 256),
        ];
        for (key, value, most) in most {
            if value > most {
                return Err(refuse(key, value, "it is more than this program takes"));
            }
        }
        let secure = |place: &&Place| matches!(place, Place::Tls(_));
        if let (Some(place), None) = (self.listen.iter().find(secure), &self.tls) {
            let problem = "TLS needs tls.certificate and tls.key";
            return Err(refuse("listen", place, problem));
        }
        if self.socket_mode().is_none() {
            let mode = &limits.socket_mode;
            return Err(refuse(
                "limits.socket_mode",
                mode,
                "write it as in chmod, such as \"660\"",
            ));
        }
        self.check_environments()?;
        self.check_journals()
    }
}

impl Limits {
    /// Time that one step may take.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        Duration::from_secs(self.step_seconds)
    }
}

fn refuse(key: &'static str, value: impl ToString, problem: &'static str) -> ConfigError {
    ConfigError::Value {
        key,
        value: value.to_string(),
        problem,
    }
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let text = files::read_text(path, SETTINGS).map_err(|source| ConfigError::Read {
        path: path.into(),
        source,
    })?;
    toml::from_str(&text).map_err(|source| ConfigError::Parse {
        path: path.into(),
        source: Box::new(source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str, flags: Flags) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        Config::settle(Flags {
            config: Some(file.path().into()),
            ..flags
        })
    }

    const FILE: &str = "models = 'm'\nstate = 's'\nlisten = ['unix:/a']\n";

    #[test]
    fn flags_go_before_the_file() {
        let flags = Flags {
            state: Some("other".into()),
            ..Flags::default()
        };
        let text = format!("{FILE}[worker]\nstep_seconds = 3\n");
        let config = with_file(&text, flags).unwrap();
        assert_eq!(config.state, Path::new("other"));
        assert_eq!(config.models, Path::new("m"));
        assert_eq!(config.worker.step_seconds, 3);
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.environments, environments::bundled());
        // What is printed can be read again.
        let again = with_file(&config.to_toml().unwrap(), Flags::default()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn environments_are_those_of_the_file_if_it_names_any() {
        let named = |text: &str| {
            let config = with_file(&format!("{FILE}{text}"), Flags::default()).unwrap();
            let again = with_file(&config.to_toml().unwrap(), Flags::default()).unwrap();
            assert_eq!(again, config);
            config.environments
        };
        assert!(named("[environments]").is_empty());
        let two =
            named("[environments]\nrooms = 'household:0..9'\nseen = 'alfworld:/d:valid_seen'");
        let specs: Vec<_> = two.values().map(ToString::to_string).collect();
        assert_eq!(specs, ["household:0..9", "alfworld:/d:valid_seen"]);
    }

    #[test]
    fn what_does_not_work_is_named() {
        let refused = |text: &str| with_file(text, Flags::default()).unwrap_err().to_string();
        assert!(refused("models = 'm'\nlisten = ['unix:/a']").contains("--state"));
        assert!(refused("models = 'm'\nstate = 's'").contains("--listen"));
        assert!(refused(&format!("{FILE}colour = 1")).contains("colour"));
        assert!(refused(&format!("{FILE}[limits]\nsteps = 0")).contains("limits.steps = 0"));
        assert!(refused(&format!("{FILE}[limits]\nsocket_mode = '999'")).contains("chmod"));
        let exposed = "models = 'm'\nstate = 's'\nlisten = ['tcp:nowhere']";
        assert!(refused(exposed).contains("nowhere"));
        assert!(refused(&format!("{FILE}model_key = 'RWQ'")).contains("minisign"));
        let named = |line: &str| refused(&format!("{FILE}[environments]\n{line}"));
        assert!(named("kitchen = 'kitchen:3'").contains("names no world"));
        assert!(named("'a/b' = 'household:0..9'").contains("a/b"));
        let held = format!("constrain = true\n{FILE}[environments]\nlab = 'scienceworld:dev'");
        assert!(refused(&held).contains("lab: scienceworld:dev"));
        let secure = "models = 'm'\nstate = 's'\nlisten = ['tls:127.0.0.1:1']\n";
        assert!(refused(secure).contains("tls.certificate"));
        assert!(refused(&format!("{secure}[tls]\nkey = 'k'")).contains("certificate"));
        let with_files = format!("{secure}[tls]\ncertificate = 'c'\nkey = 'k'\n");
        let config = with_file(&with_files, Flags::default()).unwrap();
        let again = with_file(&config.to_toml().unwrap(), Flags::default()).unwrap();
        assert_eq!(again, config);
    }
}
