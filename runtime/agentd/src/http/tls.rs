//! TLS for listeners that other machines reach.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::files;

/// Bytes of a PEM file at most.
const PEM: u64 = 1 << 20;

/// The first byte of every TLS connection: a record of the handshake.
const HANDSHAKE: u8 = 0x16;

/// What a client hears that speaks HTTP where TLS is spoken; nginx says the same.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 81\r\n\r\n\
    {\"error\":{\"code\":\"tls_needed\",\"message\":\"this port speaks TLS: write https://\"}}\n";

/// The files of a certificate, both in the PEM format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate of this daemon, and those between it and one that clients know.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not what was expected in the PEM format.
    #[error("{}: no {what} in the PEM format: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What the parser said.
        source: pem::Error,
    },
    /// The certificate and the key do not go together, or cannot be used.
    #[error("certificate {} with key {}: {source}", files.certificate.display(), files.key.display())]
    Unusable {
        /// Both.
        files: TlsFiles,
        /// What rustls said.
        source: rustls::Error,
    },
}

/// The certificate of the moment; it is replaced when the files are read again. Connections keep theirs.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsFiles,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            files: files.clone(),
            current: Arc::new(RwLock::new(configuration(files)?)),
        })
    }

    /// Reads the files again, for the connections to come.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate then stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let read = configuration(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Shakes hands, within a time. A client that speaks HTTP is told what to do.
    ///
    /// # Errors
    /// When it comes to nothing.
    pub async fn accept(
        &self,
        mut stream: TcpStream,
        within: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let shake = async {
            let mut first = [0];
            let peeked = stream.peek(&mut first).await?;
            if peeked == 1 && first[0] != HANDSHAKE {
                stream.write_all(PLAIN).await?;
                stream.shutdown().await?;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no TLS"));
            }
            TlsAcceptor::from(config).accept(stream).await
        };
        let shaken = timeout(within, shake).await;
        shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

fn configuration(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let wrong = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, what, source }
    };
    let text = read(&files.certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(wrong(&files.certificate, "certificate"))?;
    let text = read(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(wrong(&files.key, "private key"))?;
    let unusable = |source| TlsError::Unusable {
        files: files.clone(),
        source,
    };
    // Named, so that it does not matter which providers other crates have built in.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    files::read_bytes(path, PEM).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_plain_client_hears_has_the_length_that_it_claims() {
        let text = std::str::from_utf8(PLAIN).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "tls_needed");
    }

    #[test]
    fn files_that_hold_something_else_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: folder.path().join("certificate.pem"),
            key: folder.path().join("key.pem"),
        };
        let refused = || Tls::read(&files).unwrap_err().to_string();
        assert!(refused().contains("certificate.pem"));
        fs::write(&files.certificate, "no certificate").unwrap();
        assert!(refused().contains("key.pem"), "{}", refused());
        fs::write(&files.key, "no key").unwrap();
        assert!(refused().contains("private key"), "{}", refused());
    }
}
