//! What a bench found, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::measure::{Difference, Lane, Sample};
use crate::memory::{Memory, mebibytes};
use crate::run::report::PolicyFile;
use crate::statistics::Spread;
use crate::table::Table;

/// How it was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// The world.
    pub world: String,
    /// Episodes.
    pub games: usize,
    /// Most steps of an episode.
    pub steps: u32,
    /// Times that every episode was measured.
    pub repeat: u32,
    /// Who acted when the episodes were recorded: `the policy`, `chance` or `a patrol`.
    pub actions: &'static str,
    /// Threads of each engine.
    pub threads: u32,
    /// Along the decoding constraint.
    pub constrained: bool,
    /// The machine's processor.
    pub processor: String,
    /// Its cores.
    pub cores: usize,
    /// Why there are no joules.
    pub no_energy: Option<String>,
    /// The command.
    pub command: String,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of `stride-eval`.
    pub version: &'static str,
    /// The policy.
    pub policy: PolicyFile,
    /// How it was run.
    pub settings: Settings,
    /// Stopped before the last episode.
    pub partial: bool,
    /// One for each contender; the step-level agent is the first.
    pub contenders: Vec<Contender>,
    /// The baseline against the step-level agent, at some steps and overall.
    pub ratios: Vec<Ratio>,
    /// Late steps against early ones, in episodes of 220 steps and more.
    pub flat: Option<Flat>,
}

/// One contender.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contender {
    /// Its name.
    pub name: &'static str,
    /// Steps measured.
    pub steps: usize,
    /// Milliseconds of a step.
    pub millis: Spread,
    /// Milliseconds of processor time of a step: steadier than the former where other programs run.
    pub cpu_millis: Spread,
    /// Means of a step.
    pub mean: Means,
    /// Share of the time that was spent inside `llama_decode`.
    pub native_share: f64,
    /// Milliseconds of a step outside `llama_decode`.
    pub outside_millis: Spread,
    /// Joules of a step, where the machine counts them.
    pub joules: Option<f64>,
    /// Memory when the policy was loaded.
    pub loaded: Memory,
    /// Memory after the last step.
    pub ended: Memory,
    /// Most tokens of a history.
    pub history_tokens: usize,
    /// Steps in which it said what the policy had said when the script was recorded.
    pub same: usize,
    /// The first step in which it did not.
    pub first_difference: Option<Difference>,
    /// By the step's number in its episode.
    pub by_step: Vec<ByStep>,
}

/// Means of a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Means {
    /// Calls of the policy.
    pub calls: f64,
    /// Tokens of the prompts.
    pub prompt_tokens: f64,
    /// Of these, found in the KV cache.
    pub cached_tokens: f64,
    /// Tokens of the utterances.
    pub generated_tokens: f64,
    /// Of these, drafted and found right.
    pub accepted_tokens: f64,
    /// Calls of `llama_decode`.
    pub decode_calls: f64,
}

/// The steps with one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ByStep {
    /// The number, from 1.
    pub step: u32,
    /// How many.
    pub count: usize,
    /// Median milliseconds.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Median milliseconds of processor time.
    pub cpu_p50: f64,
    /// Mean tokens that were decoded: new ones of the prompts, and the utterances.
    pub tokens: f64,
    /// Median resident memory afterwards, bytes.
    pub resident: Option<u64>,
}

/// The baseline over the step-level agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// What is compared.
    pub what: String,
    /// The step-level agent.
    pub step: f64,
    /// The baseline.
    pub baseline: f64,
    /// Baseline over step: above 1, the step-level agent needs less.
    pub ratio: f64,
}

/// Late steps against early ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Flat {
    /// The early steps: 10 to 110.
    pub early: (u32, u32),
    /// The late ones: the last 101.
    pub late: (u32, u32),
    /// Median milliseconds of the early steps.
    pub early_millis: f64,
    /// Median milliseconds of the late ones.
    pub late_millis: f64,
    /// Late over early.
    pub ratio: f64,
    /// The same of processor time.
    pub cpu_ratio: f64,
    /// The same of decoded tokens: late frames may simply hold more.
    pub token_ratio: f64,
    /// The same of processor time for each decoded token.
    pub cpu_per_token_ratio: f64,
}

/// Steps of an episode below which nothing is said about flatness.
const LONG: u32 = 220;

impl Report {
    /// Adds up what was measured. `None` when no step was.
    #[must_use]
    pub fn new(
        policy: PolicyFile,
        settings: Settings,
        lanes: &[Lane],
        energy: bool,
        partial: bool,
    ) -> Option<Self> {
        let contenders: Option<Vec<Contender>> =
            lanes.iter().map(|lane| contender(lane, energy)).collect();
        let contenders = contenders?;
        let step = lanes.first()?;
        Some(Self {
            version: env!("CARGO_PKG_VERSION"),
            policy,
            partial,
            ratios: contenders
                .get(1)
                .map_or_else(Vec::new, |baseline| ratios(&contenders[0], baseline)),
            flat: flat(&step.samples),
            settings,
            contenders,
        })
    }
}

