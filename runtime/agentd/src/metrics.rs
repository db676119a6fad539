//! What the daemon counts, as Prometheus reads it.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::journal::JournalCounts;

/// Seconds: half a millisecond to half a minute.
const SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
];

/// Why a worker was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The process ended.
    Died,
    /// No step came back within the deadline.
    Hang,
    /// It said something out of order.
    Nonsense,
    /// The policy could not answer the probe.
    Probe,
}

impl EndReason {
    /// One word, as in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::Hang => "hang",
            Self::Nonsense => "nonsense",
            Self::Probe => "probe",
        }
    }
}

/// What came of a wish for another model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SwitchResult {
    /// It serves.
    Done,
    /// It could not be loaded.
    Refused,
    /// It failed on probation; the one before serves.
    RolledBack,
}

impl SwitchResult {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::RolledBack => "rolled_back",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    reason: Word,
}

/// A label whose values are words of this program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.0.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    status: u16,
}

/// What the daemon counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Steps that were recorded and answered.
    pub steps: Counter,
    /// Requests that were answered from the record.
    pub replays: Counter,
    /// Steps made again because their worker ended.
    pub steps_rerun: Counter,
    /// Steps refused because every worker that made them ended.
    pub steps_refused_deadly: Counter,
    /// Steps that the loop rule or the cap of a subtask was applied to.
    pub stuck: Counter,
    /// Texts that were ended because nobody waited for them.
    pub texts_given_up: Counter,
    /// Tokens of frames.
    pub prompt_tokens: Counter,
    /// Tokens computed.
    pub decoded_tokens: Counter,
    /// Tokens of utterances.
    pub generated_tokens: Counter,
    /// From the request to the answer.
    pub step_seconds: Histogram,
    /// Inside the policy.
    pub policy_seconds: Histogram,
    /// Commits of the store.
    pub commit_seconds: Histogram,
    /// Records of one commit.
    pub commit_records: Histogram,
    /// Commits and writes ahead of them that failed.
    pub commit_failures: Counter,
    /// Syncs of the file ahead of the store.
    pub sync_seconds: Histogram,
    /// Steps made again after a start because their answers were not on disk.
    pub steps_recovered: Counter,
    /// Those among them that another policy made than the one that was asked.
    pub steps_recovered_otherwise: Counter,
    /// Agents in the store.
    pub agents: Gauge,
    /// Agents deleted to make room or because they expired.
    evicted: Family<Labels, Counter>,
    /// Connections now.
    pub connections: Gauge,
    workers_lost: Family<Labels, Counter>,
    switches: Family<Labels, Counter>,
    requests: Family<Answer, Counter>,
    refused: Family<Labels, Counter>,
    actions_refused: Family<Labels, Counter>,
    /// Episodes that the daemon plays now.
    pub episodes_running: Gauge,
    episodes: Family<Labels, Counter>,
    /// The transition log.
    pub transitions: JournalCounts,
    /// The audit log.
    pub audit: JournalCounts,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("stride"),
            steps: Counter::default(),
            replays: Counter::default(),
            steps_rerun: Counter::default(),
            steps_refused_deadly: Counter::default(),
            stuck: Counter::default(),
            texts_given_up: Counter::default(),
            prompt_tokens: Counter::default(),
            decoded_tokens: Counter::default(),
            generated_tokens: Counter::default(),
            step_seconds: Histogram::new(SECONDS),
            policy_seconds: Histogram::new(SECONDS),
            commit_seconds: Histogram::new(SECONDS),
            commit_records: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            commit_failures: Counter::default(),
            sync_seconds: Histogram::new(SECONDS),
            steps_recovered: Counter::default(),
            steps_recovered_otherwise: Counter::default(),
            agents: Gauge::default(),
            evicted: Family::default(),
            connections: Gauge::default(),
            workers_lost: Family::default(),
            switches: Family::default(),
            requests: Family::default(),
            refused: Family::default(),
            actions_refused: Family::default(),
            episodes_running: Gauge::default(),
            episodes: Family::default(),
            transitions: JournalCounts::default(),
            audit: JournalCounts::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self { registry: r, .. } = self;
        r.register("steps", "Steps recorded and answered", self.steps.clone());
        r.register(
            "step_replays",
            "Requests answered from the record",
            self.replays.clone(),
        );
        r.register(
            "step_reruns",
            "Steps made again because their worker ended",
            self.steps_rerun.clone(),
        );
        r.register(
            "steps_deadly",
            "Steps refused because every worker that made them ended",
            self.steps_refused_deadly.clone(),
        );
        r.register(
            "steps_stuck",
            "Steps at which a subtask was closed by a rule",
            self.stuck.clone(),
        );
        r.register(
            "texts_given_up",
            "Texts ended because nobody waited for them",
            self.texts_given_up.clone(),
        );
        r.register(
            "prompt_tokens",
            "Tokens of frames",
            self.prompt_tokens.clone(),
        );
        r.register(
            "decoded_tokens",
            "Tokens of frames that were not cached",
            self.decoded_tokens.clone(),
        );
        r.register(
            "generated_tokens",
            "Tokens of utterances",
            self.generated_tokens.clone(),
        );
        r.register(
            "step_seconds",
            "From a request to its answer",
            self.step_seconds.clone(),
        );
        r.register(
            "policy_seconds",
            "Time of a step inside the policy",
            self.policy_seconds.clone(),
        );
        r.register(
            "commit_seconds",
            "Time of one commit of the store",
            self.commit_seconds.clone(),
        );
        r.register(
            "commit_records",
            "Records of one commit",
            self.commit_records.clone(),
        );
        r.register(
            "commit_failures",
            "Commits and writes ahead of them that failed",
            self.commit_failures.clone(),
        );
        r.register(
            "sync_seconds",
            "Time of one sync of the file ahead of the store",
            self.sync_seconds.clone(),
        );
        r.register(
            "steps_recovered",
            "Steps made again after a start because their answers were not on disk",
            self.steps_recovered.clone(),
        );
        r.register(
            "steps_recovered_otherwise",
            "Those among them that another policy made than the one that was asked",
            self.steps_recovered_otherwise.clone(),
        );
        r.register("agents", "Agents in the store", self.agents.clone());
        r.register(
            "agents_evicted",
            "Agents deleted by a rule",
            self.evicted.clone(),
        );
        r.register("connections", "Open connections", self.connections.clone());
        r.register(
            "workers_lost",
            "Workers that ended, by reason",
            self.workers_lost.clone(),
        );
        r.register(
            "model_switches",
            "Wishes for another model, by result",
            self.switches.clone(),
        );
        r.register("http_answers", "Answers by status", self.requests.clone());
        r.register(
            "refused",
            "Requests refused before any work, by reason",
            self.refused.clone(),
        );
        r.register(
            "actions_refused",
            "Actions that were not given out, by rule",
            self.actions_refused.clone(),
        );
        r.register(
            "episodes_running",
            "Episodes that the daemon plays now",
            self.episodes_running.clone(),
        );
        r.register(
            "episodes",
            "Episodes that the daemon played, by their ends",
            self.episodes.clone(),
        );
        self.transitions.register(r, "transition_log");
        self.audit.register(r, "audit_log");
    }

    /// A worker ended.
    pub fn worker_lost(&self, reason: EndReason) {
        Self::count(&self.workers_lost, reason.name());
    }

    /// Workers that ended, whatever the reason.
    #[must_use]
    pub fn all_workers_lost(&self) -> u64 {
        use EndReason::{Died, Hang, Nonsense, Probe};
        let lost = |reason: EndReason| {
            let reason = Word(reason.name());
            self.workers_lost
                .get(&Labels { reason })
                .map_or(0, |lost| lost.get())
        };
        [Died, Hang, Nonsense, Probe].into_iter().map(lost).sum()
    }

    /// A wish for another model came to its end.
    pub fn switched(&self, result: SwitchResult) {
        Self::count(&self.switches, result.name());
    }

    /// An agent was deleted by a rule.
    pub fn evicted(&self, rule: &'static str) {
        Self::count(&self.evicted, rule);
    }

    /// A request was refused.
    pub fn refused(&self, reason: &'static str) {
        Self::count(&self.refused, reason);
    }

    /// An action was not given out.
    pub fn action_refused(&self, rule: &'static str) {
        Self::count(&self.actions_refused, rule);
    }

    /// An episode is not played any longer.
    pub fn episode_ended(&self, end: &'static str) {
        Self::count(&self.episodes, end);
    }

    /// A request was answered.
    pub fn answered(&self, status: u16) {
        self.requests.get_or_create(&Answer { status }).inc();
    }

    /// The exposition, in the text format of OpenMetrics.
    ///
    /// # Errors
    /// Never for a `String`; the encoder's signature allows it.
    pub fn expose(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn count(family: &Family<Labels, Counter>, reason: &'static str) {
        let reason = Word(reason);
        family.get_or_create(&Labels { reason }).inc();
    }
}
