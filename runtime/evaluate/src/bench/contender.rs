//! Who is measured.

use std::time::{Duration, Instant};

use stride_agent::agent::{Limits, StepAgent};
use stride_agent::event::Silent;
use stride_agent::policy::{Cost, Policy, PolicyError, Utterance};
use stride_agent::text::chain;
use stride_agent::utterance::{format_low, parse_low};
use stride_engine::{EngineError, History, LlamaPolicy, NativeUse};
use stride_firmware_config::frame::{Marker, StepFrame};
use stride_firmware_config::profile::DeviceProfile;

use super::wire::{Instead, Kind, Reply, Setup, Spent, Times};
use crate::error::EvalError;
use crate::machine;

/// One contender.
pub enum Contender {
    /// The step-level agent, naive or not.
    Step(Box<StepContender>),
    /// The history-conditioned one.
    History(Box<History>),
}

impl Contender {
    /// Loads the policy.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn load(setup: &Setup) -> Result<Self, EvalError> {
        let Kind::History {
            context_tokens,
            cache,
        } = setup.kind
        else {
            return Ok(Self::Step(Box::new(StepContender::load(setup)?)));
        };
        let mut options = setup.options.engine_options();
        cache.settle(&mut options);
        let history = History::load(&setup.options.path, &options, context_tokens);
        Ok(Self::History(Box::new(history.map_err(EvalError::policy)?)))
    }

    /// Starts an episode.
    pub fn begin(&mut self, task: &str, scene: &str) {
        match self {
            Self::Step(step) => {
                let limits = step.limits.clone();
                step.agent = Some(StepAgent::begin(task, scene, limits, &mut Silent));
            }
            Self::History(history) => {
                history.begin();
                history.push(Marker::Task, task);
                history.push(Marker::Scene, scene);
            }
        }
    }

    /// Chooses an action.
    ///
    /// # Errors
    /// When no episode has begun, or the policy fails.
    pub fn decide(
        &mut self,
        observation: &str,
        instead: Option<&Instead>,
    ) -> Result<Reply, EvalError> {
        match self {
            Self::Step(step) => step.decide(observation, instead),
            Self::History(history) => {
                let instead = instead.ok_or_else(|| broken("the history needs an action"))?;
                let finished = instead.finished.unwrap_or_default();
                let said = format_low(&instead.action, finished);
                let clock = Clock::start();
                history.push(Marker::Observation, observation);
                let cost = history.act(&said).map_err(EvalError::policy)?;
                let mut reply = Reply {
                    cost: clock.stop(),
                    action: instead.action.clone(),
                    finished,
                    history_tokens: history.prompt_tokens(),
                    said,
                    ..Reply::default()
                };
                add(&mut reply.cost, cost);
                Ok(reply)
            }
        }
    }

    /// Takes in the result of the action.
    ///
    /// # Errors
    /// When no action waits for it, or the policy fails.
    pub fn observe(&mut self, observation: &str, invalid: bool) -> Result<Reply, EvalError> {
        match self {
            Self::Step(step) => step.observe(observation, invalid),
            // It reads the observation when it decides.
            Self::History(history) => Ok(Reply {
                history_tokens: history.prompt_tokens(),
                ..Reply::default()
            }),
        }
    }

    /// Times the tokens of one frame.
    ///
    /// # Errors
    /// When the policy fails, or this is not the step-level agent.
    pub fn time(&mut self, scene: &str, seen: &str, repeat: u32) -> Result<Reply, EvalError> {
        let Self::Step(step) = self else {
            return Err(broken("only the step-level agent is timed"));
        };
        let frame = StepFrame::Progress {
            scene,
            observation: seen,
            subtask: "look around",
            progress: "",
            action: "look",
        };
        let times = step.time(&frame, repeat).map_err(EvalError::policy)?;
        Ok(Reply {
            times: Some(times),
            ..Reply::default()
        })
    }
}

/// The step-level agent.
pub struct StepContender {
    policy: LlamaPolicy,
    naive: bool,
    limits: Limits,
    agent: Option<StepAgent>,
}

impl StepContender {
    fn load(setup: &Setup) -> Result<Self, EvalError> {
        let profile = setup.options.profile.as_deref().cloned();
        let mut limits = Limits::of_profile(&profile.unwrap_or_else(DeviceProfile::standard));
        limits.fallback_action.clone_from(&setup.fallback_action);
        let mut options = setup.options.engine_options();
        if let Kind::Naive { cache } = setup.kind {
            options.draft_tokens = 0;
            cache.settle(&mut options);
        }
        let policy = LlamaPolicy::load(&setup.options.path, options).map_err(EvalError::policy)?;
        Ok(Self {
            policy,
            naive: matches!(setup.kind, Kind::Naive { .. }),
            limits,
            agent: None,
        })
    }

