//! Among which actions a step chooses, and which of them are given out.

use std::collections::HashSet;
use std::sync::Arc;

use stride_client::api::StepRequest;

use super::error::ServiceError;
use super::guard::{ActionGuard, Denial};
use crate::journal::Journal;
use crate::journal::audit::Refused;
use crate::metrics::Metrics;
use crate::store::{AgentId, AgentRecord};

/// Bytes of an agent's vocabulary at most, all actions together.
const VOCABULARY: usize = 32 << 10;

/// The guard, and where it writes what it refuses.
#[derive(Debug)]
pub struct Actions {
    guard: ActionGuard,
    audit: Journal<Refused>,
    metrics: Arc<Metrics>,
}

impl Actions {
    /// A guard with its audit log.
    #[must_use]
    pub fn new(guard: ActionGuard, audit: Journal<Refused>, metrics: Arc<Metrics>) -> Self {
        Self {
            guard,
            audit,
            metrics,
        }
    }

    /// The actions among which a step chooses, if they are listed: those of the step, else the agent's vocabulary, without what
    /// the guard refuses, so that the policy chooses something that can be given out.
    ///
    /// # Errors
    /// When the step lists what is not in the vocabulary, or nothing that the guard lets out.
    pub fn among(
        &self,
        listed: Option<Vec<String>>,
        vocabulary: Option<Vec<String>>,
    ) -> Result<Option<Vec<String>>, ServiceError> {
        if let (Some(listed), Some(vocabulary)) = (&listed, &vocabulary) {
            let known: HashSet<&str> = vocabulary.iter().map(String::as_str).collect();
            if let Some(foreign) = listed.iter().find(|action| !known.contains(&***action)) {
                return Err(ServiceError::Invalid {
                    field: "admissible",
                    problem: format!("`{foreign}` is not in the agent's vocabulary"),
                });
            }
        }
        let Some(mut actions) = listed.or(vocabulary) else {
            return Ok(None);
        };
        actions.retain(|action| self.guard.denial(action).is_none());
        if actions.is_empty() {
            return Err(ServiceError::NothingAllowed);
        }
        Ok(Some(actions))
    }

    /// Why an action is not given out, if it is not. The policy's word is not taken for it that it kept to the list.
    #[must_use]
    pub fn denial(&self, action: &str, among: Option<&[String]>) -> Option<Denial<'_>> {
        let listed = among.is_none_or(|among| among.iter().any(|listed| listed == action));
        if listed {
            self.guard.denial(action)
        } else {
            Some(Denial::NotListed)
        }
    }

    /// Writes down that an action was not given out.
    pub fn refused(
        &self,
        id: AgentId,
        record: &AgentRecord,
        request_id: &str,
        denial: &Denial<'_>,
    ) {
        let (state, rule) = (record.state(), denial.rule());
        tracing::warn!(agent = %id, rule, "an action was not given out");
        self.metrics.action_refused(rule);
        let note = Refused {
            time: record.used_at(),
            agent: id.to_string(),
            request_id: request_id.into(),
            step: state.steps,
            subtask: state.subtask.as_str().into(),
            action: state.last_action.as_str().into(),
            rule,
            pattern: match denial {
                Denial::Denied(pattern) => Some((*pattern).into()),
                Denial::NotAllowed | Denial::NotListed => None,
            },
        };
        self.audit.note(note, 1);
    }
}

/// Bounds the list of one step.
///
/// # Errors
/// [`ServiceError::Invalid`].
pub fn check_admissible(request: &StepRequest) -> Result<(), ServiceError> {
    check("admissible", request.admissible.as_deref())
}

/// Bounds the vocabulary of a new agent.
///
/// # Errors
/// [`ServiceError::Invalid`].
pub fn check_vocabulary(vocabulary: Option<&[String]>) -> Result<(), ServiceError> {
    let bytes: usize = vocabulary.unwrap_or_default().iter().map(String::len).sum();
    if bytes > VOCABULARY {
        let problem = format!("{bytes} bytes are more than {VOCABULARY}");
        let field = "vocabulary";
        return Err(ServiceError::Invalid { field, problem });
    }
    check("vocabulary", vocabulary)
}

fn check(field: &'static str, actions: Option<&[String]>) -> Result<(), ServiceError> {
    let Some(actions) = actions else {
        return Ok(());
    };
    stride_engine::check_actions(actions).map_err(|error| ServiceError::Invalid {
        field,
        problem: error.to_string(),
    })
}
