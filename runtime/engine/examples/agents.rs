//! Many agents at once against one after another: `agents POLICY [AGENTS] [STEPS] [SLOTS] [WORKERS] [constrained] [flash]
//! [f32|f16] [draft=N] [naive]`.
//!
//! The single engine plays household games, one agent after another, STEPS steps each. Then batch engines (WORKERS of them,
//! each on a thread of its own with its share of agents and SLOTS) are asked the same frames, every agent's next when its
//! last is answered, and must give the same answers. Both runs are timed in this one process. With `naive` the single engine
//! forgets its cache before every call.

use std::error::Error;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stride_agent::agent::Limits;
use stride_agent::episode;
use stride_agent::event::Silent;
use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_agent::transition::FrameText;
use stride_engine::{
    ActionTemplates, BatchOptions, BatchPolicy, EngineOptions, KvType, LlamaPolicy,
};
use stride_environments::household::HouseholdEnvironment;
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::level::PolicyLevel;

const EPISODE_STEPS: u32 = 50;

/// One call of an agent, and what the single engine said.
struct Asked {
    frame: FrameText,
    said: String,
}

/// Passes calls on, keeps and times them.
struct Kept<'a> {
    policy: &'a mut LlamaPolicy,
    naive: bool,
    calls: Vec<Asked>,
    time: Duration,
    cpu: Duration,
}

impl Policy for Kept<'_> {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        if self.naive {
            self.policy.forget();
        }
        let started = (Instant::now(), on_cpu());
        let said = self.policy.utter(frame)?;
        self.time += started.0.elapsed();
        self.cpu += on_cpu().saturating_sub(started.1);
        self.calls.push(Asked {
            frame: FrameText::from(frame),
            said: said.text.clone(),
        });
        Ok(said)
    }
}

/// Calls of one agent until it has acted so often, and the time they took.
fn play(
    policy: &mut LlamaPolicy,
    naive: bool,
    agent: u64,
    steps: u32,
) -> Result<(Vec<Asked>, Duration, Duration), Box<dyn Error>> {
    let mut kept = Kept {
        policy,
        naive,
        calls: Vec::new(),
        time: Duration::ZERO,
        cpu: Duration::ZERO,
    };
    let mut seed = 1_000_000 + agent * 1000;
    let mut acted = 0;
    while acted < steps {
        let mut world = HouseholdEnvironment::new(seed);
        let most = EPISODE_STEPS.min(steps - acted);
        let limits = Limits::default();
        let (report, _) = episode::play(&mut world, &mut kept, &limits, most, &mut Silent)?;
        acted += report.steps;
        seed += 1;
    }
    Ok((kept.calls, kept.time, kept.cpu))
}

/// Time that this thread has spent on a core, as Linux counts it: waiting for a core that others use does not count.
fn on_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// What a batch engine did with its share of the agents.
#[derive(Default)]
struct Outcome {
    different: usize,
    decodes: u64,
    tokens: u64,
    bridges: u64,
    waits: Vec<u32>,
    frame_tokens: u64,
    decoded_tokens: u64,
    cpu: Duration,
}

