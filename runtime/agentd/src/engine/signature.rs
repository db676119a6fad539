//! Who made a model: signatures of minisign, `NAME.gguf.minisig` beside `NAME.gguf`.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use minisign_verify::{PublicKey, Signature, StreamVerifier};
use serde::{Deserialize, Serialize};

use crate::files;

/// Bytes of a signature file at most; minisign itself writes a few hundred.
const SIGNATURE: u64 = 64 << 10;

/// The public key of those whose models are served: the second line of `minisign.pub`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelKey {
    text: String,
    key: PublicKey,
}

/// A text that is no public key.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is no public key of minisign ({source}); write the second line of minisign.pub, which begins with RW"
)]
pub struct NoKey {
    text: String,
    source: minisign_verify::Error,
}

/// Why a model is not taken for genuine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature file, or it cannot be read.
    #[error("a signed model is wanted, and its signature {}: {source}; sign it with `minisign -S`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The signature is damaged, by another key, or of another file.
    #[error(
        "its signature is not by the key of the settings (model_key), or not for this file: {0}"
    )]
    Wrong(#[from] minisign_verify::Error),
}

impl FromStr for ModelKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        match PublicKey::from_base64(text) {
            Ok(key) => Ok(Self {
                text: text.into(),
                key,
            }),
            Err(source) => Err(NoKey {
                text: text.into(),
                source,
            }),
        }
    }
}

impl TryFrom<String> for ModelKey {
    type Error = NoKey;

    fn try_from(text: String) -> Result<Self, NoKey> {
        text.parse()
    }
}

impl From<ModelKey> for String {
    fn from(key: ModelKey) -> Self {
        key.text
    }
}

impl ModelKey {
    /// What looks at the bytes of a file while they are read.
    ///
    /// # Errors
    /// When the signature is by another key.
    pub fn verifier<'a>(
        &'a self,
        signature: &'a Signature,
    ) -> Result<StreamVerifier<'a>, SignatureError> {
        Ok(self.key.verify_stream(signature)?)
    }
}

/// The signature beside a model.
///
/// # Errors
/// When there is none.
pub fn read(model: &Path) -> Result<Signature, SignatureError> {
    let mut path = model.as_os_str().to_owned();
    path.push(".minisig");
    let path = PathBuf::from(path);
    match files::read_text(&path, SIGNATURE) {
        Ok(text) => Ok(Signature::decode(&text)?),
        Err(source) => Err(SignatureError::Missing { path, source }),
    }
}
