//! A daemon in a folder of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use stride_client::{Address, Client, Retries};
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_stride-agentd");
pub const MODEL: &str = "stride-household-q8_0";

/// Long enough on a machine that does much else; no test asserts a time.
pub const PATIENCE: Duration = Duration::from_secs(600);

pub fn shipped_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models")
        .join(format!("{MODEL}.gguf"))
}

/// A folder with models, a state and a socket, and the daemon on them, if one runs.
pub struct Place {
    pub folder: TempDir,
    daemon: Option<Child>,
    extra: Vec<String>,
    settings: String,
}

impl Place {
    pub fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            daemon: None,
            extra: Vec::new(),
            settings: String::new(),
        };
        fs::create_dir(place.models()).unwrap();
        fs::copy(
            shipped_model(),
            place.models().join(format!("{MODEL}.gguf")),
        )
        .unwrap();
        place
    }

    /// With more flags.
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.extra
            .extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// With a settings file.
    pub fn with_settings(mut self, settings: &str) -> Self {
        self.settings = settings.to_owned();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn models(&self) -> PathBuf {
        self.path("models")
    }

    pub fn socket(&self) -> PathBuf {
        self.path("agentd.sock")
    }

    /// The command that starts the daemon.
    pub fn command(&self, program: &str) -> Command {
        let settings = self.path("agentd.toml");
        fs::write(&settings, format!("model = \"{MODEL}\"\n{}", self.settings)).unwrap();
        let mut command = Command::new(program);
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        command
            .env_clear()
            .env("STRIDE_AGENTD_LOG_FORMAT", "text")
            .arg("--config")
            .arg(settings)
            .arg("--models")
            .arg(self.models())
            .arg("--state")
            .arg(self.path("state"))
            .arg("--listen")
            .arg(format!("unix:{}", self.socket().display()))
            .arg("--constrain")
            .args(&self.extra)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    /// Starts the daemon and does not wait.
    pub fn spawn(&mut self) {
        assert!(self.daemon.is_none(), "it runs already");
        self.daemon = Some(self.command(PROGRAM).spawn().unwrap());
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&mut self) {
        self.spawn();
        self.wait_ready();
    }

    /// A started daemon.
    pub fn started(mut self) -> Self {
        self.start();
        self
    }

    pub fn adopt(&mut self, daemon: Child) {
        self.daemon = Some(daemon);
    }

    pub fn wait_ready(&mut self) {
        let client = self.client_once();
        self.wait_until("ready", |_| client.ready().is_ok_and(|ready| ready.ready));
    }

    /// Waits for something that must come.
    pub fn wait_until(&mut self, what: &str, mut come: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !come(self) {
            if let Some(daemon) = &mut self.daemon
                && let Some(status) = daemon.try_wait().unwrap()
            {
                panic!(
                    "the daemon ended ({status}) before it was {what}:\n{}",
                    self.log()
                );
            }
            assert!(start.elapsed() < PATIENCE, "never {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for something that must come although no daemon runs.
    pub fn wait_without_daemon(&self, mut come: impl FnMut() -> bool) {
        let start = Instant::now();
        while !come() {
            assert!(start.elapsed() < PATIENCE, "never:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().unwrap().id()
    }

    pub fn is_running(&mut self) -> bool {
        self.daemon
            .as_mut()
            .is_some_and(|daemon| daemon.try_wait().unwrap().is_none())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// SIGTERM, and waits; true when it ended in order.
    pub fn stop(&mut self) -> bool {
        let mut daemon = self.daemon.take().unwrap();
        signal(daemon.id(), Signal::TERM);
        daemon.wait().unwrap().success()
    }

    /// The daemon's worker, once there is one.
    pub fn worker(&mut self) -> u32 {
        let pid = self.pid();
        let mut found = None;
        self.wait_until("with a worker", |_| {
            found = children(pid).first().copied();
            found.is_some()
        });
        found.unwrap()
    }

    /// A client that tries again, for long.
    pub fn client(&self) -> Client {
        self.client_once().with_retries(Retries {
            within: PATIENCE,
            first: Duration::from_millis(5),
            longest: Duration::from_millis(100),
        })
    }

    /// A client that tries once.
    pub fn client_once(&self) -> Client {
        Client::new(Address::Unix(self.socket())).with_retries(Retries {
            within: Duration::ZERO,
            ..Retries::default()
        })
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A value of `/metrics`.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.client().text("/metrics").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

/// A stream that one can give up waiting for.
pub trait Impatient: Read + Write {
    fn wait_at_most(&self, time: Duration);
}

impl Impatient for UnixStream {
    fn wait_at_most(&self, time: Duration) {
        self.set_read_timeout(Some(time)).unwrap();
    }
}

impl Impatient for TcpStream {
    fn wait_at_most(&self, time: Duration) {
        self.set_read_timeout(Some(time)).unwrap();
    }
}

/// Sends bytes and returns what comes back until the daemon closes, if it does within a while.
pub fn say_on(mut socket: impl Impatient, bytes: &[u8]) -> String {
    socket.wait_at_most(Duration::from_secs(60));
    // The daemon may close before it has heard everything.
    let _ = socket.write_all(bytes);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    // It may have ended meanwhile.
    let _ = kill_process(pid, signal);
}

/// The processes whose parent is `parent`, those that have ended left out.
pub fn children(parent: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name, which may hold anything, come the state and the parent.
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let state = fields.next();
        if state != Some("Z") && fields.next() == Some(&parent.to_string()) {
            children.push(pid);
        }
    }
    children
}

pub fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