fn contender(lane: &Lane, energy: bool) -> Option<Contender> {
    let samples = &lane.samples;
    let count = samples.len() as f64;
    let mean = |of: fn(&Sample) -> u64| samples.iter().map(of).sum::<u64>() as f64 / count;
    let all = samples.iter().map(|s| s.cost.nanos).sum::<u64>().max(1);
    let native: u64 = samples.iter().map(|s| s.cost.native_nanos).sum();
    let outside = |s: &Sample| s.cost.nanos.saturating_sub(s.cost.native_nanos) as f64 / 1e6;
    Some(Contender {
        name: lane.worker.kind().name(),
        steps: samples.len(),
        millis: Spread::of(samples.iter().map(Sample::millis))?,
        cpu_millis: Spread::of(samples.iter().map(Sample::cpu_millis))?,
        mean: Means {
            calls: mean(|s| u64::from(s.cost.calls)),
            prompt_tokens: mean(|s| s.cost.prompt_tokens),
            cached_tokens: mean(|s| s.cost.cached_tokens),
            generated_tokens: mean(|s| s.cost.generated_tokens),
            accepted_tokens: mean(|s| s.cost.accepted_tokens),
            decode_calls: mean(|s| s.cost.decode_calls),
        },
        native_share: native as f64 / all as f64,
        outside_millis: Spread::of(samples.iter().map(outside))?,
        joules: energy.then(|| lane.joules / count),
        loaded: lane.worker.loaded(),
        ended: samples.last()?.memory,
        history_tokens: samples.iter().map(|s| s.history_tokens).max()?,
        same: lane.same,
        first_difference: lane.first_difference.clone(),
        by_step: by_step(samples),
    })
}

fn by_step(samples: &[Sample]) -> Vec<ByStep> {
    let last = samples.iter().map(|s| s.step).max().unwrap_or(0);
    let mut groups: Vec<Vec<&Sample>> = vec![Vec::new(); last as usize];
    for sample in samples {
        groups[sample.step as usize - 1].push(sample);
    }
    let rows = (1..).zip(&groups).filter_map(|(step, group)| {
        let spread = Spread::of(group.iter().map(|s| s.millis()))?;
        let resident = group.iter().filter_map(|s| s.memory.resident);
        Some(ByStep {
            step,
            count: group.len(),
            p50: spread.p50,
            p99: spread.p99,
            cpu_p50: Spread::of(group.iter().map(|s| s.cpu_millis()))?.p50,
            tokens: group.iter().map(|s| s.decoded_tokens()).sum::<f64>() / group.len() as f64,
            resident: Spread::of(resident.map(|bytes| bytes as f64)).map(|s| s.p50 as u64),
        })
    });
    rows.collect()
}

/// The steps that a table shows: the first ones one by one, then ever fewer.
#[must_use]
pub fn shown(step: u32) -> bool {
    matches!(step, 1 | 2 | 5) || (step <= 50 && step.is_multiple_of(10)) || step.is_multiple_of(100)
}

/// A figure of the memory, where the system tells it.
type MemoryFigure = fn(&Memory) -> Option<u64>;

/// What is compared of the memory after the last step.
const MEMORY: [(&str, MemoryFigure); 2] = [
    ("resident MiB after the last step", |memory| memory.resident),
    ("of these not backed by files, MiB", |memory| {
        memory.anonymous
    }),
];

