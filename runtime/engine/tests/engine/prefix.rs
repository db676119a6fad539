//! The KV cache changes what a frame costs, never what is answered.

use stride_agent::policy::Policy as _;
use stride_agent::transition::FrameText;
use stride_engine::{EngineOptions, KvType};
use stride_firmware_config::level::PolicyLevel;

use crate::common::{episode, exact, load};

#[test]
fn cached_prefixes_give_the_same_utterances() {
    let mut cached = load(exact());
    let mut fresh = load(exact());
    let mut spared = 0;
    for frame in (0..6).flat_map(|seed| episode(seed, 12)) {
        let with_cache = cached.utter(&frame.as_frame()).unwrap();
        fresh.forget();
        let without = fresh.utter(&frame.as_frame()).unwrap();
        assert_eq!(with_cache.text, without.text, "{frame:?}");
        assert_eq!(without.cost.decoded_tokens, without.cost.prompt_tokens);
        assert_eq!(with_cache.cost.prompt_tokens, without.cost.prompt_tokens);
        spared += without.cost.decoded_tokens - with_cache.cost.decoded_tokens;
    }
    assert!(spared > 0);
}

#[test]
fn cached_prefixes_give_the_same_logits() {
    let mut cached = load(exact());
    let mut fresh = load(exact());
    for frame in episode(3, 20) {
        let with_cache = cached.logits(&frame.as_frame()).unwrap();
        fresh.forget();
        let without = fresh.logits(&frame.as_frame()).unwrap();
        // Bit for bit: every sum is taken in the same order, however the tokens were batched.
        assert_eq!(with_cache, without);
    }
}

#[test]
fn caches_of_every_type_answer() {
    for (kv_type, flash_attention) in [
        (KvType::F16, false),
        (KvType::F16, true),
        (KvType::Q8_0, false),
    ] {
        let mut policy = load(EngineOptions {
            kv_type,
            flash_attention,
            ..exact()
        });
        let mut exact = load(exact());
        for frame in episode(7, 4) {
            let rounded = policy.logits(&frame.as_frame()).unwrap();
            let exact = exact.logits(&frame.as_frame()).unwrap();
            let worst = rounded
                .iter()
                .zip(&exact)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst < 0.3, "{kv_type:?}: {worst}");
        }
    }
}

#[test]
fn the_observation_of_a_step_is_decoded_once() {
    let mut policy = load(EngineOptions::default());
    let frames = episode(1, 10);
    for pair in frames.windows(2) {
        let [
            FrameText::Progress { subtask, .. },
            FrameText::Low { progress, .. },
        ] = pair
        else {
            continue;
        };
        policy.utter(&pair[0].as_frame()).unwrap();
        let low = policy.utter(&pair[1].as_frame()).unwrap().cost;
        // Subtask, progress and the markers <|subtask|>, <|progress|>, <|low|> may be new; scene and observation not.
        let tail = policy.text_tokens(&format!(" {subtask}")).len();
        let tail = tail + policy.text_tokens(&format!(" {progress}")).len() + 3;
        assert!(low.decoded_tokens as usize <= tail, "{low:?}, tail {tail}");
    }
}

#[test]
fn a_repeated_frame_decodes_two_tokens() {
    let mut policy = load(EngineOptions::default());
    let frame = &episode(2, 1)[1];
    let first = policy.utter(&frame.as_frame()).unwrap();
    let again = policy.utter(&frame.as_frame()).unwrap();
    assert_eq!(again.text, first.text);
    // One would do, but would be computed by other kernels (see `Sequence::reusable`).
    assert_eq!(again.cost.decoded_tokens, 2);
}

#[test]
fn caps_count_tokens_and_are_reported() {
    let mut options = exact();
    options.utterance_caps.low = 1;
    let mut policy = load(options);
    for frame in episode(4, 4) {
        let level = frame.as_frame().level();
        let cost = policy.utter(&frame.as_frame()).unwrap().cost;
        let cap = if level == PolicyLevel::Low { 1 } else { 12 };
        assert!(cost.generated_tokens <= cap);
        assert!(!cost.capped || cost.generated_tokens == cap);
    }
}

#[test]
fn a_batch_smaller_than_the_frame_changes_nothing() {
    let mut whole = load(exact());
    let mut options = exact();
    options.batch_tokens = std::num::NonZeroU32::new(7).unwrap();
    let mut pieces = load(options);
    for frame in episode(5, 6) {
        let frame = frame.as_frame();
        assert_eq!(whole.utter(&frame).unwrap(), pieces.utter(&frame).unwrap());
    }
}
