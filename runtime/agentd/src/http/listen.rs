//! Where the daemon listens.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// A place to listen at: `unix:PATH` or `tcp:ADDRESS:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// A Unix socket.
    Unix(PathBuf),
    /// An address of this machine.
    Tcp(SocketAddr),
}

/// A text that names no place to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place to listen at: write unix:PATH or tcp:ADDRESS:PORT, for example tcp:127.0.0.1:7080"
)]
pub struct NoPlace(String);

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        if let Some(path) = text.strip_prefix("unix:")
            && !path.is_empty()
        {
            return Ok(Self::Unix(path.into()));
        }
        text.strip_prefix("tcp:")
            .and_then(|address| address.to_socket_addrs().ok()?.next())
            .map(Self::Tcp)
            .ok_or_else(|| NoPlace(text.into()))
    }
}

impl TryFrom<String> for Place {
    type Error = NoPlace;

    fn try_from(text: String) -> Result<Self, NoPlace> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// A socket that takes connections.
#[derive(Debug)]
pub enum Listener {
    /// A Unix socket; its file is removed when the daemon ends in order.
    Unix(UnixListener, PathBuf),
    /// TCP.
    Tcp(TcpListener),
}

/// Why the daemon cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The system refuses.
    #[error("{place}: {source}")]
    Bind {
        /// Where.
        place: Place,
        /// What it said.
        source: io::Error,
    },
    /// Another process listens there.
    #[error("unix:{}: another process listens there", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else than a socket is there.
    #[error("unix:{}: something else than a socket is there; it is left alone", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Beyond this machine without protection.
    #[error(
        "{place} can be reached from other machines, and nothing protects it: listen at a loopback address or a Unix socket, \
         or say --allow-remote if a tunnel or a proxy guards this address"
    )]
    Exposed {
        /// Where.
        place: Place,
    },
}

impl Listener {
    /// Listens. A socket file that nobody listens at is left over from a daemon that was killed, and replaced. `mode` are the
    /// permissions of a socket file.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn bind(place: &Place, mode: u32, allow_remote: bool) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Bind {
            place: place.clone(),
            source,
        };
        match place {
            Place::Tcp(address) => {
                if !address.ip().is_loopback() && !allow_remote {
                    let place = place.clone();
                    return Err(ListenError::Exposed { place });
                }
                TcpListener::bind(address)
                    .await
                    .map(Self::Tcp)
                    .map_err(failed)
            }
            Place::Unix(path) => {
                make_way(path).await?;
                let listener = UnixListener::bind(path).map_err(failed)?;
                let permissions = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(path, permissions).map_err(failed)?;
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }

    /// Where it listens, with the port that the system chose if none was named.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn place(&self) -> io::Result<Place> {
        match self {
            Self::Unix(_, path) => Ok(Place::Unix(path.clone())),
            Self::Tcp(listener) => listener.local_addr().map(Place::Tcp),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Left over at worst, and then replaced by the next daemon.
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn make_way(path: &Path) -> Result<(), ListenError> {
    let Ok(there) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let path = path.to_owned();
    if !there.file_type().is_socket() {
        return Err(ListenError::NotASocket { path });
    }
    if UnixStream::connect(&path).await.is_ok() {
        return Err(ListenError::InUse { path });
    }
    std::fs::remove_file(&path).map_err(|source| ListenError::Bind {
        place: Place::Unix(path),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_and_the_rest_is_refused() {
        for text in ["unix:/run/a.sock", "tcp:127.0.0.1:7080", "tcp:[::1]:80"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "unix:", "tcp:", "tcp:127.0.0.1", "/run/a.sock"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let place = Place::Unix(path.clone());
        let first = Listener::bind(&place, 0o660, false).await.unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let second = Listener::bind(&place, 0o660, false).await;
        assert!(matches!(second, Err(ListenError::InUse { .. })));
        drop(first);
        assert!(!path.exists());
        // What a killed daemon leaves behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        Listener::bind(&place, 0o600, false).await.unwrap();
        std::fs::write(&path, "mine").unwrap();
        let third = Listener::bind(&place, 0o660, false).await;
        assert!(matches!(third, Err(ListenError::NotASocket { .. })));
    }

    #[tokio::test]
    async fn other_machines_are_kept_out() {
        let place: Place = "tcp:0.0.0.0:0".parse().unwrap();
        let refused = Listener::bind(&place, 0, false).await;
        assert!(matches!(refused, Err(ListenError::Exposed { .. })));
        assert!(Listener::bind(&place, 0, true).await.is_ok());
    }
}
