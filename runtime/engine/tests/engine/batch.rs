//! Many agents in common decode calls get the answers that each would get alone.

use std::num::NonZeroU32;

use stride_agent::policy::Policy as _;
use stride_agent::transition::FrameText;
use stride_engine::{
    ActionTemplates, Answer, BatchOptions, BatchPolicy, EngineError, EngineOptions, LlamaPolicy,
    PerLevel, Sampling, SharedPolicy,
};

use crate::common::{Asked, episode, household, play, policy_file, shipped};

fn options(slots: u32, engine: EngineOptions) -> BatchOptions {
    BatchOptions {
        engine,
        slots: NonZeroU32::new(slots).unwrap(),
        ..BatchOptions::default()
    }
}

/// Asks every agent's calls in their order, each when the one before is answered.
fn ask_together(policy: &mut BatchPolicy, agents: &[Vec<FrameText>]) -> Vec<Vec<Answer>> {
    let mut answers: Vec<Vec<Answer>> = agents.iter().map(|_| Vec::new()).collect();
    for (agent, frames) in agents.iter().enumerate() {
        policy
            .submit(agent as u64, 0, &frames[0].as_frame())
            .unwrap();
    }
    while policy.advance() {
        while let Some(answer) = policy.take_answer() {
            let agent = answer.agent as usize;
            answers[agent].push(answer);
            let nth = answers[agent].len();
            if let Some(frame) = agents[agent].get(nth) {
                policy
                    .submit(agent as u64, nth as u64, &frame.as_frame())
                    .unwrap();
            }
        }
    }
    answers
}

fn frames(agents: &[Vec<Asked>]) -> Vec<Vec<FrameText>> {
    let frames = |calls: &Vec<Asked>| calls.iter().map(|call| call.frame.clone()).collect();
    agents.iter().map(frames).collect()
}

/// The shipped policy plays 1,000 steps of 20 agents alone, then answers the same calls together.
#[test]
fn a_thousand_steps_together_are_those_alone() {
    for constraint in [None, Some(ActionTemplates::default())] {
        let steps = if constraint.is_none() { 50 } else { 10 };
        let engine = EngineOptions {
            constraint,
            context_tokens: NonZeroU32::new(512),
            ..EngineOptions::default()
        };
        let mut alone = LlamaPolicy::load(&shipped(), engine.clone()).unwrap();
        let agents: Vec<Vec<Asked>> = (0..20)
            .map(|agent| play(&mut alone, &mut household(2_000 + agent), steps))
            .collect();
        let mut together = BatchPolicy::load(&shipped(), options(12, engine)).unwrap();
        let answers = ask_together(&mut together, &frames(&agents));
        for (calls, answers) in agents.iter().zip(&answers) {
            assert_eq!(calls.len(), answers.len());
            for (call, answer) in calls.iter().zip(answers) {
                assert_eq!(answer.outcome.as_ref().unwrap().text, call.said);
            }
        }
        let counts = together.counts();
        assert_eq!((counts.waiting, counts.running), (0, 0));
        assert!(counts.tokens > 3 * counts.decodes, "{counts:?}");
    }
}

#[test]
fn random_weights_in_f32_answer_alike_too() {
    let engine = crate::common::exact();
    let agents: Vec<Vec<FrameText>> = (0..9).map(|seed| episode(seed, 6)).collect();
    let mut alone = LlamaPolicy::load(&policy_file(), engine.clone()).unwrap();
    let mut together = BatchPolicy::load(&policy_file(), options(4, engine)).unwrap();
    let answers = ask_together(&mut together, &agents);
    for (frames, answers) in agents.iter().zip(answers) {
        for (frame, answer) in frames.iter().zip(answers) {
            let expected = alone.utter(&frame.as_frame()).unwrap();
            let said = answer.outcome.unwrap();
            assert_eq!(said.text, expected.text);
            assert_eq!(said.cost.prompt_tokens, expected.cost.prompt_tokens);
            assert_eq!(said.cost.generated_tokens, expected.cost.generated_tokens);
        }
    }
}

#[test]
fn nobody_waits_three_times_as_long_as_the_mean() {
    let agents: Vec<Vec<FrameText>> = (0..64).map(|seed| episode(seed, 3)).collect();
    let mut policy = BatchPolicy::load(&policy_file(), options(8, crate::common::exact())).unwrap();
    let answers = ask_together(&mut policy, &agents);
    // All calls of an agent together: within a step some go before the queue, so single calls differ more.
    let waits: Vec<u32> = answers
        .iter()
        .map(|answers| answers.iter().map(|answer| answer.took).sum())
        .collect();
    let mean = f64::from(waits.iter().sum::<u32>()) / waits.len() as f64;
    let most = f64::from(*waits.iter().max().unwrap());
    assert!(most <= 3.0 * mean, "most {most}, mean {mean}");
}

/// One agent asks again and again without ever acting; the others get their slots all the same.
#[test]
fn an_agent_that_never_acts_starves_nobody() {
    let progress = episode(3, 1)[1].clone();
    let low = episode(4, 1)[2].clone();
    let mut policy = BatchPolicy::load(&policy_file(), options(1, crate::common::exact())).unwrap();
    policy.submit(0, 0, &progress.as_frame()).unwrap();
    policy.submit(1, 0, &low.as_frame()).unwrap();
    let mut before = 0;
    'served: while policy.advance() {
        while let Some(answer) = policy.take_answer() {
            if answer.agent == 1 {
                break 'served;
            }
            before += 1;
            policy.submit(0, before, &progress.as_frame()).unwrap();
        }
    }
    assert!(before <= 3, "{before} calls went before");
}

