//! A policy file under its name.

use std::io;
use std::path::PathBuf;

use stride_engine::{digest, digest_each};

use super::opened::Opened;
use super::signature::{self, ModelKey, SignatureError};
use crate::files;

/// Bytes of a model's name at most.
pub const NAME: usize = 64;

/// Bytes of a file that holds a name or a checksum, at most.
const NOTE: u64 = 4096;

/// A GGUF file in the models folder.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its name: that of the file, without the ending.
    pub name: String,
    /// Where the file was found.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// The file itself: it may be replaced by another under its name.
    pub file: Opened,
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A name that could lead out of the folder, or that nobody would give a file.
    #[error(
        "`{name}` is no name of a model: 1 to {NAME} ASCII letters, digits, `-`, `_` and `.`, the first no dot"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// There is no such file, or it cannot be read.
    #[error("model {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is another one than its checksum file says.
    #[error(
        "model {path} has the SHA-256 {found}, its checksum file says {expected}; copy it again"
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// Of the file.
        found: String,
        /// Of the checksum file.
        expected: String,
    },
    /// Somebody writes to the file.
    #[error(
        "model {path} is being written to; write it under another name and rename it, then it is whole from the start"
    )]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// Nobody who may says that it is genuine.
    #[error("model {path}: {source}")]
    Signature {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SignatureError,
    },
    /// The worker refused it.
    #[error("model {name} was refused: {reason}")]
    Refused {
        /// Its name.
        name: String,
        /// What the worker said.
        reason: String,
    },
    /// The folder holds no model, or several, and none was named.
    #[error("the folder {folder} holds {count} models; name the one to serve (--model)")]
    Choice {
        /// The folder.
        folder: PathBuf,
        /// How many.
        count: usize,
    },
    /// The daemon shuts down.
    #[error("the daemon is shutting down")]
    Closed,
}

/// Whether a text may name a model: it becomes part of a path.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=NAME).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain)
}

/// The folder of models.
#[derive(Debug, Clone)]
pub struct Registry {
    folder: PathBuf,
    key: Option<ModelKey>,
}

