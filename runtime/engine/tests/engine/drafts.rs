//! Speculation changes what a call costs, never what is said.

use std::num::NonZeroU32;

use stride_agent::policy::Policy as _;
use stride_engine::{ActionTemplates, EngineOptions, KvType, LlamaPolicy};

use crate::common::{episode, exact, household, load, play, shipped};

#[test]
fn drafts_change_no_token_of_real_games() {
    for (kv_type, constraint) in [
        (KvType::F16, None),
        (KvType::Q8_0, None),
        (KvType::Q8_0, Some(ActionTemplates::default())),
    ] {
        let plain = EngineOptions {
            kv_type,
            constraint,
            context_tokens: NonZeroU32::new(512),
            ..EngineOptions::default()
        };
        let drafting = EngineOptions {
            draft_tokens: 6,
            ..plain.clone()
        };
        let mut plain = LlamaPolicy::load(&shipped(), plain).unwrap();
        let mut drafting = LlamaPolicy::load(&shipped(), drafting).unwrap();
        let (mut generated, mut accepted) = (0, 0);
        for call in play(&mut plain, &mut household(3_000), 40) {
            let said = drafting.utter(&call.frame.as_frame()).unwrap();
            assert_eq!(said.text, call.said);
            generated += said.cost.generated_tokens;
            accepted += said.cost.accepted_tokens;
        }
        assert!(accepted * 10 > generated, "{accepted} of {generated}");
    }
}

#[test]
fn drafts_of_random_weights_are_right_or_dropped() {
    let mut plain = load(exact());
    let mut drafting = load(EngineOptions {
        draft_tokens: 8,
        ..exact()
    });
    for frame in (0..4).flat_map(|seed| episode(seed, 6)) {
        let expected = plain.utter(&frame.as_frame()).unwrap();
        let said = drafting.utter(&frame.as_frame()).unwrap();
        assert_eq!(said.text, expected.text);
        assert_eq!(said.cost.generated_tokens, expected.cost.generated_tokens);
    }
}

#[test]
fn a_batch_smaller_than_frame_and_draft_changes_nothing() {
    let mut plain = load(exact());
    let mut options = exact();
    options.draft_tokens = 5;
    for batch in [7, 8, 9, 11] {
        options.batch_tokens = NonZeroU32::new(batch).unwrap();
        let mut drafting = load(options.clone());
        for frame in episode(2, 3) {
            let said = drafting.utter(&frame.as_frame()).unwrap();
            assert_eq!(said.text, plain.utter(&frame.as_frame()).unwrap().text);
        }
    }
}
