//! Logits beside neighbours against logits alone.

use std::num::NonZeroU32;
use std::path::PathBuf;

use stride_firmware_config::frame::StepFrame;

use super::{BatchOptions, BatchPolicy};
use crate::native::{Context, ContextParams};
use crate::options::{EngineOptions, KvType};
use crate::policy::{context_params, load_model};
use crate::sequence::Sequence;

const AGENTS: usize = 6;

fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/stride-household-q8_0.gguf")
}

fn options(kv_type: KvType) -> BatchOptions {
    BatchOptions {
        engine: EngineOptions {
            context_tokens: NonZeroU32::new(512),
            kv_type,
            ..EngineOptions::default()
        },
        slots: NonZeroU32::new(4).unwrap(),
        ..BatchOptions::default()
    }
}

/// What an agent sees at a step, and what it is asked: its progress, then its action.
fn ask(policy: &mut BatchPolicy, agent: usize, nth: usize) {
    let (step, level) = (nth / 2, nth % 2);
    let scene = format!("drawer 1 to {}, fridge 1, shelf 1 to 3", agent + 4);
    let observation = format!("You open the drawer {step}. In it, you see a pen {agent}.");
    let progress = format!("At shelf {step}, no egg. || [Checked: drawer 1 to {step}]");
    let subtask = "find and take egg";
    let action = format!("open drawer {step}");
    let frame = if level == 0 {
        StepFrame::Progress {
            scene: &scene,
            observation: &observation,
            subtask,
            progress: &progress,
            action: &action,
        }
    } else {
        StepFrame::Low {
            scene: &scene,
            observation: &observation,
            subtask,
            progress: &progress,
        }
    };
    policy.submit(agent as u64, nth as u64, &frame).unwrap();
}

/// Whatever was in the slots and whoever shared the decode call, the logits behind a text are those of an engine that has
/// nothing else to do and whose cache is empty when the frame begins: to the last bit with Q8_0 weights.
#[test]
fn logits_are_those_of_separate_prefill() {
    for kv_type in [KvType::F16, KvType::Q8_0] {
        compare(options(kv_type));
    }
}

fn compare(options: BatchOptions) {
    let model = load_model(&shipped(), &options.engine).unwrap();
    let mut policy = BatchPolicy::with_model(model.clone(), options).unwrap();
    // One engine for each agent, so that each can go on with its own text.
    let alone = || {
        let params = context_params(
            policy.writer.options(),
            policy.writer.context_tokens(),
            &model,
        );
        let params = ContextParams {
            sequences: NonZeroU32::MIN,
            ..params
        };
        Sequence::new(Context::new(model.clone(), params).unwrap())
    };
    let mut engines: Vec<Sequence> = (0..AGENTS).map(|_| alone()).collect();
    let mut fresh = [true; AGENTS];
    let mut next = [0; AGENTS];
    for agent in 0..AGENTS {
        ask(&mut policy, agent, 0);
    }
    let (mut compared, mut together) = (0, 0);
    while next.iter().any(|nth| *nth < 6) {
        policy.admit();
        policy.collect_rows();
        policy.context.decode_rows(&mut policy.rows).unwrap();
        together += usize::from(policy.due.len() > 2);
        for due in &policy.due {
            let (Some(call), Some(row)) = (&policy.running[due.slot], due.row) else {
                continue;
            };
            let agent = call.agent as usize;
            if std::mem::take(&mut fresh[agent]) {
                engines[agent].forget();
            }
            let expected = engines[agent].logits_after(call.writing.tokens()).unwrap();
            let logits = policy.context.logits_of_row(row).unwrap();
            assert_eq!(logits, expected);
            compared += 1;
        }
        policy.read_rows();
        policy.counts.decodes += 1;
        while let Some(answer) = policy.take_answer() {
            let agent = answer.agent as usize;
            fresh[agent] = true;
            next[agent] += 1;
            ask(&mut policy, agent, next[agent]);
        }
    }
    assert!(compared > 200 && together > 20, "{compared} {together}");
}

/// With a Q8_0 cache a text may be decoded in any pieces: its logits do not change by a bit. With an F16 cache they move,
/// by how much is what `drafted::NEAR_TIE` allows for.
#[test]
fn pieces_of_any_length_give_the_same_logits() {
    for (kv_type, most) in [(KvType::Q8_0, 0.0), (KvType::F16, 1e-3_f32)] {
        let options = options(kv_type);
        let model = load_model(&shipped(), &options.engine).unwrap();
        let mut policy = BatchPolicy::with_model(model.clone(), options).unwrap();
        let alone = || {
            let params = context_params(
                policy.writer.options(),
                policy.writer.context_tokens(),
                &model,
            );
            Sequence::new(Context::new(model.clone(), params).unwrap())
        };
        let (mut whole, mut pieces) = (alone(), alone());
        ask(&mut policy, 1, 2);
        let tokens = policy.waiting[0].writing.tokens();
        for length in 1..6 {
            pieces.forget();
            for end in (0..tokens.len()).step_by(length).skip(1) {
                pieces.logits_after(&tokens[..end]).unwrap();
            }
            whole.forget();
            let expected = whole.logits_after(tokens).unwrap();
            let logits = pieces.logits_after(tokens).unwrap();
            let differences = logits.iter().zip(expected).map(|(a, b)| (a - b).abs());
            let worst = differences.fold(0.0, f32::max);
            assert!(worst <= most, "{kv_type:?}, pieces of {length}: {worst}");
        }
    }
}