impl Registry {
    /// The folder at this path; nothing is read yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, key: None }
    }

    /// The same folder, of which only models are used that this key signed, if it is one.
    #[must_use]
    pub fn signed_by(self, key: Option<ModelKey>) -> Self {
        Self { key, ..self }
    }

    /// The names of its models, in order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, ModelError> {
        let failed = |source| ModelError::File {
            path: self.folder.clone(),
            source,
        };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".gguf"))
                && is_name(name)
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The name in the file `active`, with which an operator who has no other way chooses a model.
    ///
    /// # Errors
    /// When there is such a file and it cannot be read.
    pub fn wanted(&self) -> Result<Option<String>, ModelError> {
        Ok(read_if_there(self.folder.join("active"))?.map(|text| text.trim().to_owned()))
    }

    /// The model to serve when none was named: the only one.
    ///
    /// # Errors
    /// [`ModelError::Choice`] when there is not exactly one.
    pub fn only(&self) -> Result<String, ModelError> {
        let mut names = self.names()?;
        match (names.pop(), names.len()) {
            (Some(name), 0) => Ok(name),
            (last, others) => Err(ModelError::Choice {
                folder: self.folder.clone(),
                count: others + usize::from(last.is_some()),
            }),
        }
    }

    /// The model of this name, hashed; its hash must be the one in the file beside it (`NAME.gguf.sha256`, as `sha256sum`
    /// writes it), if there is one, and its signature (`NAME.gguf.minisig`) must be by the key, if there is one.
    ///
    /// # Errors
    /// When the name is none, the file cannot be read, the hash is another one, or the signature is missing or wrong.
    pub fn find(&self, name: &str) -> Result<Model, ModelError> {
        if !is_name(name) {
            return Err(ModelError::Name { name: name.into() });
        }
        let path = self.folder.join(format!("{name}.gguf"));
        let failed = |source| ModelError::File {
            path: path.clone(),
            source,
        };
        let unsigned = |source| ModelError::Signature {
            path: path.clone(),
            source,
        };
        let signature = match &self.key {
            None => None,
            Some(key) => Some((key, signature::read(&path).map_err(unsigned)?)),
        };
        // Hash and signature are of the same bytes, read once.
        let verifier = signature
            .as_ref()
            .map(|(key, signature)| key.verifier(signature));
        let mut verifier = verifier.transpose().map_err(unsigned)?;
        let file = Opened::open(&path).map_err(failed)?;
        let (bytes, sha256) = digest_each(&file.path(), |part| {
            if let Some(verifier) = &mut verifier {
                verifier.update(part);
            }
        })
        .map_err(failed)?;
        if !file.is_untouched().map_err(failed)? {
            return Err(ModelError::Changing { path });
        }
        if let Some(mut verifier) = verifier {
            verifier
                .finalize()
                .map_err(|error| unsigned(error.into()))?;
        }
        if let Some(expected) = self.expected_hash(name)?
            && !expected.eq_ignore_ascii_case(&sha256)
        {
            return Err(ModelError::Hash {
                path,
                found: sha256,
                expected,
            });
        }
        Ok(Model {
            name: name.into(),
            path,
            sha256,
            bytes,
            file,
        })
    }

    /// The same model, to be loaded once more. Its file may have got another name meanwhile, or none. When it was written over, what
    /// it held is lost, and the model that now has its name is looked at as at first.
    ///
    /// # Errors
    /// As [`Registry::find`].
    pub fn again(&self, model: &Model) -> Result<Model, ModelError> {
        let failed = |source| ModelError::File {
            path: model.path.clone(),
            source,
        };
        if model.file.is_untouched().map_err(failed)? {
            return Ok(model.clone());
        }
        let file = model.file.now().map_err(failed)?;
        let (_, sha256) = digest(&file.path()).map_err(failed)?;
        if sha256 == model.sha256 && file.is_untouched().map_err(failed)? {
            return Ok(Model {
                file,
                ..model.clone()
            });
        }
        tracing::warn!(path = %model.path.display(), "the model's file was written over while it served");
        self.find(&model.name)
    }

    fn expected_hash(&self, name: &str) -> Result<Option<String>, ModelError> {
        let text = read_if_there(self.folder.join(format!("{name}.gguf.sha256")))?;
        Ok(text.map(|text| {
            text.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        }))
    }
}

fn read_if_there(path: PathBuf) -> Result<Option<String>, ModelError> {
    match files::read_text(&path, NOTE) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ModelError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_folder() {
        for name in ["a", "stride-household-q8_0", "v1.2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", ".a", "a/b", "../a", "a\0", "ä", "a b"] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(!is_name(&"a".repeat(NAME + 1)));
    }

    #[test]
    fn a_model_is_the_one_of_its_checksum_file() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::new(folder.path().into());
        assert!(matches!(
            registry.only(),
            Err(ModelError::Choice { count: 0, .. })
        ));
        std::fs::write(folder.path().join("a.gguf"), "weights").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert_eq!(registry.only().unwrap(), "a");
        let model = registry.find("a").unwrap();
        let sums = folder.path().join("a.gguf.sha256");
        std::fs::write(&sums, format!("{}  a.gguf\n", model.sha256)).unwrap();
        assert_eq!(registry.find("a").unwrap().sha256, model.sha256);
        // Under another name it is the same file, and a new one under its name is another.
        let path = folder.path().join("a.gguf");
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        std::fs::write(&path, "weightz").unwrap();
        let again = registry.again(&model).unwrap();
        assert_eq!(again.sha256, model.sha256);
        assert_eq!(std::fs::read(again.file.path()).unwrap(), b"weights");
        assert!(again.file.is_untouched().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::write(folder.path().join("old"), "weighty").unwrap();
        assert!(matches!(
            registry.again(&model),
            Err(ModelError::Hash { .. })
        ));
        assert!(matches!(registry.find("a"), Err(ModelError::Hash { .. })));
        assert!(matches!(registry.find("b"), Err(ModelError::File { .. })));
        std::fs::write(folder.path().join("b.gguf"), "").unwrap();
        assert!(matches!(
            registry.only(),
            Err(ModelError::Choice { count: 2, .. })
        ));
    }
}
