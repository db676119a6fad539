//! Who may ask, and how often.
//!
//! | listener | who may ask |
//! |---|---|
//! | Unix socket | whoever the file's permissions let in |
//! | TCP, with a file of tokens | who sends one of them as `Authorization: Bearer` |
//! | TCP, without | whoever reaches the address; a request must name this machine as its host, so that no page of another site can ask through the browser of somebody here |
//!
//! `/healthz` and `/readyz` need no token: they say nothing that a port scan would not. Nor do the files of the page; what it shows
//! it asks for with a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::ApiError;
use super::page::is_page;
use crate::agents::service::unix_seconds;
use crate::metrics::Metrics;
use crate::tokens::{NoEntry, Tokens};

/// The tokens of the moment; replaced when the file is read again.
pub type SharedTokens = Arc<RwLock<Tokens>>;

/// Names whose budgets are remembered at most; they are the names of tokens, so there are few.
const NAMES: usize = 4096;

/// Who may ask on one listener.
#[derive(Debug, Clone)]
pub enum Entry {
    /// The file's permissions decide.
    Permissions,
    /// This machine only, by the host that a request names.
    ThisMachine,
    /// A token is needed.
    Tokens(SharedTokens),
    /// Anybody: the operator said that something else guards the address.
    Anybody,
}

/// The guard of one listener.
#[derive(Debug)]
pub struct Guard {
    entry: Entry,
    /// Requests a second and name; 0 for no limit.
    rate: u32,
    budgets: Mutex<HashMap<String, Budget>>,
    metrics: Arc<Metrics>,
}

/// A bucket that fills with time.
#[derive(Debug, Clone, Copy)]
struct Budget {
    left: f64,
    at: Instant,
}

impl Guard {
    /// A guard with full budgets.
    #[must_use]
    pub fn new(entry: Entry, rate: u32, metrics: Arc<Metrics>) -> Self {
        Self {
            entry,
            rate,
            budgets: Mutex::default(),
            metrics,
        }
    }

    fn admit(&self, path: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        let name = match &self.entry {
            Entry::Permissions | Entry::Anybody => "",
            Entry::ThisMachine if names_this_machine(headers) => "",
            Entry::ThisMachine => {
                self.metrics.refused("host");
                let message = "name this machine as the host, or use a token (see --tokens)";
                return Err(ApiError::new(
                    StatusCode::FORBIDDEN,
                    "foreign_host",
                    message,
                ));
            }
            Entry::Tokens(_) if matches!(path, "/healthz" | "/readyz") || is_page(path) => "",
            Entry::Tokens(tokens) => {
                let tokens = tokens.read().unwrap_or_else(PoisonError::into_inner);
                let name = self.check(&tokens, headers)?;
                return self.spend(name);
            }
        };
        self.spend(name)
    }

    fn check<'t>(&self, tokens: &'t Tokens, headers: &HeaderMap) -> Result<&'t str, ApiError> {
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let refuse = |code, message| {
            self.metrics.refused(code);
            Err(ApiError::new(StatusCode::UNAUTHORIZED, code, message))
        };
        let Some(sent) = sent else {
            return refuse("no_token", "send a token: `authorization: Bearer TOKEN`");
        };
        match tokens.check(sent, unix_seconds()) {
            Ok(name) => Ok(name),
            Err(NoEntry::Unknown) => refuse("wrong_token", "this token is not known here"),
            Err(NoEntry::Expired) => {
                refuse("expired_token", "this token has expired; ask for another")
            }
        }
    }

    /// Takes one request from the budget of a name: a second's worth at most is saved up.
    fn spend(&self, name: &str) -> Result<(), ApiError> {
        if self.rate == 0 {
            return Ok(());
        }
        let rate = f64::from(self.rate);
        let now = Instant::now();
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.len() >= NAMES {
            budgets.clear();
        }
        let budget = budgets.entry(name.to_owned()).or_insert(Budget {
            left: rate,
            at: now,
        });
        let gained = now.duration_since(budget.at).as_secs_f64() * rate;
        budget.left = (budget.left + gained).min(rate);
        budget.at = now;
        if budget.left < 1.0 {
            self.metrics.refused("rate");
            let message = format!("more than {} requests a second", self.rate);
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Err(ApiError::new(status, "rate", message).retry_after(1));
        }
        budget.left -= 1.0;
        Ok(())
    }
}

/// Lets a request in, or answers it.
pub async fn guarded(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.admit(request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
    else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:7080",
            "127.9.9.9",
            "[::1]:80",
            "[::1]",
        ] {
            assert!(names_this_machine(&headers(header::HOST, host)), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:80",
            "10.0.0.1",
            "localhost.evil.example",
            "",
        ] {
            assert!(!names_this_machine(&headers(header::HOST, host)), "{host}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }

    #[test]
    fn a_budget_is_spent_and_each_name_has_its_own() {
        let guard = Guard::new(Entry::Permissions, 3, Arc::new(Metrics::new()));
        // Far less than a third of a second passes in between, or the test machine is asleep.
        let spent = (0..100).filter(|_| guard.spend("a").is_ok()).count();
        assert!((3..100).contains(&spent), "{spent}");
        assert!(guard.spend("b").is_ok());
        let open = Guard::new(Entry::Permissions, 0, Arc::new(Metrics::new()));
        assert!((0..1000).all(|_| open.spend("a").is_ok()));
    }
}