fn ratios(step: &Contender, baseline: &Contender) -> Vec<Ratio> {
    let ratio = |what: String, step: f64, baseline: f64| Ratio {
        what,
        step,
        baseline,
        ratio: baseline / step.max(1e-9),
    };
    let (ours, theirs) = (&step.cpu_millis, &baseline.cpu_millis);
    let mut ratios = vec![
        ratio(
            "median ms of all steps".into(),
            step.millis.p50,
            baseline.millis.p50,
        ),
        ratio("median CPU ms of all steps".into(), ours.p50, theirs.p50),
        ratio("mean CPU ms of all steps".into(), ours.mean, theirs.mean),
    ];
    for (ours, theirs) in step.by_step.iter().zip(&baseline.by_step) {
        if ours.count > 0 && shown(ours.step) {
            let what = format!("median CPU ms of step {} ({} steps)", ours.step, ours.count);
            ratios.push(ratio(what, ours.cpu_p50, theirs.cpu_p50));
        }
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    for (what, of) in MEMORY {
        if let (Some(ours), Some(theirs)) = (of(&step.ended), of(&baseline.ended)) {
            ratios.push(ratio(what.to_owned(), mib(ours), mib(theirs)));
        }
    }
    if let (Some(ours), Some(theirs)) = (step.joules, baseline.joules) {
        ratios.push(ratio("joules a step".into(), ours, theirs));
    }
    ratios
}

fn flat(samples: &[Sample]) -> Option<Flat> {
    let last = samples.iter().map(|s| s.step).max()?;
    if last < LONG {
        return None;
    }
    let (early, late) = ((10, 110), (last - 100, last));
    let median = |(from, to): (u32, u32), of: fn(&Sample) -> f64| {
        let within = samples.iter().filter(|s| (from..=to).contains(&s.step));
        Spread::of(within.map(of)).map(|spread| spread.p50)
    };
    let early_millis = median(early, Sample::millis)?;
    let late_millis = median(late, Sample::millis)?;
    let ratio = |of: fn(&Sample) -> f64| Some(median(late, of)? / median(early, of)?);
    Some(Flat {
        early,
        late,
        early_millis,
        late_millis,
        ratio: late_millis / early_millis,
        cpu_ratio: ratio(Sample::cpu_millis)?,
        token_ratio: ratio(Sample::decoded_tokens)?,
        cpu_per_token_ratio: ratio(|s| s.cpu_millis() / s.decoded_tokens().max(1.0))?,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.settings;
        writeln!(
            f,
            "policy {} ({})\nworld {}, {} episodes of at most {} steps, {} times; actions by {}\n{} with {} cores, {} threads an engine",
            self.policy.path,
            mebibytes(Some(self.policy.bytes)),
            s.world,
            s.games,
            s.steps,
            s.repeat,
            s.actions,
            s.processor,
            s.cores,
            s.threads
        )?;
        if self.partial {
            writeln!(f, "PARTIAL: stopped before the last episode")?;
        }
        let mut table = Table::new(&[
            "",
            "steps",
            "ms p50",
            "p99",
            "CPU ms",
            "prompt",
            "cached",
            "said",
            "drafted",
            "calls",
            "decodes",
            "outside llama.cpp",
            "RSS loaded",
            "RSS at the end",
            "joules",
        ]);
        for c in &self.contenders {
            table.row([
                c.name.to_owned(),
                c.steps.to_string(),
                format!("{:.2}", c.millis.p50),
                format!("{:.2}", c.millis.p99),
                format!("{:.2}", c.cpu_millis.p50),
                format!("{:.1}", c.mean.prompt_tokens),
                format!("{:.1}", c.mean.cached_tokens),
                format!("{:.1}", c.mean.generated_tokens),
                format!("{:.1}", c.mean.accepted_tokens),
                format!("{:.2}", c.mean.calls),
                format!("{:.1}", c.mean.decode_calls),
                format!("{:.2} %", (1.0 - c.native_share) * 100.0),
                mebibytes(c.loaded.resident),
                mebibytes(c.ended.resident),
                c.joules.map_or_else(|| "-".into(), |j| format!("{j:.4}")),
            ]);
        }
        write!(f, "\n{table}")?;
        if let Some(why) = &s.no_energy {
            writeln!(f, "joules: {why}")?;
        }
        self.steps_table(f)?;
        if !self.ratios.is_empty() {
            let mut table = Table::new(&["baseline over step", "step", "baseline", "ratio"]);
            for r in &self.ratios {
                table.row([
                    r.what.clone(),
                    format!("{:.2}", r.step),
                    format!("{:.2}", r.baseline),
                    format!("{:.2}", r.ratio),
                ]);
            }
            write!(f, "\n{table}")?;
        }
        for c in &self.contenders {
            writeln!(
                f,
                "{}: {} of {} actions as recorded",
                c.name, c.same, c.steps
            )?;
            if let Some(d) = &c.first_difference {
                writeln!(
                    f,
                    "  first difference: {} step {}: recorded `{}`, said `{}`",
                    d.game, d.step, d.recorded, d.said
                )?;
            }
        }
        if let Some(flat) = &self.flat {
            writeln!(
                f,
                "flat: median of steps {} to {}: {:.2} ms; of steps {} to {}: {:.2} ms; ratio {:.3}; of CPU time {:.3}, of decoded tokens {:.3}, of CPU time a token {:.3}",
                flat.early.0,
                flat.early.1,
                flat.early_millis,
                flat.late.0,
                flat.late.1,
                flat.late_millis,
                flat.ratio,
                flat.cpu_ratio,
                flat.token_ratio,
                flat.cpu_per_token_ratio
            )?;
        }
        Ok(())
    }
}

impl Report {
    fn steps_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut titles = vec!["step".to_owned(), "count".to_owned()];
        for c in &self.contenders {
            for what in ["p50 ms", "p99 ms", "CPU ms", "tokens"] {
                titles.push(format!("{} {what}", c.name));
            }
        }
        let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
        let mut table = Table::new(&titles);
        let Some(first) = self.contenders.first() else {
            return Ok(());
        };
        for (at, row) in first
            .by_step
            .iter()
            .enumerate()
            .filter(|(_, r)| shown(r.step))
        {
            let mut cells = vec![row.step.to_string(), row.count.to_string()];
            for c in &self.contenders {
                let Some(row) = c.by_step.get(at) else {
                    continue;
                };
                cells.extend([
                    format!("{:.2}", row.p50),
                    format!("{:.2}", row.p99),
                    format!("{:.2}", row.cpu_p50),
                    format!("{:.0}", row.tokens),
                ]);
            }
            table.row(cells);
        }
        write!(f, "\n{table}")
    }
}