fn answer_together(
    path: &Path,
    options: BatchOptions,
    agents: &[Vec<Asked>],
    barrier: &std::sync::Barrier,
) -> Result<(Outcome, Duration), Box<dyn Error + Send + Sync>> {
    let mut policy = BatchPolicy::load(path, options)?;
    let mut next = vec![0; agents.len()];
    let mut outcome = Outcome::default();
    barrier.wait();
    let (started, cpu) = (Instant::now(), on_cpu());
    for (agent, calls) in agents.iter().enumerate() {
        policy.submit(agent as u64, 0, &calls[0].frame.as_frame())?;
    }
    while policy.advance() {
        while let Some(answer) = policy.take_answer() {
            let agent = usize::try_from(answer.agent)?;
            let said = answer.outcome?;
            let calls = &agents[agent];
            outcome.different += usize::from(said.text != calls[next[agent]].said);
            outcome.waits.push(answer.took);
            outcome.frame_tokens += u64::from(said.cost.prompt_tokens);
            outcome.decoded_tokens += u64::from(said.cost.decoded_tokens);
            next[agent] += 1;
            if let Some(call) = calls.get(next[agent]) {
                policy.submit(answer.agent, next[agent] as u64, &call.frame.as_frame())?;
            }
        }
    }
    let time = started.elapsed();
    outcome.cpu = on_cpu().saturating_sub(cpu);
    let counts = policy.counts();
    (outcome.decodes, outcome.tokens) = (counts.decodes, counts.tokens);
    outcome.bridges = counts.bridges;
    Ok((outcome, time))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("no policy given")?);
    let mut number = |default: u32| arguments.next().map_or(Ok(default), |n| n.parse());
    let (agents, steps) = (number(64)?, number(20)?);
    let (slots, workers) = (number(32)?, number(2)?);
    let modes: Vec<String> = std::env::args().skip(6).collect();
    let has = |mode: &str| modes.iter().any(|m| m == mode);
    let engine = EngineOptions {
        constraint: has("constrained").then(ActionTemplates::default),
        flash_attention: has("flash"),
        context_tokens: NonZeroU32::new(512),
        draft_tokens: modes
            .iter()
            .find_map(|mode| mode.strip_prefix("draft="))
            .map_or(Ok(0), str::parse)?,
        kv_type: match () {
            () if has("f32") => KvType::F32,
            () if has("f16") => KvType::F16,
            () => KvType::Q8_0,
        },
        ..EngineOptions::default()
    };
    let mut single = LlamaPolicy::load(&path, engine.clone())?;
    play(&mut single, false, 999, 5)?;
    let mut asked = Vec::new();
    let (mut alone, mut alone_cpu) = (Duration::ZERO, Duration::ZERO);
    for agent in 0..agents {
        let (calls, time, cpu) = play(&mut single, has("naive"), u64::from(agent), steps)?;
        asked.push(calls);
        alone += time;
        alone_cpu += cpu;
    }
    let total = f64::from(agents * steps);
    let rate = |time: Duration| total / time.as_secs_f64();
    let calls: usize = asked.iter().map(Vec::len).sum();
    println!(
        "one after another: {agents} agents, {total} steps, {calls} calls in {alone:.2?}: {:.1} steps/s; on a core {alone_cpu:.2?}, {:.2} ms a step",
        rate(alone),
        alone_cpu.as_secs_f64() * 1e3 / total
    );
    let options = BatchOptions {
        engine,
        slots: NonZeroU32::new(slots.div_ceil(workers)).ok_or("no slots")?,
        ..BatchOptions::default()
    };
    let share = asked.len().div_ceil(workers as usize);
    let barrier = &std::sync::Barrier::new(asked.chunks(share).count());
    let outcomes = std::thread::scope(|scope| {
        let threads: Vec<_> = asked
            .chunks(share)
            .map(|share| {
                let (path, options) = (&path, options.clone());
                scope.spawn(move || answer_together(path, options, share, barrier))
            })
            .collect();
        let joined = threads.into_iter().map(|t| t.join().expect("no panic"));
        joined.collect::<Result<Vec<_>, _>>()
    })
    .map_err(|e| e.to_string())?;
    let together = outcomes.iter().map(|(_, t)| *t).max().unwrap_or_default();
    println!(
        "together: {slots} slots, {workers} workers, in {together:.2?}: {:.1} steps/s, {:.2} times as many",
        rate(together),
        alone.as_secs_f64() / together.as_secs_f64()
    );
    let cpu: Duration = outcomes.iter().map(|(outcome, _)| outcome.cpu).sum();
    println!(
        "  on a core {cpu:.2?}, {:.2} ms a step: {:.2} times less",
        cpu.as_secs_f64() * 1e3 / total,
        alone_cpu.as_secs_f64() / cpu.as_secs_f64()
    );
    for (outcome, _) in &outcomes {
        let mut waits = outcome.waits.clone();
        waits.sort_unstable();
        let mean = waits.iter().map(|w| f64::from(*w)).sum::<f64>() / waits.len() as f64;
        println!(
            "  {} decode calls of {:.1} tokens, {} bridges; of frames {} of {} tokens decoded; a call took {mean:.1} \
             decode calls, p99 {}, most {}; {} answers differ",
            outcome.decodes,
            outcome.tokens as f64 / outcome.decodes as f64,
            outcome.bridges,
            outcome.decoded_tokens,
            outcome.frame_tokens,
            waits[waits.len() * 99 / 100],
            waits[waits.len() - 1],
            outcome.different,
        );
    }
    let levels = |level: PolicyLevel| {
        let frames = asked.iter().flatten();
        frames.filter(|asked| asked.frame.level() == level).count()
    };
    println!(
        "  calls: {} high, {} low, {} progress",
        levels(PolicyLevel::High),
        levels(PolicyLevel::Low),
        levels(PolicyLevel::Progress)
    );
    Ok(())
}
