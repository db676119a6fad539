//! The files of a Hugging Face folder, all from one input.
//!
//! They stand one behind the other, with a byte 0xff between, which no JSON can hold: `config.json`, `tokenizer.json`,
//! `tokenizer_config.json`, `stride.json`, the index, and two files of weights, of which the last takes what remains.

use std::borrow::Cow;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{GgufFile, GgufWriter, TensorInfo};
use stride_convert::quantize::{Recipe, TypeChoice};
use stride_convert::source::tokenizer::byte_symbol;
use stride_convert::source::tokenizer::foreign::Settings;
use stride_convert::source::{
    Checkpoint, ModelConfig, PolicyCard, ShardIndex, SourceError, Tokenizer, Weights,
};
use stride_convert::{metadata, plan};

use super::allocations::within;

/// Bytes held at once, for each byte of the file and beside that.
const JSON: (usize, usize) = (64, 64 << 10);
const HEADER: (usize, usize) = (64, 64 << 10);
/// Beside the file: the expressions of all rules that are tried, compiled, and the corpus.
const TOKENIZER: (usize, usize) = (1024, 96 << 20);
const PLANNING: (usize, usize) = (64, 1 << 20);

/// Between the files.
pub const BETWEEN: u8 = 0xff;

/// With id 0 it stands in a vocabulary for the 256 letters that bytes are written as, which an input need not spell out.
pub const LETTERS: &str = "@letters";
/// The same for the 256 tokens of single bytes.
pub const BYTES: &str = "@bytes";
/// Where their ids begin: behind the markers of a policy.
pub const FIRST_ID: usize = 12;

static SPELT_OUT: LazyLock<[(String, String); 2]> = LazyLock::new(|| {
    let all = |name: fn(u8) -> String| {
        let ids = (FIRST_ID..).zip(0..=u8::MAX);
        let tokens = ids.map(|(id, byte)| format!("{:?}:{id}", name(byte)));
        // `Debug` escapes as JSON does, for these.
        tokens.collect::<Vec<_>>().join(",")
    };
    let entry = |name: &str| format!("{name:?}:0");
    [
        (entry(LETTERS), all(|byte| byte_symbol(byte).to_string())),
        (entry(BYTES), all(|byte| format!("<0x{byte:02X}>"))),
    ]
});

static USUAL: LazyLock<ModelConfig> = LazyLock::new(|| RandomModel::default().config);

/// Reads `bytes` as the files of a folder; where all pass, plans the conversion and writes and reads its metadata.
pub fn run(bytes: &[u8]) {
    let mut files = bytes.splitn(7, |&byte| byte == BETWEEN);
    let mut next = || files.next().unwrap_or_default();
    let [config, tokenizer, settings, policy, index, one, other] = std::array::from_fn(|_| next());
    let policy_stands = !policy.is_empty();
    let config = json("config.json", config, ModelConfig::parse);
    let settings = json("tokenizer_config.json", settings, Settings::parse);
    let policy = json("stride.json", policy, PolicyCard::parse);
    let tokenizer = read_tokenizer(
        tokenizer,
        config.as_ref().unwrap_or(&USUAL),
        policy_stands,
        settings.unwrap_or_default(),
    );
    let weights = read_weights(index, [one, other]);
    let (Some(config), Some(tokenizer), Some(mut weights)) = (config, tokenizer, weights) else {
        return;
    };
    for (name, numbers) in config.scaling.tensors() {
        weights.add_computed(name, numbers);
    }
    let checkpoint = Checkpoint {
        config,
        tokenizer,
        weights,
        policy,
        provenance: Vec::new(),
    };
    let (each, beside) = PLANNING;
    within(each * bytes.len() + beside, "planning", || {
        plan(&checkpoint)
    });
}

/// What `parse` makes of a file; `None` where there is none, or it is refused.
fn json<T>(
    name: &str,
    bytes: &[u8],
    parse: fn(&Path, &[u8]) -> Result<T, SourceError>,
) -> Option<T> {
    let (each, beside) = JSON;
    let read = || parse(Path::new(name), bytes).ok();
    (!bytes.is_empty())
        .then(|| within(each * bytes.len() + beside, name, read))
        .flatten()
}

fn read_tokenizer(
    bytes: &[u8],
    config: &ModelConfig,
    policy: bool,
    settings: Settings,
) -> Option<Tokenizer> {
    let mut text = String::from_utf8_lossy(bytes);
    if text.is_empty() {
        return None;
    }
    for (short, long) in SPELT_OUT.iter() {
        if text.contains(short.as_str()) {
            text = Cow::Owned(text.replacen(short.as_str(), long, 1));
        }
    }
    let path = Path::new("tokenizer.json");
    let (each, beside) = TOKENIZER;
    within(each * text.len() + beside, "tokenizer.json", || {
        Tokenizer::read(path, text.as_bytes(), config, policy, || Ok(settings)).ok()
    })
}

/// One file where there is no index, else the first two that it names; further ones are empty.
fn read_weights(index: &[u8], files: [&[u8]; 2]) -> Option<Weights> {
    let (each, beside) = HEADER;
    let most = each * files.concat().len() + beside;
    let weights = if index.is_empty() {
        let file = files.join(&BETWEEN);
        within(most, "a file of weights", || {
            Weights::of(Path::new("model.safetensors"), file.into())
        })
    } else {
        let index = json("index", index, ShardIndex::parse)?;
        let mut files = files.into_iter();
        within(
            most + each * index.files().count(),
            "files of weights",
            || {
                Weights::of_shards(&index, |name| {
                    let bytes = files.next().unwrap_or_default();
                    Ok((PathBuf::from(name), bytes.to_vec().into()))
                })
            },
        )
    };
    let weights = weights.ok()?;
    let mut numbers = Vec::new();
    for (_, entry) in weights.iter() {
        numbers.clear();
        entry.kind.decode(weights.bytes(entry), &mut numbers);
        assert_eq!(numbers.len(), entry.shape.iter().product::<usize>());
    }
    Some(weights)
}

fn plan(checkpoint: &Checkpoint) {
    let types = TypeChoice::from(Recipe::Q8_0);
    let Ok(planned) = plan::tensors(checkpoint, &types) else {
        return;
    };
    let infos: Vec<TensorInfo> = planned.iter().map(plan::PlannedTensor::info).collect();
    let written = metadata::of(checkpoint, &types);
    let Ok(mut writer) = GgufWriter::start(Vec::new(), &written, &infos) else {
        return;
    };
    for info in &infos {
        let (rows, columns) = info.rows_columns();
        let bytes = info.kind.tensor_bytes(columns as u64, rows as u64);
        let bytes = bytes.expect("what is planned has whole blocks") as usize;
        writer.write(&vec![0; bytes]).expect("into memory");
        writer.end_tensor().expect("as many as planned");
    }
    let file = writer.finish().expect("all are written");
    let read = GgufFile::parse(&file).expect("what we write we read");
    assert_eq!(read.tensors.len(), infos.len());
    assert_eq!(read.metadata.len(), written.len());
    black_box(read);
}
