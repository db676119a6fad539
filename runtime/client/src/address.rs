//! Where a daemon listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a daemon listens: `unix:PATH`, `tcp:HOST:PORT` or `http://HOST:PORT`, `tls:HOST:PORT` or `https://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and its port, without TLS.
    Tcp(String),
    /// A host and its port, with TLS; needs the feature `tls`.
    Tls(String),
}

/// A text that names no place where a daemon could listen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address of a daemon: write unix:PATH, tcp:HOST:PORT, http://HOST:PORT or https://HOST:PORT"
)]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || AddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(refuse());
            }
            return Ok(Self::Unix(path.into()));
        }
        let plain = ["tcp:", "http://"];
        let secure = ["tls:", "https://"];
        let behind = |prefixes: [&str; 2]| prefixes.into_iter().find_map(|p| text.strip_prefix(p));
        let (host, address): (_, fn(String) -> Self) = match (behind(plain), behind(secure)) {
            (Some(host), _) => (host, Self::Tcp),
            (None, Some(host)) => (host, Self::Tls),
            (None, None) => return Err(refuse()),
        };
        let host = host.trim_end_matches('/');
        let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(_))) || host.contains('/') {
            return Err(refuse());
        }
        Ok(address(host.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp:{host}"),
            Self::Tls(host) => write!(f, "tls:{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_refuses_the_rest() {
        for text in [
            "unix:/run/a.sock",
            "tcp:127.0.0.1:7080",
            "tcp:[::1]:80",
            "tls:host:443",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        let same: Address = "http://localhost:7080/".parse().unwrap();
        assert_eq!(same, Address::Tcp("localhost:7080".into()));
        let same: Address = "https://localhost:7443/".parse().unwrap();
        assert_eq!(same, Address::Tls("localhost:7443".into()));
        for text in [
            "",
            "unix:",
            "/run/a.sock",
            "tcp:host",
            "tcp:host:99999",
            "http://a:1/b",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
