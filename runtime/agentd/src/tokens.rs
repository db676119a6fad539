//! Bearer tokens, hashed at rest.
//!
//! The file has one token a line: a name, the SHA-256 of the token in hexadecimal digits, and when it expires, in seconds since
//! 1970 or `never`. A token is 256 random bits, so a plain hash is enough: there is nothing to guess. Lines that begin with `#`
//! are comments.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::files;

/// Bytes of the file at most.
const FILE: u64 = 1 << 20;

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It cannot be read or written.
    #[error("tokens {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line that is none.
    #[error(
        "tokens {}, line {line}: write NAME SHA256 EXPIRES, or let `stride-agentd token` write it",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
    },
    /// A name that cannot stand in the file.
    #[error(
        "a token's name has 1 to 32 ASCII letters, digits, `-` and `_`, and no other token of the file has it"
    )]
    Name,
}

/// One token, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    name: String,
    hash: [u8; 32],
    expires_at: Option<u64>,
}

/// The tokens of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEntry {
    /// Nobody knows it.
    Unknown,
    /// Its time is over.
    Expired,
}

impl Tokens {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let text = files::read_text(path, FILE).map_err(|source| failed(path, source))?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, TokenError> {
        let mut tokens = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            tokens.push(parse(line).ok_or(TokenError::Line {
                path: path.into(),
                line: at + 1,
            })?);
        }
        Ok(Self(tokens))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of a token. Every token is compared, each in constant time.
    ///
    /// # Errors
    /// [`NoEntry`].
    pub fn check(&self, token: &str, now: u64) -> Result<&str, NoEntry> {
        let hash = hash(token);
        let mut found = None;
        for known in &self.0 {
            if bool::from(known.hash.ct_eq(&hash)) {
                found = Some(known);
            }
        }
        let found = found.ok_or(NoEntry::Unknown)?;
        match found.expires_at {
            Some(at) if at <= now => Err(NoEntry::Expired),
            _ => Ok(&found.name),
        }
    }
}

/// Draws a token, adds its hash to the file (which is made if it is not there, for its owner alone), and returns it. It is shown
/// this once and kept nowhere.
///
/// # Errors
/// [`TokenError`].
pub fn add(path: &Path, name: &str, expires_at: Option<u64>) -> Result<String, TokenError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut text = match files::read_text(path, FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|source| failed(path, source))?,
    };
    let known = Tokens::parse(&text, path)?;
    let taken = known.0.iter().any(|token| token.name == name);
    if taken || name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
        return Err(TokenError::Name);
    }
    let secret: [u8; 32] = rand::random();
    let token = format!("stride_{}", hex(&secret));
    let expires = expires_at.map_or("never".into(), |at| at.to_string());
    // Whoever wrote the last line by hand may not have ended it.
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{name} {} {expires}\n", hex(&hash(&token))));
    files::replace(path, text.as_bytes(), 0o600).map_err(|source| failed(path, source))?;
    Ok(token)
}

fn failed(path: &Path, source: io::Error) -> TokenError {
    TokenError::File {
        path: path.into(),
        source,
    }
}

fn parse(line: &str) -> Option<Token> {
    let mut words = line.split_whitespace();
    let (name, digits, expires) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    let expires_at = match expires {
        "never" => None,
        seconds => Some(seconds.parse().ok()?),
    };
    Some(Token {
        name: name.into(),
        hash,
        expires_at,
    })
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_known_by_their_hash_until_they_expire() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let robot = add(&path, "robot", Some(100)).unwrap();
        let kiosk = add(&path, "kiosk", None).unwrap();
        assert!(matches!(add(&path, "kiosk", None), Err(TokenError::Name)));
        assert!(matches!(add(&path, "a b", None), Err(TokenError::Name)));
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(!kept.contains(&robot) && !kept.contains(&robot[7..]));
        let tokens = Tokens::read(&path).unwrap();
        assert_eq!(tokens.check(&robot, 99), Ok("robot"));
        assert_eq!(tokens.check(&robot, 100), Err(NoEntry::Expired));
        assert_eq!(tokens.check(&kiosk, u64::MAX), Ok("kiosk"));
        assert_eq!(tokens.check("", 0), Err(NoEntry::Unknown));
        assert_eq!(
            tokens.check(&robot[..robot.len() - 1], 0),
            Err(NoEntry::Unknown)
        );
    }

    #[test]
    fn lines_that_are_none_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Tokens::read(file.path()).unwrap_err().to_string()
        };
        assert!(refused("# a comment\n\nrobot").contains("line 3"));
        assert!(refused("robot 00 never").contains("line 1"));
        assert!(refused(&format!("robot {} soon", "0".repeat(64))).contains("line 1"));
        assert!(refused(&format!("robot {} never more", "0".repeat(64))).contains("line 1"));
        assert!(refused(&format!("robot {} never", "é".repeat(32))).contains("line 1"));
    }
}
