//! What is stated in advance is what is taken.

use std::num::NonZeroU32;

use stride_engine::{BatchOptions, EngineOptions, KvType, LlamaPolicy, estimate, estimate_batch};

use crate::common::{episode, narrow, shipped};

fn engine(context: u32, kv_type: KvType) -> EngineOptions {
    EngineOptions {
        context_tokens: NonZeroU32::new(context),
        kv_type,
        ..EngineOptions::default()
    }
}

#[test]
fn caches_grow_with_context_slots_and_type() {
    let single = |context, kv| estimate(&shipped(), &engine(context, kv)).unwrap();
    // 5 layers, keys and values of 192 numbers of 2 bytes.
    let expected = 512 * 5 * 2 * 192 * 2;
    let f16 = single(512, KvType::F16);
    assert!(f16.kv_cache.abs_diff(expected) < 20_000, "{f16:?}");
    assert!(single(1024, KvType::F16).kv_cache.abs_diff(2 * expected) < 20_000);
    assert!(single(512, KvType::F32).kv_cache.abs_diff(2 * expected) < 20_000);
    // 34 bytes for 32 numbers.
    let q8_0 = expected * 17 / 32;
    assert!(single(512, KvType::Q8_0).kv_cache.abs_diff(q8_0) < 20_000);
    let batch = BatchOptions {
        engine: engine(512, KvType::F16),
        slots: NonZeroU32::new(8).unwrap(),
        ..BatchOptions::default()
    };
    let batch = estimate_batch(&shipped(), &batch).unwrap();
    assert!(batch.kv_cache.abs_diff(8 * expected) < 40_000, "{batch:?}");
    assert_eq!(batch.weights, f16.weights);
    // All but the header of the file.
    let file = std::fs::metadata(shipped()).unwrap().len();
    assert!(f16.weights < file && f16.weights > file * 9 / 10);
    assert!(f16.compute > 0 && f16.outputs > 0);
    assert_eq!(f16.total() - f16.private(), f16.weights);
}

/// A Q8_0 cache is made of blocks of 32 numbers; the default must not keep a policy of other heads from loading.
#[test]
fn heads_that_are_no_whole_blocks_get_an_f16_cache() {
    let narrow = narrow();
    let path = narrow.path().join("policy.gguf");
    let takes = |kv| estimate(&path, &engine(512, kv)).unwrap().kv_cache;
    assert_eq!(takes(KvType::Q8_0), takes(KvType::F16));
    assert!(takes(KvType::F32) > takes(KvType::F16));
    let mut policy = LlamaPolicy::load(&path, EngineOptions::default()).unwrap();
    policy.answer(&episode(1, 1)[1].as_frame()).unwrap();
}

#[test]
fn a_file_that_is_no_policy_is_refused() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert!(estimate(&path, &EngineOptions::default()).is_err());
    let options = engine(1 << 20, KvType::F16);
    assert!(estimate(&shipped(), &options).is_err());
}
