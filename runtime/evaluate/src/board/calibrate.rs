//! `stride-eval measure`: what a policy takes on this machine, and what an engine should use here.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;

use serde::Serialize;
use stride_firmware_config::profile::{
    DeviceProfile, Inference, Measured, MeasuredRun, Memory, PROCESSOR, RUNS,
};
use stride_firmware_config::text::{BoundedText, Overflow};

use super::probe::Probe;
use crate::bench::measure::{Lane, Sample};
use crate::bench::wire::{Request, Setup};
use crate::error::EvalError;
use crate::memory;
use crate::statistics::Spread;
use crate::table::Table;

/// One setting to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// Threads of the engine.
    pub threads: NonZeroU32,
    /// Tokens of a prompt computed at once.
    pub batch_tokens: u32,
}

/// Times that a frame is decoded and answered to tell a prompt's token from an utterance's.
const REPEATS: u32 = 9;

/// A slower setting within this part of the fastest is taken when it needs fewer threads or a smaller batch.
const CLOSE: f64 = 1.03;

/// The settings that are worth a try: threads up to the machine's cores and the profile's own, batches up to the context. Where
/// there are too many for one section of a profile, there are fewer batches, and never fewer threads.
#[must_use]
pub fn settings(profile: &DeviceProfile, cores: usize) -> Vec<Setting> {
    let cores = u32::try_from(cores).map_or(Inference::MAX_THREADS, |cores| {
        cores.min(Inference::MAX_THREADS)
    });
    let run = &profile.inference;
    let doubled = std::iter::successors(Some(1_u32), |n| n.checked_mul(2));
    let mut threads: BTreeSet<u32> = doubled.take_while(|n| *n < cores).collect();
    threads.extend([cores, run.threads.min(cores)]);
    // The one that the profile names first, which is tried in any case.
    let mut batches = vec![run.batch_tokens];
    for batch in [128, 32, 512].map(|batch: u32| batch.min(run.context_tokens)) {
        if !batches.contains(&batch) {
            batches.push(batch);
        }
    }
    batches.truncate((RUNS / threads.len()).max(1));
    batches.sort_unstable();
    let all = threads.iter().flat_map(|&threads| {
        batches.iter().map(move |&batch_tokens| Setting {
            threads: NonZeroU32::new(threads).unwrap_or(NonZeroU32::MIN),
            batch_tokens,
        })
    });
    all.take(RUNS).collect()
}

/// The setup of a worker under a setting.
#[must_use]
pub fn under(setup: &Setup, profile: &DeviceProfile, setting: Setting) -> Setup {
    let mut setup = setup.clone();
    let mut profile = profile.clone();
    profile.inference.batch_tokens = setting.batch_tokens;
    // What was measured before must not decide what is measured now.
    profile.measured = None;
    setup.options.threads = setting.threads;
    setup.options.profile = Some(Box::new(profile));
    setup
}

/// How many workers under these settings may be there at the same time, each with weights and caches of its own: as many as the
/// profile's memory holds, one at least.
///
/// # Errors
/// When the policy cannot be read.
pub fn at_once(setups: &[Setup], profile: &DeviceProfile) -> Result<usize, EvalError> {
    let mut most = 0;
    for setup in setups {
        let options = &setup.options;
        let estimate = stride_engine::estimate(&options.path, &options.engine_options());
        most = most.max(estimate.map_err(EvalError::policy)?.total());
    }
    let each = most + Memory::fixed_bytes(&profile.capacities, &profile.inference);
    let fit = profile.memory.budget_bytes / each;
    Ok(usize::try_from(fit).unwrap_or(usize::MAX).max(1))
}

/// A setting that was played.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// Its times.
    pub run: MeasuredRun,
    /// The memory of its worker after the last step.
    pub memory: memory::Memory,
}

