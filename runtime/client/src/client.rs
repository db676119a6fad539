//! A blocking client.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::config::{Config, ConfigBuilder};
use ureq::http::Response;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Body, RequestBuilder};

use crate::address::Address;
use crate::api::{Agent, AgentList, CreateAgent, ErrorBody, Readiness, StepAnswer, StepRequest};
use crate::episodes::{EnvironmentList, Episode, RunEpisode};
use crate::error::ClientError;
use crate::unix::UnixConnector;

/// Bytes of an answer at most; what is longer is no answer of the daemon.
const ANSWER: u64 = 16 << 20;

/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time for an episode: as many steps as a profile may allow, on a slow device.
const EPISODE_PATIENCE: Duration = Duration::from_secs(3600);

/// How long a client tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// From the first attempt to the last; zero tries once.
    pub within: Duration,
    /// Between the first two attempts; it doubles up to `longest`, and what the daemon asks for goes first.
    pub first: Duration,
    /// Between two attempts at most.
    pub longest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            within: Duration::from_secs(60),
            first: Duration::from_millis(20),
            longest: Duration::from_secs(2),
        }
    }
}

/// A blocking client with one connection pool. Steps, and agents and episodes whose id the client chose, are repeated after broken
/// connections and busy answers, which is safe because the daemon knows them by their ids; nothing else is.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    address: Address,
    token: Option<String>,
    retries: Retries,
}

impl Client {
    /// A client of the daemon at `address`; nothing is sent yet.
    #[must_use]
    pub fn new(address: Address) -> Self {
        let config = settings().build();
        let agent = match &address {
            Address::Tcp(_) | Address::Tls(_) => ureq::Agent::new_with_config(config),
            Address::Unix(path) => {
                let connector = UnixConnector { path: path.clone() };
                ureq::Agent::with_parts(config, connector, DefaultResolver::default())
            }
        };
        Self {
            agent,
            address,
            token: None,
            retries: Retries::default(),
        }
    }

