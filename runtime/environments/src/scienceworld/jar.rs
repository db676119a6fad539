//! Where the simulator lies.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The version of the simulator that everything here was compared with.
pub const VERSION: &str = "1.2.3";
/// The variable that names the jar.
pub const JAR_VARIABLE: &str = "SCIENCEWORLD_JAR";
/// SHA-256 of `scienceworld/scienceworld.jar` in the PyPI wheel `scienceworld-1.2.3-py3-none-any.whl`.
const JAR_SHA256: &str = "f4e1fdce0cdabe1bab7128a7e78ea820210d9db3c28d7272bcbbc3f3a1c5f0d7";

/// Why the simulator cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JarError {
    /// It is not there.
    #[error(
        "{}: ScienceWorld's simulator is not there; run `make scienceworld`, or set {JAR_VARIABLE}",
        path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is no place to look at.
    #[error(
        "ScienceWorld's simulator cannot be looked for: none of {JAR_VARIABLE}, XDG_CACHE_HOME and HOME is set; \
         set {JAR_VARIABLE}"
    )]
    NoPlace,
    /// It is there and cannot be read.
    #[error("{}: ScienceWorld's simulator cannot be read", path.display())]
    Read {
        /// The jar.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is another file.
    #[error(
        "{}: not the simulator of ScienceWorld {VERSION}: its SHA-256 is {found} and not {JAR_SHA256}; remove it and \
         run `make scienceworld`",
        path.display()
    )]
    Changed {
        /// The jar.
        path: PathBuf,
        /// Its SHA-256 in hexadecimal.
        found: String,
    },
}

/// The simulator's jar, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jar(PathBuf);

impl Jar {
    /// Finds the jar at `$SCIENCEWORLD_JAR`, else in `stride/` of the user's cache folder, where `make scienceworld` puts
    /// it, and compares its SHA-256.
    ///
    /// # Errors
    /// When it is missing, cannot be read, or is another file than the one all results were obtained with.
    pub fn find() -> Result<Self, JarError> {
        Self::check(&place()?)
    }

    /// Takes the jar at a path, as [`find`](Self::find) does.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn check(path: &Path) -> Result<Self, JarError> {
        let found = match sha256(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(JarError::Missing {
                    path: path.to_owned(),
                });
            }
            Err(source) => {
                return Err(JarError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        if found == JAR_SHA256 {
            Ok(Self(
                std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            ))
        } else {
            Err(JarError::Changed {
                path: path.to_owned(),
                found,
            })
        }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn place() -> Result<PathBuf, JarError> {
    let folder = |variable| env::var_os(variable).filter(|value| !value.is_empty());
    if let Some(path) = folder(JAR_VARIABLE) {
        return Ok(PathBuf::from(path));
    }
    let cache = folder("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| folder("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .ok_or(JarError::NoPlace)?;
    Ok(cache
        .join("stride")
        .join(format!("scienceworld-{VERSION}.jar")))
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_refused_and_a_missing_one_says_what_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jar");
        let error = Jar::check(&path).unwrap_err().to_string();
        assert!(error.contains("make scienceworld"), "{error}");
        std::fs::write(&path, "abc").unwrap();
        let error = Jar::check(&path).unwrap_err();
        // FIPS 180-2, appendix B.1.
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(
            matches!(&error, JarError::Changed { found, .. } if found == of_abc),
            "{error}"
        );
        assert!(matches!(
            Jar::check(folder.path()),
            Err(JarError::Read { .. })
        ));
    }
}