#[test]
fn agents_in_one_room_share_its_front() {
    let mut policy = BatchPolicy::load(&policy_file(), options(4, crate::common::exact())).unwrap();
    let frame = &episode(5, 1)[2];
    let mut ask = |agents: std::ops::Range<u64>| -> Vec<Answer> {
        for agent in agents {
            policy.submit(agent, 0, &frame.as_frame()).unwrap();
        }
        let mut answers = Vec::new();
        while policy.advance() {
            answers.extend(std::iter::from_fn(|| policy.take_answer()));
        }
        answers
    };
    let first = ask(0..1).remove(0).outcome.unwrap();
    assert_eq!(first.cost.decoded_tokens, first.cost.prompt_tokens);
    // One of the next finds the room in the slot of the first; the others copy it.
    for answer in ask(1..4) {
        let said = answer.outcome.unwrap();
        assert_eq!(said.text, first.text);
        assert_eq!(said.cost.decoded_tokens, 2);
    }
    assert_eq!(
        policy.counts().copied,
        2 * u64::from(first.cost.prompt_tokens - 2)
    );
}

#[test]
fn a_full_queue_and_a_long_frame_are_refused() {
    let mut policy = BatchPolicy::load(
        &policy_file(),
        BatchOptions {
            waiting: NonZeroU32::new(2).unwrap(),
            ..options(1, crate::common::exact())
        },
    )
    .unwrap();
    let frame = &episode(1, 1)[2];
    let long = FrameText::Low {
        scene: String::new(),
        observation: "drawer ".repeat(5000),
        subtask: "find an egg".into(),
        progress: String::new(),
    };
    let error = policy.submit(9, 0, &long.as_frame()).unwrap_err();
    assert!(matches!(error, EngineError::FrameTooLong { .. }), "{error}");
    let first = policy.submit(0, 0, &frame.as_frame()).unwrap();
    let second = policy.submit(1, 0, &frame.as_frame()).unwrap();
    let error = policy.submit(2, 0, &frame.as_frame()).unwrap_err();
    assert!(matches!(error, EngineError::Busy { waiting: 2 }), "{error}");
    // A call may be taken back while it waits and while it runs.
    assert!(policy.cancel(first) && !policy.cancel(first));
    assert!(policy.advance());
    assert!(policy.cancel(second));
    assert!(!policy.advance() && policy.take_answer().is_none());
    policy.submit(3, 0, &frame.as_frame()).unwrap();
    while policy.advance() && policy.counts().running > 0 {}
    assert!(policy.take_answer().unwrap().outcome.is_ok());
}

#[test]
fn a_seed_decides_whatever_the_neighbours_say() {
    let engine = EngineOptions {
        sampling: Sampling::Seeded {
            seed: 3,
            temperature: PerLevel::all(1.0),
        },
        ..crate::common::exact()
    };
    let agents: Vec<Vec<FrameText>> = (0..6).map(|seed| episode(seed, 3)).collect();
    let texts = |slots| -> Vec<Vec<String>> {
        let mut policy = BatchPolicy::load(&policy_file(), options(slots, engine.clone())).unwrap();
        let answers = ask_together(&mut policy, &agents);
        let text = |answer: Answer| answer.outcome.unwrap().text;
        let each = answers.into_iter();
        each.map(|answers| answers.into_iter().map(text).collect())
            .collect()
    };
    let together = texts(6);
    assert_eq!(together, texts(1));
    // Agent 0 draws as a policy of its own does.
    let mut alone = LlamaPolicy::load(&policy_file(), engine.clone()).unwrap();
    for (frame, text) in agents[0].iter().zip(&together[0]) {
        assert_eq!(&alone.utter(&frame.as_frame()).unwrap().text, text);
    }
    assert_ne!(together[0], together[1]);
}

#[test]
fn threads_ask_through_handles() {
    let workers = NonZeroU32::new(2).unwrap();
    let engine = crate::common::exact();
    let shared = SharedPolicy::load(&policy_file(), &options(4, engine.clone()), workers).unwrap();
    std::thread::scope(|scope| {
        for agent in 0..8 {
            let mut policy = shared.agent(agent);
            let engine = engine.clone();
            scope.spawn(move || {
                let mut alone = LlamaPolicy::load(&policy_file(), engine).unwrap();
                for frame in episode(agent, 4) {
                    let frame = frame.as_frame();
                    let said = policy.utter(&frame).unwrap().text;
                    assert_eq!(said, alone.utter(&frame).unwrap().text);
                }
            });
        }
    });
}

#[test]
fn impossible_sizes_are_refused_by_name() {
    let refused = |options: BatchOptions| match BatchPolicy::load(&policy_file(), options) {
        Err(EngineError::Option { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(options(257, EngineOptions::default())), "slots");
    let mut few = options(20, EngineOptions::default());
    few.engine.batch_tokens = NonZeroU32::new(16).unwrap();
    assert_eq!(refused(few), "slots");
}
