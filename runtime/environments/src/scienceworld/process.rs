//! The simulator's process: started, listened to, and never left behind.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::jar::Jar;
use super::java::Java;

/// How much of what the process says is kept for error messages.
const KEPT: usize = 2 << 10;
/// Longest first line that can be a port.
const LONGEST_PORT: usize = 16;

/// A program that prints the port of a Py4J gateway on its first line and ends when its standard input does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Launch {
    /// The simulator on a Java runtime with a heap of at most so many MiB. The whole process takes some 100 MiB more.
    ///
    /// Unlike the official package's, its episodes are reproducible: the same actions give the same texts and scores.
    ///
    /// Like the official package, the gateway asks for no password: while it runs, every user of this machine can reach it
    /// on a loopback port, and through it act as the user who started it.
    #[must_use]
    pub fn simulator(java: &Java, jar: &Jar, heap_mib: u32) -> Self {
        let heap = format!("-Xmx{heap_mib}m");
        let fixed = [
            // One collector thread: the simulator is single-threaded, and so is our use of it.
            "-XX:+UseSerialGC",
            // The simulator goes through sets of objects in the order of their identity hashes, which Java draws by chance:
            // things are listed, and plants pollinated, differently in every run. With one hash for all objects the sets
            // keep another, fixed order, and the same actions have the same effects, whatever was played before.
            "-XX:+UnlockExperimentalVMOptions",
            "-XX:+IgnoreUnrecognizedVMOptions",
            "-XX:hashCode=2",
            "-cp",
        ];
        let mut arguments: Vec<OsString> = vec![heap.into()];
        arguments.extend(fixed.map(OsString::from));
        arguments.push(jar.path().into());
        arguments.extend(["py4j.GatewayServer", "--die-on-broken-pipe", "0"].map(OsString::from));
        Self::program(java.program(), arguments)
    }

    /// Any program that behaves like that.
    pub fn program(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }
}

/// Why the process cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It cannot be started at all.
    #[error("{}: cannot be started", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It printed no port in time.
    #[error("the simulator printed no port within {} s; it said: {said}", limit.as_secs_f32())]
    Silent {
        /// How long it had.
        limit: Duration,
        /// The end of what it said.
        said: String,
    },
    /// Its first line is no port.
    #[error("the simulator's first line is no port; it said: {said}")]
    NoPort {
        /// The end of what it said.
        said: String,
    },
}

/// A running simulator. Dropping it kills and reaps the process; when we die in whatever way, it ends by itself, because its
/// standard input ends.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    _stdin: Option<ChildStdin>,
    port: u16,
    said: Said,
    /// Its working folder, removed when it is gone.
    _scratch: tempfile::TempDir,
}

impl Process {
    /// Starts the program and waits for its port.
    pub(super) fn start(launch: &Launch, limit: Duration) -> Result<Self, ProcessError> {
        // The simulator writes a file (object_type_ids.tsv) where it is started.
        let scratch = tempfile::tempdir().map_err(|source| ProcessError::Spawn {
            program: launch.program.clone(),
            source,
        })?;
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .current_dir(scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        apart_from_the_terminal(&mut command);
        let spawn = |source| ProcessError::Spawn {
            program: launch.program.clone(),
            source,
        };
        let mut child = command.spawn().map_err(spawn)?;
        let stdin = child.stdin.take();
        let said = Said::default();
        let (first_line, port) = mpsc::channel();
        let threads = [
            child
                .stdout
                .take()
                .map(|pipe| listen(pipe, said.clone(), Some(first_line))),
            child
                .stderr
                .take()
                .map(|pipe| listen(pipe, said.clone(), None)),
        ];
        // From here on, whatever goes wrong, the drop ends the child.
        let mut process = Self {
            child,
            _stdin: stdin,
            port: 0,
            said,
            _scratch: scratch,
        };
        for thread in threads.into_iter().flatten() {
            thread.map_err(spawn)?;
        }
        process.port = process.wait_for_port(&port, limit)?;
        Ok(process)
    }

    /// The port it listens on.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What became of it, for error messages.
    pub(super) fn report(&mut self) -> String {
        let said = self.said.tail();
        match self.child.try_wait() {
            Ok(Some(status)) => format!("it ended ({status}) and last said: {said}"),
            _ => format!("it was still running and last said: {said}"),
        }
    }

    fn wait_for_port(
        &self,
        first_line: &Receiver<Vec<u8>>,
        limit: Duration,
    ) -> Result<u16, ProcessError> {
        use mpsc::RecvTimeoutError::{Disconnected, Timeout};
        let line = first_line
            .recv_timeout(limit)
            .map_err(|error| match error {
                Timeout => ProcessError::Silent {
                    limit,
                    said: self.said.tail(),
                },
                Disconnected => self.no_port(),
            })?;
        str::from_utf8(&line)
            .ok()
            .and_then(|line| line.trim().parse().ok())
            .filter(|port| *port != 0)
            .ok_or_else(|| self.no_port())
    }

    fn no_port(&self) -> ProcessError {
        // What it says about the reason comes by the other pipe, perhaps a moment later.
        thread::sleep(Duration::from_millis(50));
        ProcessError::NoPort {
            said: self.said.tail(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended and been reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An interrupt typed at the terminal goes to all of its foreground processes; whether the simulator ends is for us to say.
#[cfg(unix)]
fn apart_from_the_terminal(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn apart_from_the_terminal(_command: &mut Command) {}

/// The end of what a process said.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<VecDeque<u8>>>);

impl Said {
    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }

    fn tail(&self) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(kept.make_contiguous())
            .trim()
            .to_owned();
        if text.is_empty() {
            "nothing".to_owned()
        } else {
            text
        }
    }
}

/// Reads a pipe to its end, so that the process never waits for a reader.
fn listen(
    mut pipe: impl Read + Send + 'static,
    said: Said,
    mut first_line: Option<Sender<Vec<u8>>>,
) -> io::Result<()> {
    let run = move || {
        let mut line = Vec::new();
        let mut bytes = [0; 8 << 10];
        loop {
            let length = match pipe.read(&mut bytes) {
                Ok(0) => return,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let read = &bytes[..length];
            said.add(read);
            if first_line.is_some() {
                let end = read.iter().position(|byte| *byte == b'\n');
                line.extend_from_slice(&read[..end.unwrap_or(length)]);
                if end.is_some() || line.len() > LONGEST_PORT {
                    // Nobody waits any more when the time was over.
                    let _ = first_line
                        .take()
                        .map(|sender| sender.send(std::mem::take(&mut line)));
                }
            }
        }
    };
    thread::Builder::new()
        .name("simulator-output".to_owned())
        .stack_size(64 << 10)
        .spawn(run)
        .map(drop)
}
