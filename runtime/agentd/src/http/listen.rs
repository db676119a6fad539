//! Where the daemon listens.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::given::{Given, GivenSocket};
use super::tls::Tls;
use crate::config::Config;

/// A place to listen at: `unix:PATH`, `tcp:ADDRESS:PORT`, or `tls:ADDRESS:PORT` for TCP with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// A Unix socket.
    Unix(PathBuf),
    /// An address of this machine.
    Tcp(SocketAddr),
    /// An address of this machine, with TLS.
    Tls(SocketAddr),
}

/// A text that names no place to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place to listen at: write unix:PATH, tcp:ADDRESS:PORT or tls:ADDRESS:PORT, for example tcp:127.0.0.1:7080"
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
        let address = |text: &str| text.to_socket_addrs().ok()?.next();
        let plain = text.strip_prefix("tcp:").and_then(address);
        let secure = text.strip_prefix("tls:").and_then(address);
        plain
            .map(Self::Tcp)
            .or(secure.map(Self::Tls))
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
            Self::Tls(address) => write!(f, "tls:{address}"),
        }
    }
}

/// A socket that takes connections.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: Socket,
    pub(super) tls: Option<Tls>,
    place: Place,
    /// The socket's file is ours, to be removed when the daemon ends in order.
    ours: bool,
}

/// Either kind of socket.
#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixListener),
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
    #[error("{place}: another process listens there")]
    InUse {
        /// Where.
        place: Place,
    },
    /// Something else than a socket is there.
    #[error("unix:{}: something else than a socket is there; it is left alone", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A socket that was handed over and that the settings do not name.
    #[error(
        "{what} was handed over (LISTEN_FDS), and `listen` does not name it; add it there or take it out of the socket unit"
    )]
    Unnamed {
        /// What it is.
        what: String,
    },
    /// Beyond this machine without protection.
    #[error(
        "{place} can be reached from other machines, and nothing protects it: listen there with TLS and tokens \
         (tls:ADDRESS:PORT, --tls-certificate, --tls-key, --tokens), at a loopback address or a Unix socket, or say \
         --allow-remote if a tunnel or a proxy guards this address"
    )]
    Exposed {
        /// Where.
        place: Place,
    },
}

/// How long a place that is taken is asked for again.
const PATIENCE: Duration = Duration::from_secs(2);

impl Listener {
    /// Listens at a place: with the socket that whoever started the daemon has opened for it, else with one of its own. `mode` are
    /// the permissions of its own socket file.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn open(
        config: &Config,
        place: &Place,
        given: &mut Given,
        tls: Option<&Tls>,
    ) -> Result<Self, ListenError> {
        let mode = config.socket_mode().unwrap_or(0o600);
        let exposed = config.may_be_exposed(place);
        let mut listener = match given.take(place) {
            Some(socket) => {
                check(place, exposed)?;
                Self::adopt(socket, place)?
            }
            None => Self::bind_when_free(place, mode, exposed).await?,
        };
        listener.tls = tls.filter(|_| matches!(place, Place::Tls(_))).cloned();
        Ok(listener)
    }

    /// Like [`Self::bind`], with a little patience for a place that is taken: a daemon that was just killed may have left a child
    /// behind that was about to become its worker and holds the socket until then.
    async fn bind_when_free(place: &Place, mode: u32, exposed: bool) -> Result<Self, ListenError> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            match Self::bind(place, mode, exposed).await {
                Err(ListenError::InUse { .. }) if tokio::time::Instant::now() < end => {
                    tokio::time::sleep(PATIENCE / 40).await;
                }
                done => return done,
            }
        }
    }

    /// Listens. A socket file that nobody listens at is left over from a daemon that was killed, and replaced. `mode` are the
    /// permissions of a socket file; only when `exposed` may other machines reach the place.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn bind(place: &Place, mode: u32, exposed: bool) -> Result<Self, ListenError> {
        check(place, exposed)?;
        let failed = |source: io::Error| {
            let place = place.clone();
            match source.kind() {
                io::ErrorKind::AddrInUse => ListenError::InUse { place },
                _ => ListenError::Bind { place, source },
            }
        };
        let socket = match place {
            Place::Tcp(address) | Place::Tls(address) => {
                Socket::Tcp(TcpListener::bind(address).await.map_err(failed)?)
            }
            Place::Unix(path) => {
                make_way(path).await?;
                let listener = UnixListener::bind(path).map_err(failed)?;
                let permissions = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(path, permissions).map_err(failed)?;
                Socket::Unix(listener)
            }
        };
        Self::at(socket, place, true)
    }

    fn adopt(socket: GivenSocket, place: &Place) -> Result<Self, ListenError> {
        let ready = match socket {
            GivenSocket::Unix(listener) => listener
                .set_nonblocking(true)
                .and_then(|()| UnixListener::from_std(listener))
                .map(Socket::Unix),
            GivenSocket::Tcp(listener) => listener
                .set_nonblocking(true)
                .and_then(|()| TcpListener::from_std(listener))
                .map(Socket::Tcp),
        };
        let socket = ready.map_err(|source| ListenError::Bind {
            place: place.clone(),
            source,
        })?;
        Self::at(socket, place, false)
    }

    /// The port may be one that the system chose.
    fn at(socket: Socket, wanted: &Place, ours: bool) -> Result<Self, ListenError> {
        let place = match (&socket, wanted) {
            (Socket::Tcp(listener), Place::Tcp(_)) => listener.local_addr().map(Place::Tcp),
            (Socket::Tcp(listener), Place::Tls(_)) => listener.local_addr().map(Place::Tls),
            _ => Ok(wanted.clone()),
        };
        let place = place.map_err(|source| ListenError::Bind {
            place: wanted.clone(),
            source,
        })?;
        Ok(Self {
            socket,
            tls: None,
            place,
            ours,
        })
    }

    /// Where it listens, with the port that the system chose if none was named.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let (Place::Unix(path), true) = (&self.place, self.ours) {
            // Left over at worst, and then replaced by the next daemon.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn check(place: &Place, exposed: bool) -> Result<(), ListenError> {
    match place {
        Place::Tcp(address) | Place::Tls(address) if !address.ip().is_loopback() && !exposed => {
            let place = place.clone();
            Err(ListenError::Exposed { place })
        }
        _ => Ok(()),
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
        let place = Place::Unix(path);
        return Err(ListenError::InUse { place });
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
        for text in [
            "unix:/run/a.sock",
            "tcp:127.0.0.1:7080",
            "tcp:[::1]:80",
            "tls:0.0.0.0:1",
        ] {
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
        let place: Place = "tls:0.0.0.0:0".parse().unwrap();
        let refused = Listener::bind(&place, 0, false).await;
        assert!(matches!(refused, Err(ListenError::Exposed { .. })));
    }
}
