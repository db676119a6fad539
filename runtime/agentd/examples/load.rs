//! Load for a daemon, and what it costs: `cargo run --release -p stride-agentd --example load -- --help`.
//!
//! Each player plays household games over and over; what is printed is the time of a step that was not spent in the policy, steps a
//! second, and the memory and open files of the daemon and its worker as they go.
#![allow(missing_docs, reason = "an example")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use stride_agent::environment::Environment as _;
use stride_client::api::{CreateAgent, StepRequest};
use stride_client::observe::DaemonState;
use stride_client::{Address, Client};
use stride_environments::household::HouseholdEnvironment;

/// Plays household games against a daemon and prints what the steps cost.
#[derive(Debug, Parser)]
struct Arguments {
    /// The daemon: unix:PATH or tcp:HOST:PORT
    address: Address,

    /// Games at the same time
    #[arg(long, default_value_t = 1)]
    players: u64,

    /// Steps in all
    #[arg(long, default_value_t = 1000)]
    steps: u64,

    /// Agents to make first that do nothing
    #[arg(long, default_value_t = 0)]
    idle: u64,

    /// The daemon's process, to print what it takes
    #[arg(long)]
    pid: Option<u32>,

    /// Lines that are printed on the way
    #[arg(long, default_value_t = 10)]
    lines: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    print_usage(&arguments, "at the start");
    if arguments.idle > 0 {
        make_idle(&arguments)?;
        print_usage(&arguments, &format!("with {} idle agents", arguments.idle));
    }
    let done = AtomicU64::new(0);
    let start = Instant::now();
    let mut overheads = Vec::new();
    let mut policy = 0;
    std::thread::scope(|scope| -> Result<()> {
        let players: Vec<_> = (0..arguments.players)
            .map(|player| {
                let (arguments, done) = (&arguments, &done);
                scope.spawn(move || play(arguments, player, done))
            })
            .collect();
        for player in players {
            let (mine, micros) = player.join().ok().context("a player panicked")??;
            overheads.extend(mine);
            policy += micros;
        }
        Ok(())
    })?;
    let seconds = start.elapsed().as_secs_f64();
    overheads.sort_unstable();
    let at = |share: usize| {
        overheads
            .get(overheads.len() * share / 100)
            .copied()
            .unwrap_or(0)
    };
    let steps = overheads.len();
    println!(
        "{steps} steps in {seconds:.1} s ({:.1} a second), {:.0} us of each in the policy",
        steps as f64 / seconds,
        policy as f64 / steps.max(1) as f64
    );
    println!(
        "beside the policy (us): p50 {}, p90 {}, p99 {}",
        at(50),
        at(90),
        at(99)
    );
    Ok(())
}

fn make_idle(arguments: &Arguments) -> Result<()> {
    // As many at once as share a commit well.
    const HANDS: u64 = 32;
    std::thread::scope(|scope| -> Result<()> {
        let hands: Vec<_> = (0..HANDS)
            .map(|hand| {
                let client = Client::new(arguments.address.clone());
                scope.spawn(move || -> Result<()> {
                    for n in (hand..arguments.idle).step_by(usize::try_from(HANDS)?) {
                        client.create(&CreateAgent {
                            id: Some(format!("idle-{n}")),
                            task: "wait for somebody to say something".into(),
                            scene: "countertop 1 to 2, drawer 1 to 7, fridge 1".into(),
                            ..CreateAgent::default()
                        })?;
                    }
                    Ok(())
                })
            })
            .collect();
        for hand in hands {
            hand.join().ok().context("a hand panicked")??;
        }
        Ok(())
    })
}

/// Plays until enough steps are done; returns microseconds beside the policy for each step, and those inside it together.
fn play(arguments: &Arguments, player: u64, done: &AtomicU64) -> Result<(Vec<u64>, u64)> {
    let client = Client::new(arguments.address.clone());
    let every = (arguments.steps / arguments.lines.max(1)).max(1);
    let (mut overheads, mut policy) = (Vec::new(), 0);
    for game in 0.. {
        let id = format!("player-{player}-{game}");
        let mut world = HouseholdEnvironment::new(player * 1000 + game % 50);
        let opening = world.reset()?;
        client.create(&CreateAgent {
            id: Some(id.clone()),
            task: opening.task,
            scene: opening.scene,
            ..CreateAgent::default()
        })?;
        let mut request = StepRequest {
            observation: opening.observation,
            ..StepRequest::default()
        };
        for step in 0.. {
            request.request_id = step.to_string();
            let start = Instant::now();
            let answer = client.step(&id, &request)?;
            let took = u64::try_from(start.elapsed().as_micros())?;
            let Some(action) = answer.action else { break };
            overheads.push(took.saturating_sub(answer.micros));
            policy += answer.micros;
            let steps = done.fetch_add(1, Ordering::Relaxed) + 1;
            if steps.is_multiple_of(every) {
                print_usage(arguments, &format!("after {steps} steps"));
            }
            let outcome = world.step(&action)?;
            request = StepRequest {
                observation: outcome.observation,
                invalid: outcome.invalid,
                reward: outcome.reward,
                done: outcome.done || steps >= arguments.steps,
                won: outcome.won,
                ..StepRequest::default()
            };
        }
        client.delete(&id)?;
        if done.load(Ordering::Relaxed) >= arguments.steps {
            break;
        }
    }
    Ok((overheads, policy))
}

fn print_usage(arguments: &Arguments, when: &str) {
    let Some(pid) = arguments.pid else { return };
    let mut line = format!("{when}:");
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let worker = threads.into_iter().flatten().flatten().find_map(|thread| {
        let children = std::fs::read_to_string(thread.path().join("children")).ok()?;
        children.split(' ').next()?.parse().ok()
    });
    for (name, pid) in [("daemon", Some(pid)), ("worker", worker)] {
        let Some(pid): Option<u32> = pid else {
            continue;
        };
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |key: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|value| value.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        let own = field("RssAnon:") + field("VmSwap:");
        line += &format!(" {name} {own} KiB, {files} files;");
    }
    let state = Client::new(arguments.address.clone()).fetch::<DaemonState>("/v1/stride/state");
    if let Ok(state) = state {
        line += &format!(" state {} KiB;", state.device.store_bytes >> 10);
        line += &format!(" {} workers lost", state.workers_lost);
    }
    println!("{line}");
}
