//! Finding a Java runtime.

use std::env;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Oldest version that the simulator was compiled for and that is still had.
pub const OLDEST: u32 = 11;
/// What `java -version` says fits into this many bytes; the rest is not read.
const MOST_SAID: u64 = 16 << 10;

/// Why there is no Java runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JavaError {
    /// None was found.
    #[error(
        "{}: no Java runtime there; ScienceWorld's simulator needs one of version {OLDEST} or later: run \
         `make scienceworld`, install openjdk-17-jre-headless (Debian, Ubuntu) or the like, or set JAVA_HOME",
        program.display()
    )]
    Missing {
        /// What was tried.
        program: PathBuf,
    },
    /// It does not run.
    #[error("{}: does not run", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its version is not understood.
    #[error("{} -version: said `{said}`, in which there is no version", program.display())]
    NoVersion {
        /// The program.
        program: PathBuf,
        /// The beginning of what it said.
        said: String,
    },
    /// It is too old.
    #[error(
        "{}: is Java {version}, and ScienceWorld's simulator needs {OLDEST} or later; install a newer one and set JAVA_HOME",
        program.display()
    )]
    Old {
        /// The program.
        program: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// A Java runtime of a version that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    program: PathBuf,
    version: u32,
}

impl Java {
    /// Takes `$JAVA_HOME/bin/java`, else `java` of the search path.
    ///
    /// # Errors
    /// When there is none, when it does not run, or when it is too old.
    pub fn find() -> Result<Self, JavaError> {
        let home = env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
        let at_home = home.map(|home| Path::new(&home).join("bin").join("java"));
        match at_home.filter(|program| program.is_file()) {
            Some(program) => Self::check(&program),
            None => Self::check(Path::new("java")),
        }
    }

    /// Asks a program for its version.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn check(program: &Path) -> Result<Self, JavaError> {
        let said = ask(program).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => JavaError::Missing {
                program: program.to_owned(),
            },
            _ => JavaError::Run {
                program: program.to_owned(),
                source,
            },
        })?;
        let version = major(&said).ok_or_else(|| JavaError::NoVersion {
            program: program.to_owned(),
            said: said.trim().chars().take(200).collect(),
        })?;
        if version < OLDEST {
            return Err(JavaError::Old {
                program: program.to_owned(),
                version,
            });
        }
        Ok(Self {
            program: program.to_owned(),
            version,
        })
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its major version, such as 17.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }
}

fn ask(program: &Path) -> io::Result<String> {
    let mut child = Command::new(program)
        .arg("-version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // Dropping the pipe afterwards ends a program that goes on talking.
        stderr.take(MOST_SAID).read_to_end(&mut said)?;
    }
    child.wait()?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// The major version in `openjdk version "17.0.15" 2025-04-15`; 8 and older call themselves 1.8.
fn major(said: &str) -> Option<u32> {
    let (_, quoted) = said.split_once("version \"")?;
    let mut parts = quoted.split(|c: char| !c.is_ascii_digit());
    match parts.next()?.parse().ok()? {
        1 => parts.next()?.parse().ok(),
        version => Some(version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_vendors_write_them() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\n"), Some(17));
        assert_eq!(major("java version \"1.8.0_202\""), Some(8));
        assert_eq!(
            major("Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"21-ea\" 2023"),
            Some(21)
        );
        assert_eq!(major("openjdk version \"11\""), Some(11));
        assert_eq!(major("java: command not found"), None);
        assert_eq!(major("version \"\""), None);
    }

    #[test]
    fn a_missing_runtime_says_what_to_install() {
        let error = Java::check(Path::new("/no/such/java"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("openjdk-17-jre-headless"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_java_is_told() {
        let error = Java::check(Path::new("true")).unwrap_err();
        assert!(matches!(error, JavaError::NoVersion { .. }), "{error}");
    }
}
