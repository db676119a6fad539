//! What the daemon does beside serving: it deletes agents whose time is over, and reads its files again when it is told to. Each is a
//! task of its own, so that the end of the daemon waits for neither.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::agents::Agents;
use crate::http::guard::SharedTokens;
use crate::http::tls::Tls;
use crate::models::Models;
use crate::tokens::Tokens;

/// Between two looks for expired agents.
const SWEEP: Duration = Duration::from_secs(60);

/// What is read again.
#[derive(Debug)]
pub struct Reloads {
    /// The tokens, and where they are.
    pub tokens: Option<(PathBuf, SharedTokens)>,
    /// The certificate.
    pub tls: Option<Tls>,
    /// The model to serve.
    pub models: Arc<Models>,
}

/// Begins the chores; they end when this is dropped or told to.
#[must_use]
pub fn begin(agents: Arc<Agents>, reloads: Reloads, wishes: mpsc::Receiver<()>) -> JoinSet<()> {
    let mut chores = JoinSet::new();
    chores.spawn(sweep(agents));
    chores.spawn(reloads.whenever(wishes));
    chores
}

async fn sweep(agents: Arc<Agents>) {
    let mut looks = tokio::time::interval(SWEEP);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        agents.sweep().await;
    }
}

impl Reloads {
    /// One at a time.
    async fn whenever(self, mut wishes: mpsc::Receiver<()>) {
        while wishes.recv().await.is_some() {
            self.reload().await;
        }
    }

    async fn reload(&self) {
        if let Some((path, tokens)) = &self.tokens {
            match Tokens::read(path) {
                Ok(read) => *tokens.write().unwrap_or_else(PoisonError::into_inner) = read,
                Err(error) => tracing::error!(%error, "the tokens stay as they were"),
            }
        }
        if let Some(tls) = &self.tls
            && let Err(error) = tls.reload()
        {
            tracing::error!(%error, "the certificate stays as it was");
        }
        match self.models.reload().await {
            Ok(()) => tracing::info!("read again"),
            Err(error) => tracing::error!(%error, "the model stays as it was"),
        }
    }
}
