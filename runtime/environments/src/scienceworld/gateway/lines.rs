//! Lines over a socket, bounded in length and time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::error::GatewayError;

/// Longest answer that is read. The longest that occurs, the list of all combinations of actions and objects, has some 100 KB.
pub(super) const MAX_LINE: usize = 4 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that carries lines.
#[derive(Debug)]
pub(super) struct Lines {
    stream: TcpStream,
    /// Read and not yet given out, from `start` on.
    buffer: Vec<u8>,
    start: usize,
}

impl Lines {
    pub(super) fn connect(port: u16) -> Result<Self, GatewayError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connect = |source| GatewayError::Connect { port, source };
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            start: 0,
        })
    }

    /// Sends lines that end with a line feed each.
    pub(super) fn send(&mut self, lines: &str, limit: Duration) -> Result<(), GatewayError> {
        self.stream
            .set_write_timeout(Some(limit))
            .and_then(|()| self.stream.write_all(lines.as_bytes()))
            .map_err(|error| failed(error, limit))
    }

    /// The next line, without its end. The time-out is for the whole line, not for each packet of it.
    pub(super) fn receive(
        &mut self,
        begin: Instant,
        limit: Duration,
    ) -> Result<String, GatewayError> {
        let mut searched = self.start;
        loop {
            if let Some(length) = self.buffer[searched..].iter().position(|b| *b == b'\n') {
                let end = searched + length;
                let line = str::from_utf8(&self.buffer[self.start..end]).map(str::to_owned);
                let line = line.map_err(|_| GatewayError::Garbage {
                    line: String::from_utf8_lossy(&self.buffer[self.start..end])
                        .chars()
                        .take(200)
                        .collect(),
                });
                self.start = end + 1;
                return line;
            }
            if self.buffer.len() - self.start > MAX_LINE {
                return Err(GatewayError::LongLine { limit: MAX_LINE });
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            self.fill(begin, limit)?;
        }
    }

    fn fill(&mut self, begin: Instant, limit: Duration) -> Result<(), GatewayError> {
        let left = limit.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Err(GatewayError::TimedOut { limit });
        }
        self.acknowledge_at_once();
        let mut bytes = [0; 16 << 10];
        let read = self
            .stream
            .set_read_timeout(Some(left))
            .and_then(|()| self.stream.read(&mut bytes));
        match read {
            Ok(0) => Err(GatewayError::Closed),
            Ok(length) => {
                self.buffer.extend_from_slice(&bytes[..length]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(failed(error, limit)),
        }
    }

    /// The server does not switch Nagle's algorithm off, so the second of two answers waits until the first is
    /// acknowledged, which the kernel delays by 40 ms unless told otherwise before every read.
    #[cfg(target_os = "linux")]
    fn acknowledge_at_once(&self) {
        use std::os::linux::net::TcpStreamExt;
        // Without it everything works, only slowly.
        let _ = self.stream.set_quickack(true);
    }

    #[cfg(not(target_os = "linux"))]
    fn acknowledge_at_once(&self) {}
}

fn failed(error: io::Error, limit: Duration) -> GatewayError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => GatewayError::TimedOut { limit },
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => GatewayError::Closed,
        _ => GatewayError::Broken(error),
    }
}
