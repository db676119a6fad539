//! Sockets that whoever started the daemon has opened for it: systemd with a socket unit, for one (`LISTEN_FDS`).

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

use super::listen::{ListenError, Place};

/// The sockets that were handed over and not yet taken.
#[derive(Debug, Default)]
pub struct Given(Vec<GivenSocket>);

/// Either kind of socket.
#[derive(Debug)]
pub(super) enum GivenSocket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Given {
    /// Those that the environment tells of. It is to be asked once, while there is one thread: it is changed, so that no child
    /// takes the sockets for its own.
    ///
    /// # Errors
    /// When something else than a listening socket was handed over.
    pub fn from_environment() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for n in 0..handed.len() {
            let socket = match handed.take_unix_listener(n) {
                Ok(socket) => socket.map(GivenSocket::Unix),
                Err(_) => handed.take_tcp_listener(n)?.map(GivenSocket::Tcp),
            };
            sockets.extend(socket);
        }
        Ok(Self(sockets))
    }

    /// The socket of a place, if one was handed over.
    pub(super) fn take(&mut self, place: &Place) -> Option<GivenSocket> {
        let at = self.0.iter().position(|socket| socket.is_at(place))?;
        Some(self.0.swap_remove(at))
    }

    /// Nothing may be left: whoever connects there would wait for ever.
    ///
    /// # Errors
    /// [`ListenError::Unnamed`].
    pub fn used_up(self) -> Result<(), ListenError> {
        match self.0.first() {
            None => Ok(()),
            Some(socket) => Err(ListenError::Unnamed {
                what: socket.describe(),
            }),
        }
    }
}

impl GivenSocket {
    fn is_at(&self, place: &Place) -> bool {
        match (self, place) {
            (Self::Unix(socket), Place::Unix(path)) => socket
                .local_addr()
                .is_ok_and(|address| address.as_pathname() == Some(path)),
            (Self::Tcp(socket), Place::Tcp(wanted) | Place::Tls(wanted)) => {
                socket.local_addr().is_ok_and(|address| address == *wanted)
            }
            _ => false,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Unix(socket) => match socket.local_addr() {
                Ok(address) => match address.as_pathname() {
                    Some(path) => format!("unix:{}", path.display()),
                    None => "a Unix socket without a path".into(),
                },
                Err(error) => format!("a Unix socket ({error})"),
            },
            Self::Tcp(socket) => match socket.local_addr() {
                Ok(address) => format!("tcp:{address}"),
                Err(error) => format!("a TCP socket ({error})"),
            },
        }
    }
}
