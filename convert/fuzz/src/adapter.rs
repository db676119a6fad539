//! The reader of LoRA adapters in PEFT's form, for one small base.
//!
//! The two files stand one behind the other, with a byte 0xff between, which no JSON can hold: `adapter_config.json` and
//! `adapter_model.safetensors`.

use std::path::Path;
use std::sync::LazyLock;

use stride_convert::fixtures::RandomModel;
use stride_convert::lora::{Adapter, LoraConfig};
use stride_convert::plan::{self, PlannedTensor};
use stride_convert::quantize::{Recipe, TypeChoice};
use stride_convert::source::{Checkpoint, Weights};

use super::allocations::within;
use super::checkpoint::BETWEEN;

/// Bytes held at once, for each byte of the files and beside that.
const READING: (usize, usize) = (64, 64 << 10);

/// What the adapter is for.
static BASE: LazyLock<Vec<PlannedTensor>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = small_base().write(folder.path());
    written.expect("the fixture is written");
    let base = Checkpoint::open(folder.path()).expect("written above");
    plan::tensors(&base, &TypeChoice::from(Recipe::F32)).expect("a whole model")
});

/// The smallest model whose adapters are inputs.
#[must_use]
pub fn small_base() -> RandomModel {
    let mut model = RandomModel::default();
    model.config.hidden = 4;
    model.config.intermediate = 6;
    model.config.layers = 1;
    (model.config.heads, model.config.kv_heads) = (2, 1);
    (model.config.head_dim, model.config.rotary) = (2, 2);
    model
}

/// Reads `bytes` as an adapter of the base; where it passes, adds it to every row.
pub fn run(bytes: &[u8]) {
    let base = &*BASE;
    let mut files = bytes.splitn(2, |&byte| byte == BETWEEN);
    let mut next = || files.next().unwrap_or_default();
    let (config, weights) = (next(), next());
    let (each, beside) = READING;
    let most = each * bytes.len() + beside;
    let read = || {
        let config = LoraConfig::parse(Path::new("adapter_config.json"), config).ok()?;
        let path = Path::new("adapter_model.safetensors");
        let weights = Weights::of(path, weights.to_vec().into()).ok()?;
        Adapter::of(config, path, weights, base).ok()
    };
    let Some(adapter) = within(most, "reading", read) else {
        return;
    };
    let mut found = 0;
    for tensor in base {
        let Some(pair) = adapter.pair(&tensor.source) else {
            continue;
        };
        found += 1;
        let mut row = vec![0.0; tensor.columns];
        within(most, "adding", || {
            for at in 0..tensor.rows {
                adapter.add(pair, at, &mut row);
            }
        });
    }
    assert_eq!(found, adapter.len());
}
