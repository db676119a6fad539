//! A step, from the request to the answer.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use stride_agent::transition::EndKind;
use stride_client::api::{Ending, REQUEST_ID, StepAnswer, StepEvent, StepRequest};
use stride_firmware_config::state::AgentState;
use tokio::time::timeout;

use super::actions::check_admissible;
use super::error::ServiceError;
use super::service::{Agents, encoded, invalid, unix_seconds};
use super::slots::Slot;
use crate::engine::Made;
use crate::journal::transitions::{Note, StepNote};
use crate::store::record::Seen;
use crate::store::{AgentId, AgentRecord, Intended, Intent, StoreError};
use crate::worker::protocol::StepInput;

/// Whether an answer was made now or before.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The answer.
    pub answer: StepAnswer,
    /// It was in the record already.
    pub replayed: bool,
}

/// A step for the policy: what it is asked, and the agent before it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) record: AgentRecord,
    pub(super) intent: Intent,
    /// The actions among which one is chosen.
    among: Option<Vec<String>>,
    /// Actions of the episode at most, when that is the agent's own affair.
    max_actions: Option<u32>,
}

/// Who asks for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A client.
    Client,
    /// The daemon, for an episode that it plays itself.
    Episode,
}

impl Agents {
    /// Makes a step. The record is safe before this returns; the same request again returns the same answer.
    ///
    /// # Errors
    /// [`ServiceError`]; the agent is then as before, unless the store says otherwise.
    pub async fn step(
        self: &Arc<Self>,
        id: AgentId,
        request: StepRequest,
    ) -> Result<Answered, ServiceError> {
        self.step_for(Asker::Client, id, request).await
    }

    pub(super) async fn step_for(
        self: &Arc<Self>,
        asker: Asker,
        id: AgentId,
        request: StepRequest,
    ) -> Result<Answered, ServiceError> {
        check(&request)?;
        let permit = Arc::clone(&self.admission)
            .try_acquire_owned()
            .map_err(|_| ServiceError::Busy)?;
        let agents = Arc::clone(self);
        // A task of its own: a client that hangs up must not end the agent's turn between the policy and the record.
        let made = tokio::spawn(async move {
            let _permit = permit;
            let start = Instant::now();
            let slot = agents.find(id)?;
            let Ok(turn) = timeout(agents.options.patience, slot.turn()).await else {
                return Err(agents.late());
            };
            let _turn = turn.ok_or(ServiceError::NotFound(id))?;
            let left = agents.options.patience.saturating_sub(start.elapsed());
            let answered = agents.step_now(asker, id, &slot, request, left).await?;
            let took = start.elapsed();
            agents.metrics.step_seconds.observe(took.as_secs_f64());
            if !answered.replayed {
                agents.recent.add(id, &answered.answer, took);
            }
            Ok(answered)
        });
        made.await.unwrap_or(Err(ServiceError::Closed))
    }

    /// The agent's turn is ours.
    async fn step_now(
        &self,
        asker: Asker,
        id: AgentId,
        slot: &Slot,
        request: StepRequest,
        patience: Duration,
    ) -> Result<Answered, ServiceError> {
        let record = self.read(id)?;
        if asker == Asker::Client && self.store.episode(&id)?.is_some() {
            return Err(ServiceError::InEpisode(id));
        }
        match record.seen(&request.request_id) {
            Seen::Last(answer) => {
                self.store.settled(&id).await?;
                self.metrics.replays.inc();
                return Ok(Answered {
                    answer: *answer,
                    replayed: true,
                });
            }
            Seen::Earlier => {
                let request_id = request.request_id;
                return Err(ServiceError::Superseded { id, request_id });
            }
            Seen::New if record.ended() => return Err(ServiceError::Ended(id)),
            Seen::New => {}
        }
        let answer = if request.done {
            self.end(id, slot, record, request).await?
        } else {
            let repeatable = !self.options.sync_answers;
            let intent = Intent {
                agent: id,
                maker: self.engine.maker().filter(|_| repeatable),
                at: unix_seconds(),
                request_id: request.request_id,
                observation: request.observation,
                invalid: request.invalid,
                reward: request.reward,
                admissible: request.admissible,
            };
            let asked = self.ask(record, intent)?;
            self.decide(slot, asked, patience).await?
        };
        Ok(Answered {
            answer,
            replayed: false,
        })
    }

    /// The world has ended the episode.
    async fn end(
        &self,
        id: AgentId,
        slot: &Slot,
        mut record: AgentRecord,
        request: StepRequest,
    ) -> Result<StepAnswer, ServiceError> {
        let (before, invalid) = (record.state().clone(), request.invalid || record.refused());
        let (won, reward) = (request.won, request.reward);
        let answer = record.end(&request.request_id, won, reward, unix_seconds());
        self.store.answer(id, &record, None).await?;
        slot.used(record.used_at(), true);
        self.note(id, &answer);
        self.log_step(id, &record, &answer, before, |note| StepNote {
            observation: request.observation,
            reward,
            invalid,
            ..note
        });
        Ok(answer)
    }

    /// What the policy is asked for a step.
    ///
    /// # Errors
    /// When nothing of what the step lists may be given out.
    pub(super) fn ask(
        &self,
        record: AgentRecord,
        mut intent: Intent,
    ) -> Result<Asked, ServiceError> {
        // What was not given out was not done.
        intent.invalid |= record.refused();
        let vocabulary = self.store.vocabulary(&intent.agent)?;
        let max_actions = self
            .store
            .episode(&intent.agent)?
            .map(|head| head.max_steps);
        let listed = intent.admissible.clone();
        Ok(Asked {
            among: self.watchers.actions.among(listed, vocabulary)?,
            record,
            intent,
            max_actions,
        })
    }

