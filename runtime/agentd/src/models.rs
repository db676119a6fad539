//! The models folder, and which of its models serves.

use std::sync::Arc;

use stride_client::api::{ModelInfo, ModelList};
use tokio::sync::watch;

use crate::engine::model::Registry;
use crate::engine::{Engine, Model, ModelError, Status};
use crate::store::{Store, StoreError};

/// Under which name the store remembers the model that was activated last.
const NOTE: &str = "model";

/// The models folder, and which of its models serves.
#[derive(Debug)]
pub struct Models {
    registry: Registry,
    engine: Engine,
    store: Store,
}

/// Remembers the model that answers, for the next start.
async fn remember(
    store: &Store,
    status: &Status,
    current: &watch::Receiver<String>,
) -> Result<(), StoreError> {
    loop {
        let name = current.borrow().clone();
        store.set_note(NOTE, name.clone()).await?;
        // Two may be at this at once: whoever writes last finds what is true by then.
        if *current.borrow() == name {
            status.settle(&name);
            return Ok(());
        }
    }
}

impl Models {
    /// The folder, with an engine that serves one of its models. A model that the engine goes back to is remembered.
    #[must_use]
    pub fn new(registry: Registry, engine: Engine, store: Store) -> Arc<Self> {
        let (mut current, kept) = (engine.current(), store.clone());
        // Not the engine itself, which ends with its last handle.
        let status = Arc::clone(engine.status());
        tokio::spawn(async move {
            while current.changed().await.is_ok() {
                if let Err(error) = remember(&kept, &status, &current).await {
                    tracing::error!(%error, "the next start will serve the model before");
                }
            }
        });
        Arc::new(Self {
            registry,
            engine,
            store,
        })
    }

    /// The model to start with: the one that was activated last, else the one that the operator names, else the only one.
    ///
    /// # Errors
    /// When there is none, or its file is not the one that its checksum says.
    pub fn first(
        registry: &Registry,
        store: &Store,
        named: Option<&str>,
    ) -> Result<Model, ModelError> {
        // A note that cannot be read says nothing; the store itself complains elsewhere.
        let noted = store.note(NOTE).unwrap_or_default();
        if let Some(noted) = noted {
            match registry.find(&noted) {
                Ok(model) => return Ok(model),
                Err(error) => {
                    tracing::warn!(%error, "the model that was activated last is not used")
                }
            }
        }
        match named {
            Some(name) => registry.find(name),
            None => registry.find(&registry.only()?),
        }
    }

    /// The models, and which one serves.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<ModelList, ModelError> {
        Ok(ModelList {
            models: self.registry.names()?,
            active: self.engine.status().facts().model,
        })
    }

    /// Activates the model that the file `active` in the models folder names, if there is such a file and another one serves.
    ///
    /// # Errors
    /// When it is refused; the one before serves on.
    pub async fn reload(&self) -> Result<(), ModelError> {
        let Some(wanted) = self.registry.wanted()? else {
            return Ok(());
        };
        let registry = self.registry.clone();
        let found = tokio::task::spawn_blocking(move || registry.find(&wanted));
        let model = found.await.map_err(|_| ModelError::Closed)??;
        let active = self.engine.status().facts().model;
        if active.is_some_and(|active| active.name == model.name && active.sha256 == model.sha256) {
            return Ok(());
        }
        self.activate(&model.name).await.map(drop)
    }

    /// Loads a model beside the one that serves, checks it, switches between two steps, and remembers it for the next start.
    ///
    /// # Errors
    /// When it is refused; the one before serves on.
    pub async fn activate(&self, name: &str) -> Result<ModelInfo, ModelError> {
        let registry = self.registry.clone();
        let wanted = name.to_owned();
        // Hashing a large file takes a while.
        let found = tokio::task::spawn_blocking(move || registry.find(&wanted));
        let model = found.await.map_err(|_| ModelError::Closed)??;
        let info = self.engine.activate(model).await?;
        if let Err(error) =
            remember(&self.store, self.engine.status(), &self.engine.current()).await
        {
            tracing::error!(%error, "the next start will serve the model before");
        }
        Ok(info)
    }
}