    /// The same client, for `tls:` addresses: it trusts the certificates in a PEM text and those that they signed, and no
    /// others. Without this it trusts those that browsers trust.
    ///
    /// # Errors
    /// [`ClientError::Certificate`] when the text holds none.
    #[cfg(feature = "tls")]
    pub fn trusting(self, pem: &[u8]) -> Result<Self, ClientError> {
        use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
        let certificates = parse_pem(pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let certificates: Vec<_> = certificates.collect();
        if certificates.is_empty() {
            return Err(ClientError::Certificate);
        }
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates));
        let agent = match self.address {
            Address::Unix(_) => self.agent,
            _ => ureq::Agent::new_with_config(settings().tls_config(tls.build()).build()),
        };
        Ok(Self { agent, ..self })
    }

    /// The same client with a bearer token.
    #[must_use]
    pub fn with_token(self, token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..self
        }
    }

    /// The same client with other retries.
    #[must_use]
    pub fn with_retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// Makes an agent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn create(&self, agent: &CreateAgent) -> Result<Agent, ClientError> {
        if agent.id.is_none() {
            return self.post("/v1/agents", agent);
        }
        self.repeated(|| self.post("/v1/agents", agent))
    }

    /// One agent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn get(&self, id: &str) -> Result<Agent, ClientError> {
        self.repeated(|| self.fetch(&format!("/v1/agents/{id}")))
    }

    /// A page of agents, those behind `after`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn list(&self, after: Option<&str>) -> Result<AgentList, ClientError> {
        let after = after.map_or(String::new(), |after| format!("?after={after}"));
        self.repeated(|| self.fetch(&format!("/v1/agents{after}")))
    }

    /// Deletes an agent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn delete(&self, id: &str) -> Result<(), ClientError> {
        let request = self.agent.delete(self.uri(&format!("/v1/agents/{id}")));
        self.checked(self.authorized(request).call()).map(drop)
    }

    /// Makes one step, again and again until it is answered or [`Retries::within`] is over.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn step(&self, id: &str, step: &StepRequest) -> Result<StepAnswer, ClientError> {
        let path = format!("/v1/agents/{id}/step");
        self.repeated(|| self.post(&path, step))
    }

    /// The environments of the deployment.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn environments(&self) -> Result<EnvironmentList, ClientError> {
        self.repeated(|| self.fetch("/v1/environments"))
    }

    /// Has the daemon play a whole episode, and waits for its end. With an id the request is repeated like a step, and whatever
    /// happens on the way no step is made twice; without one it is sent once. Events are not asked for, whatever [`RunEpisode::stream`] says.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn run_episode(&self, episode: &RunEpisode) -> Result<Episode, ClientError> {
        let whole = RunEpisode {
            stream: false,
            ..episode.clone()
        };
        let once = || {
            let request = self.agent.post(self.uri("/v1/episodes"));
            let request = request
                .config()
                .timeout_global(Some(EPISODE_PATIENCE))
                .build();
            let response = self.checked(self.authorized(request).send_json(&whole))?;
            self.read(response)
        };
        if whole.id.is_none() {
            return once();
        }
        let since = Cell::new(Instant::now());
        self.repeated_since(&since, || {
            let start = Instant::now();
            let answer = once();
            // It was being played until then: the time in which it is tried again begins now.
            if start.elapsed() > self.retries.longest {
                since.set(Instant::now());
            }
            answer
        })
    }

    /// Whether steps are being made. A daemon that is not ready is an answer, not an error.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ready(&self) -> Result<Readiness, ClientError> {
        let request = self.agent.get(self.uri("/readyz"));
        let response = self
            .authorized(request)
            .call()
            .map_err(|source| self.broken(source))?;
        self.read(response)
    }

    /// Any GET of the daemon, as text.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn text(&self, path: &str) -> Result<String, ClientError> {
        let request = self.agent.get(self.uri(path));
        let mut response = self.checked(self.authorized(request).call())?;
        let body = response.body_mut().with_config().limit(ANSWER);
        body.read_to_string().map_err(|source| self.broken(source))
    }

    /// Any POST of the daemon, JSON both ways. It is sent once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.agent.post(self.uri(path));
        let response = self.checked(self.authorized(request).send_json(body))?;
        self.read(response)
    }

    /// Any GET of the daemon. It is sent once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn fetch<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.agent.get(self.uri(path));
        let response = self.checked(self.authorized(request).call())?;
        self.read(response)
    }

    fn repeated<T>(
        &self,
        attempt: impl FnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.repeated_since(&Cell::new(Instant::now()), attempt)
    }

    fn repeated_since<T>(
        &self,
        start: &Cell<Instant>,
        mut attempt: impl FnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut pause = self.retries.first;
        loop {
            let error = match attempt() {
                Err(error) if error.is_temporary() => error,
                done => return done,
            };
            let asked = match &error {
                ClientError::Refused { retry_after, .. } => retry_after.map(Duration::from_secs),
                _ => None,
            };
            let wait = asked.unwrap_or(pause).min(self.retries.longest);
            if start.get().elapsed() + wait > self.retries.within {
                return Err(error);
            }
            std::thread::sleep(wait);
            pause = (pause * 2).min(self.retries.longest);
        }
    }

    fn uri(&self, path: &str) -> String {
        match &self.address {
            Address::Unix(_) => format!("http://127.0.0.1{path}"),
            Address::Tcp(host) => format!("http://{host}{path}"),
            Address::Tls(host) => format!("https://{host}{path}"),
        }
    }

    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn broken(&self, source: ureq::Error) -> ClientError {
        ClientError::Transport {
            address: self.address.to_string(),
            source: Box::new(source),
        }
    }

    fn read<T: DeserializeOwned>(&self, mut response: Response<Body>) -> Result<T, ClientError> {
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER);
        body.read_json().map_err(|source| match source {
            // A daemon that is killed while it answers leaves half an answer.
            ureq::Error::Json(ref json) if !json.is_eof() => ClientError::Answer {
                address: self.address.to_string(),
                status,
                source: Box::new(source),
            },
            source => self.broken(source),
        })
    }

    fn checked(
        &self,
        sent: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, ClientError> {
        let response = sent.map_err(|source| self.broken(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let ErrorBody { error } = self.read(response)?;
        Err(ClientError::Refused {
            status: status.as_u16(),
            code: error.code,
            message: error.message,
            retry_after,
        })
    }
}

fn settings() -> ConfigBuilder<AgentScope> {
    Config::builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
}
