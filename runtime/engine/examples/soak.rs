//! Answers many frames and reports speed and memory: `soak POLICY [FRAMES] [THREADS] [constrained] [flash]
//! [repack]`.
//!
//! The frames are those of a made-up search through a room: a progress call and a low call a step, a high call every
//! tenth step.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Instant;

use stride_agent::policy::{Cost, Policy as _};
use stride_engine::{ActionTemplates, EngineOptions, LlamaPolicy};
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::state::Completed;

const SCENE: &str =
    "bed 1 to 2, desk 1, drawer 1 to 11, dresser 1, garbagecan 1, safe 1, sidetable 1 to 2";
const TASK: &str = "put a clean mug in the safe";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("no policy given")?);
    let frames: u32 = arguments.next().map_or(Ok(1000), |n| n.parse())?;
    let threads: NonZeroU32 = arguments
        .next()
        .map_or(Ok(NonZeroU32::MIN), |n| n.parse())?;
    let modes: Vec<String> = arguments.collect();
    let has = |mode: &str| modes.iter().any(|m| m == mode);
    let options = EngineOptions {
        threads,
        constraint: has("constrained").then(ActionTemplates::default),
        flash_attention: has("flash"),
        repack_weights: has("repack"),
        ..EngineOptions::default()
    };
    let started = Instant::now();
    let mut policy = LlamaPolicy::load(&path, options)?;
    println!("loaded in {:?}, resident {}", started.elapsed(), resident());
    let completed = Completed::default();
    let mut total = Cost::default();
    let started = Instant::now();
    for step in 0..frames / 2 {
        let drawer = step % 11 + 1;
        let observation =
            format!("You open the drawer {drawer}. In it, you see a mug {drawer}, and a pen 1.");
        let progress =
            format!("Nothing yet, unchecked places remain || [Checked: drawer 1 to {drawer}]");
        let action = format!("open drawer {drawer}");
        let mut ask = |frame: StepFrame<'_>| -> Result<(), Box<dyn std::error::Error>> {
            let cost = policy.utter(&frame)?.cost;
            total.prompt_tokens += cost.prompt_tokens;
            total.decoded_tokens += cost.decoded_tokens;
            total.generated_tokens += cost.generated_tokens;
            Ok(())
        };
        if step % 10 == 0 {
            ask(StepFrame::High {
                scene: SCENE,
                observation: &observation,
                task: TASK,
                completed: &completed,
                progress: &progress,
            })?;
        }
        ask(StepFrame::Progress {
            scene: SCENE,
            observation: &observation,
            subtask: "find a mug",
            progress: &progress,
            action: &action,
        })?;
        ask(StepFrame::Low {
            scene: SCENE,
            observation: &observation,
            subtask: "find a mug",
            progress: &progress,
        })?;
        if (step + 1) % (frames / 10).max(1) == 0 {
            println!("step {}: resident {}", step + 1, resident());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let tokens = f64::from(total.decoded_tokens + total.generated_tokens);
    println!(
        "{} steps, {:.2} ms a step; prompt {} of which decoded {}, generated {}: {:.0} tokens/s",
        frames / 2,
        seconds * 1e3 / f64::from(frames / 2),
        total.prompt_tokens,
        total.decoded_tokens,
        total.generated_tokens,
        tokens / seconds
    );
    Ok(())
}

/// Resident memory as Linux reports it, in kB by kind.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let wanted = ["VmHWM", "VmRSS", "RssAnon", "RssFile", "Threads"];
    let lines = status
        .lines()
        .filter(|l| wanted.iter().any(|w| l.starts_with(w)));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}