/// Reads the times of a lane that has played its steps.
///
/// # Errors
/// When the worker breaks, or it has played nothing.
pub fn run_of(
    lane: &mut Lane,
    setting: Setting,
    scene: &str,
    observation: &str,
) -> Result<Tried, EvalError> {
    let reply = lane.worker.ask(&Request::Time {
        scene: scene.to_owned(),
        observation: observation.to_owned(),
        repeat: REPEATS,
    })?;
    let step = Spread::of(lane.samples.iter().map(Sample::millis));
    let last = lane.samples.last();
    let (Some(times), Some(step), Some(last)) = (reply.times, step, last) else {
        return Err(EvalError::Worker {
            problem: "no step was measured".into(),
        });
    };
    let micros = |nanos: u64| u32::try_from(nanos / 1000).unwrap_or(u32::MAX);
    Ok(Tried {
        run: MeasuredRun {
            threads: setting.threads.get(),
            batch_tokens: setting.batch_tokens,
            prefill_micros: micros(times.prefill_nanos),
            decode_micros: micros(times.decode_nanos),
            step_micros: (step.p50 * 1000.0) as u32,
        },
        memory: last.memory,
    })
}

/// The run to use: the fastest step, or one nearly as fast that needs less.
#[must_use]
pub fn best(runs: &[MeasuredRun]) -> Option<usize> {
    let fastest = runs.iter().map(|run| run.step_micros).min()?;
    let near = f64::from(fastest) * CLOSE;
    let good = runs.iter().enumerate();
    let good = good.filter(|(_, run)| f64::from(run.step_micros) <= near);
    good.min_by_key(|(_, run)| (run.threads, run.batch_tokens))
        .map(|(at, _)| at)
}

/// Puts the section together.
///
/// # Errors
/// When nothing was measured.
pub fn measured(
    policy_hash: &str,
    processor: &str,
    tried: &[Tried],
    probes: &[Probe],
) -> Result<Measured, EvalError> {
    let nothing = || EvalError::Worker {
        problem: "nothing was measured".into(),
    };
    let runs: Vec<MeasuredRun> = tried.iter().map(|tried| tried.run).collect();
    let Tried { run, memory } = tried[best(&runs).ok_or_else(nothing)?];
    let bad = probes.iter().filter(|probe| probe.is_bad());
    Ok(Measured {
        policy: bounded(policy_hash),
        processor: bounded::<PROCESSOR>(processor),
        threads: run.threads,
        batch_tokens: run.batch_tokens,
        resident_bytes: memory.resident.unwrap_or(0),
        anonymous_bytes: memory.anonymous.unwrap_or(0),
        bad_features: bad.map(|probe| bounded(probe.feature)).collect(),
        runs: runs.into_iter().collect(),
    })
}

fn bounded<const N: usize>(text: &str) -> BoundedText<N> {
    let mut bounded = BoundedText::new();
    let kept = bounded.set(text, Overflow::Cut);
    debug_assert!(kept.is_ok(), "cutting never refuses");
    bounded
}

/// What was measured, beside what the profile said before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// The profile's name.
    pub profile: String,
    /// What was measured.
    pub measured: Measured,
    /// What the profile said before.
    pub before: Option<Measured>,
    /// The kernels that were tried.
    pub probes: Vec<Probe>,
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = &self.measured;
        writeln!(f, "{} on {}", self.profile, now.processor)?;
        let mut table = Table::new(&[
            "threads",
            "batch",
            "us a prompt token",
            "us an utterance token",
            "us a step",
            "before",
            "change",
            "",
        ]);
        for run in &now.runs {
            let before = self.before.as_ref().and_then(|before| {
                let same = |old: &&MeasuredRun| {
                    (old.threads, old.batch_tokens) == (run.threads, run.batch_tokens)
                };
                before.runs.iter().find(same)
            });
            let used = (run.threads, run.batch_tokens) == (now.threads, now.batch_tokens);
            table.row([
                run.threads.to_string(),
                run.batch_tokens.to_string(),
                run.prefill_micros.to_string(),
                run.decode_micros.to_string(),
                run.step_micros.to_string(),
                before.map_or_else(|| "-".into(), |old| old.step_micros.to_string()),
                before.map_or_else(
                    || "-".into(),
                    |old| change(old.step_micros, run.step_micros),
                ),
                if used { "used".into() } else { String::new() },
            ]);
        }
        write!(f, "{table}")?;
        writeln!(
            f,
            "memory: {} resident, of these {} not backed by files",
            memory::mebibytes(Some(now.resident_bytes)),
            memory::mebibytes(Some(now.anonymous_bytes))
        )?;
        for probe in &self.probes {
            writeln!(f, "{probe}")?;
        }
        match &self.before {
            None => writeln!(f, "measured for the first time"),
            Some(before) => self.differences(f, before),
        }
    }
}