    fn decide(&mut self, observation: &str, instead: Option<&Instead>) -> Result<Reply, EvalError> {
        let agent = self.agent.as_mut().ok_or_else(|| broken(NO_EPISODE))?;
        let mut asked = Asked {
            policy: &mut self.policy,
            naive: self.naive,
            instead,
            said: String::new(),
            cost: Spent::default(),
        };
        let clock = Clock::start();
        let decision = agent.decide(&mut asked, observation, &mut Silent);
        let mut cost = clock.stop();
        let decision = decision.map_err(|error| broken(&chain(&error)))?;
        cost = cost.and(asked.cost);
        Ok(Reply {
            said: asked.said,
            action: decision.action,
            finished: decision.finished,
            cost,
            ..Reply::default()
        })
    }

    fn observe(&mut self, observation: &str, invalid: bool) -> Result<Reply, EvalError> {
        let agent = self.agent.as_mut().ok_or_else(|| broken(NO_EPISODE))?;
        let mut asked = Asked {
            policy: &mut self.policy,
            naive: self.naive,
            instead: None,
            said: String::new(),
            cost: Spent::default(),
        };
        let clock = Clock::start();
        let observed = agent.observe(&mut asked, observation, invalid, &mut Silent);
        let cost = clock.stop();
        observed.map_err(|error| broken(&chain(&error)))?;
        Ok(Reply {
            cost: cost.and(asked.cost),
            ..Reply::default()
        })
    }
}

impl StepContender {
    fn time(&mut self, frame: &StepFrame<'_>, repeat: u32) -> Result<Times, EngineError> {
        let prompt = self.policy.frame_tokens(frame).len() as u64;
        let (mut prefill, mut decode) = (Vec::new(), Vec::new());
        for _ in 0..repeat {
            self.policy.forget();
            let clock = Clock::start();
            self.policy.logits(frame)?;
            prefill.push(clock.stop().nanos / prompt.max(1));
            let clock = Clock::start();
            let said = self.policy.answer(frame)?;
            decode.push(clock.stop().nanos / u64::from(said.cost.generated_tokens.max(1)));
        }
        let median = |mut times: Vec<u64>| {
            times.sort_unstable();
            times.get(times.len() / 2).copied().unwrap_or(0)
        };
        Ok(Times {
            prefill_nanos: median(prefill),
            decode_nanos: median(decode),
        })
    }
}

const NO_EPISODE: &str = "no episode has begun";

fn broken(problem: &str) -> EvalError {
    EvalError::Worker {
        problem: problem.to_owned(),
    }
}

/// The policy of a contender while it is asked: it pays for its own answer and may be made to do something else.
struct Asked<'a> {
    policy: &'a mut LlamaPolicy,
    naive: bool,
    instead: Option<&'a Instead>,
    said: String,
    cost: Spent,
}

impl Policy for Asked<'_> {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        if self.naive {
            self.policy.forget();
        }
        let mut utterance = self.policy.utter(frame)?;
        add(&mut self.cost, utterance.cost);
        if let StepFrame::Low { .. } = frame {
            self.said.clone_from(&utterance.text);
            if let Some(instead) = self.instead {
                let chosen = || parse_low(&utterance.text).is_ok_and(|low| low.finished);
                let finished = instead.finished.unwrap_or_else(chosen);
                utterance.text = format_low(&instead.action, finished);
            }
        }
        Ok(utterance)
    }
}

fn add(spent: &mut Spent, cost: Cost) {
    spent.calls += 1;
    spent.prompt_tokens += u64::from(cost.prompt_tokens);
    spent.cached_tokens += u64::from(cost.prompt_tokens - cost.decoded_tokens);
    spent.generated_tokens += u64::from(cost.generated_tokens);
    spent.accepted_tokens += u64::from(cost.accepted_tokens);
}

/// Wall time, processor time, and llama.cpp's part of the wall time.
struct Clock {
    cpu: Duration,
    native: NativeUse,
    started: Instant,
}

impl Clock {
    fn start() -> Self {
        Self {
            cpu: machine::cpu_time().unwrap_or_default(),
            native: NativeUse::now(),
            started: Instant::now(),
        }
    }

    fn stop(self) -> Spent {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let wall = nanos(self.started.elapsed());
        let native = NativeUse::now().since(self.native);
        let cpu = machine::cpu_time().unwrap_or_default();
        Spent {
            nanos: wall,
            cpu_nanos: nanos(cpu.saturating_sub(self.cpu)),
            native_nanos: nanos(native.time),
            decode_calls: native.calls,
            ..Spent::default()
        }
    }
}