    /// Asks the policy, and writes down meanwhile what it is asked.
    async fn decide(
        &self,
        slot: &Slot,
        asked: Asked,
        patience: Duration,
    ) -> Result<StepAnswer, ServiceError> {
        let (id, maker) = (asked.intent.agent, asked.intent.maker);
        let input = asked.input()?;
        let intended = match maker {
            Some(_) => self.store.intend(asked.intent.clone()).await?,
            None => None,
        };
        let made = match timeout(patience, self.engine.step(input)).await {
            Ok(made) => made.map_err(ServiceError::from),
            Err(_) => Err(self.late()),
        };
        match made {
            // A worker that came in between may be another: then this answer would not come again.
            Ok(made) => {
                let intended = intended.filter(|_| made.maker == maker);
                self.take(slot, asked, made, intended).await
            }
            Err(error) => {
                if intended.is_some() {
                    self.store.void(id).await?;
                }
                Err(error)
            }
        }
    }

    /// Takes in what the policy made, writes it down and tells everybody.
    pub(super) async fn take(
        &self,
        slot: &Slot,
        asked: Asked,
        made: Made,
        intended: Option<Intended>,
    ) -> Result<StepAnswer, ServiceError> {
        let Asked {
            mut record,
            intent,
            among,
            ..
        } = asked;
        let (id, before) = (intent.agent, record.state().clone());
        let actions = &self.watchers.actions;
        let action = made.outcome.action.as_deref();
        let denial = action.and_then(|action| actions.denial(action, among.as_deref()));
        let (request_id, denied) = (&*intent.request_id, denial.is_some());
        let answer = record
            .step(request_id, &made.outcome, denied, intent.reward, intent.at)
            .map_err(|source| StoreError::Record { id, source })?;
        self.store.answer(id, &record, intended).await?;
        slot.used(record.used_at(), record.ended());
        self.note(id, &answer);
        if let Some(denial) = denial {
            actions.refused(id, &record, request_id, &denial);
        }
        self.log_step(id, &record, &answer, before, |note| StepNote {
            observation: intent.observation,
            reward: intent.reward,
            invalid: intent.invalid,
            calls: made.outcome.calls,
            ..note
        });
        Ok(answer)
    }

    fn late(&self) -> ServiceError {
        ServiceError::TimedOut {
            seconds: self.options.patience.as_secs(),
        }
    }

    /// Tells the transition log, if there is one.
    fn log_step(
        &self,
        id: AgentId,
        record: &AgentRecord,
        answer: &StepAnswer,
        before: AgentState,
        fill: impl FnOnce(StepNote) -> StepNote,
    ) {
        if self.watchers.log.is_some() {
            self.log(Note::Step(Box::new(fill(StepNote {
                agent: id,
                made_at: record.made_at(),
                before,
                after: record.state().clone(),
                observation: String::new(),
                reward: 0.0,
                invalid: false,
                calls: Vec::new(),
                end: answer.flags.ended.map(end_kind),
            }))));
        }
    }

    fn note(&self, id: AgentId, answer: &StepAnswer) {
        let metrics = &self.metrics;
        metrics.steps.inc();
        metrics.stuck.inc_by(u64::from(answer.flags.stuck));
        metrics
            .prompt_tokens
            .inc_by(u64::from(answer.tokens.prompt));
        metrics
            .decoded_tokens
            .inc_by(u64::from(answer.tokens.decoded));
        metrics
            .generated_tokens
            .inc_by(u64::from(answer.tokens.generated));
        // The end of an episode asks no policy.
        if answer.tokens.prompt > 0 {
            let policy = Duration::from_micros(answer.micros);
            metrics.policy_seconds.observe(policy.as_secs_f64());
        }
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listeners) = events.as_ref()
            && listeners.receiver_count() > 0
        {
            // Fails only when the last of them has just gone.
            let _ = listeners.send(StepEvent {
                agent: id.to_string(),
                answer: answer.clone(),
            });
        }
    }
}

impl Asked {
    /// The same for the worker.
    ///
    /// # Errors
    /// Never for an agent of this build.
    pub(super) fn input(&self) -> Result<StepInput, ServiceError> {
        Ok(StepInput {
            agent: self.intent.agent.number(),
            state: encoded(&self.record)?,
            observation: self.intent.observation.clone(),
            invalid: self.intent.invalid,
            actions: self.among.clone(),
            max_actions: self.max_actions,
        })
    }
}

fn check(request: &StepRequest) -> Result<(), ServiceError> {
    let id = &request.request_id;
    if id.is_empty() || id.len() > REQUEST_ID || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = format!("1 to {REQUEST_ID} printable ASCII characters without spaces");
        return Err(invalid("request_id", problem));
    }
    if !request.reward.is_finite() {
        return Err(invalid("reward", "it is no number"));
    }
    if request.observation.trim().is_empty() && !request.done {
        return Err(invalid(
            "observation",
            "it is empty; say what the world says",
        ));
    }
    check_admissible(request)?;
    if request.won && !request.done {
        return Err(invalid("won", "an episode is won when it is `done`"));
    }
    Ok(())
}

const fn end_kind(ending: Ending) -> EndKind {
    match ending {
        Ending::Success => EndKind::Success,
        Ending::Failure => EndKind::Failure,
        Ending::Limit => EndKind::Truncated,
    }
}