impl Calibration {
    fn differences(&self, f: &mut fmt::Formatter<'_>, before: &Measured) -> fmt::Result {
        let now = &self.measured;
        let list = |measured: &Measured| {
            let names = measured.bad_features.iter().map(|name| name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        let mut same = true;
        for (what, old, new) in [
            ("policy", before.policy.to_string(), now.policy.to_string()),
            (
                "processor",
                before.processor.to_string(),
                now.processor.to_string(),
            ),
            (
                "threads",
                before.threads.to_string(),
                now.threads.to_string(),
            ),
            (
                "batch_tokens",
                before.batch_tokens.to_string(),
                now.batch_tokens.to_string(),
            ),
            ("bad_features", list(before), list(now)),
        ] {
            if old != new {
                same = false;
                writeln!(f, "changed: {what}: `{old}` before, `{new}` now")?;
            }
        }
        if same {
            writeln!(f, "the same choice as before")?;
        }
        Ok(())
    }
}

fn change(old: u32, new: u32) -> String {
    let percent = (f64::from(new) / f64::from(old.max(1)) - 1.0) * 100.0;
    format!("{percent:+.1} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(threads: u32, batch_tokens: u32, step_micros: u32) -> MeasuredRun {
        MeasuredRun {
            threads,
            batch_tokens,
            prefill_micros: 1,
            decode_micros: 1,
            step_micros,
        }
    }

    #[test]
    fn tries_no_more_threads_than_cores_and_no_batch_over_the_context() {
        let mut profile = DeviceProfile::standard();
        profile.inference.context_tokens = 300;
        profile.inference.threads = 8;
        let tried = settings(&profile, 3);
        let threads: BTreeSet<u32> = tried.iter().map(|s| s.threads.get()).collect();
        let batches: BTreeSet<u32> = tried.iter().map(|s| s.batch_tokens).collect();
        assert_eq!(Vec::from_iter(threads), [1, 2, 3]);
        assert_eq!(Vec::from_iter(batches), [32, 128, 256, 300]);
        // Many cores: fewer batches, and every number of threads.
        let many = settings(&DeviceProfile::standard(), 64);
        assert!(many.len() <= RUNS, "{many:?}");
        let threads: BTreeSet<u32> = many.iter().map(|s| s.threads.get()).collect();
        assert_eq!(Vec::from_iter(threads), [1, 2, 4, 8, 16, 32, 64]);
        let own = DeviceProfile::standard().inference.batch_tokens;
        assert!(many.iter().any(|s| s.batch_tokens == own));
    }

    #[test]
    fn takes_the_fastest_or_what_needs_less_and_is_as_fast() {
        assert_eq!(best(&[]), None);
        assert_eq!(best(&[run(1, 64, 2000), run(2, 64, 1500)]), Some(1));
        assert_eq!(
            best(&[run(2, 64, 1500), run(1, 256, 1520), run(1, 64, 1530)]),
            Some(2)
        );
    }

    #[test]
    fn differences_to_the_last_are_named() {
        let measured = |threads, step| Measured {
            policy: bounded("ab"),
            processor: bounded("Cortex"),
            threads,
            batch_tokens: 64,
            resident_bytes: 1 << 20,
            anonymous_bytes: 0,
            bad_features: [].into_iter().collect(),
            runs: [run(threads, 64, step)].into_iter().collect(),
        };
        let mut calibration = Calibration {
            profile: "kiosk".into(),
            measured: measured(1, 1500),
            before: None,
            probes: Vec::new(),
        };
        assert!(calibration.to_string().contains("for the first time"));
        calibration.before = Some(measured(1, 1000));
        let text = calibration.to_string();
        assert!(
            text.contains("+50.0 %") && text.contains("the same choice"),
            "{text}"
        );
        calibration.before = Some(measured(2, 1000));
        let text = calibration.to_string();
        assert!(
            text.contains("changed: threads: `2` before, `1` now"),
            "{text}"
        );
    }
}
