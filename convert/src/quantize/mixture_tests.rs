//! The types of whole models against those that llama.cpp's own rules give.

use std::sync::Arc;

use super::{Member, ModelShape, Recipe, TensorRole, TypeChoice, TypeChoiceError};
use crate::gguf::TensorType;
use crate::importance::ImportanceMatrix;

/// How it was made stands in its first lines.
const RECORDED: &str = include_str!("../../tests/data/llama_quantize_types.txt");

/// A model of the recording.
struct Model<'a> {
    shape: ModelShape<'a>,
    width: u64,
    feed_forward: u64,
    tied: bool,
}

impl<'a> Model<'a> {
    /// Reads `model LABEL ARCHITECTURE layers N heads N kv_heads N width N feed_forward N tied|untied`.
    fn read(line: &'a str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        Self {
            shape: ModelShape {
                architecture: words[2],
                layers: number(4),
                heads: number(6),
                kv_heads: number(8),
                experts: 0,
            },
            width: number(10) as u64,
            feed_forward: number(12) as u64,
            tied: words[13] == "tied",
        }
    }

    /// Names of the matrices called `kind`, in the order of the layers.
    fn names(&self, kind: &str) -> Vec<String> {
        match kind {
            "token_embd" | "output" => vec![format!("{kind}.weight")],
            kind => (0..self.shape.layers)
                .map(|layer| format!("blk.{layer}.{kind}.weight"))
                .collect(),
        }
    }

    fn member<'n>(&self, name: &'n str) -> Member<'n> {
        let logits = name == "output.weight" || self.tied && name == "token_embd.weight";
        let down = name.contains("ffn_down");
        Member {
            name,
            role: if logits {
                TensorRole::Logits
            } else {
                TensorRole::Matrix
            },
            columns: if down { self.feed_forward } else { self.width },
            slices: 1,
        }
    }
}

/// `Q6_K Q4_K*2` becomes three types.
fn unrolled<'a>(runs: impl Iterator<Item = &'a str>) -> Vec<TensorType> {
    runs.flat_map(|run| {
        let (name, count) = run.split_once('*').unwrap_or((run, "1"));
        vec![name.parse::<TensorType>().unwrap(); count.parse().unwrap()]
    })
    .collect()
}

#[test]
fn all_types_are_those_of_llama_quantize() {
    let mut model = None;
    let mut compared = 0;
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with("model ") {
            model = Some(Model::read(line));
            continue;
        }
        let model = model.as_ref().unwrap();
        let mut words = line.split(' ');
        let recipe: Recipe = words.next().unwrap().parse().unwrap();
        let names = model.names(words.next().unwrap());
        let members: Vec<Member<'_>> = names.iter().map(|name| model.member(name)).collect();
        // The demand for an importance matrix is not part of the recording.
        let types = super::mixture::assign(&recipe.into(), &model.shape, &members);
        assert_eq!(
            types,
            unrolled(words),
            "{}: {line}",
            model.shape.architecture
        );
        compared += types.len();
    }
    assert_eq!(compared, 15 * (7 * (37 + 30 + 80 + 24 + 5) + 5 + 3));
}

#[test]
fn the_order_of_the_file_and_overrides_do_not_disturb_the_count() {
    let model =
        Model::read("model x llama layers 8 heads 4 kv_heads 4 width 256 feed_forward 256 untied");
    let mut names = model.names("attn_v");
    names.reverse();
    let members: Vec<Member<'_>> = names.iter().map(|name| model.member(name)).collect();
    let mut choice = TypeChoice::from(Recipe::Q4_K_S);
    let types = choice.assign(&model.shape, &members).unwrap();
    let (q4, q5) = (TensorType::Q4_K, TensorType::Q5_K);
    assert_eq!(types, [q4, q4, q4, q4, q5, q5, q5, q5]);
    // As in llama.cpp, a matrix that an override takes is not counted, so the next one is the first.
    choice.overrides = vec!["blk.0.attn_v=q8_0".parse().unwrap()];
    let types = choice.assign(&model.shape, &members).unwrap();
    assert_eq!(types, [q4, q4, q4, q5, q5, q5, q5, TensorType::Q8_0]);
}

/// The old form of an importance matrix with one entry.
fn importance(name: &str, values: &[f32]) -> Arc<ImportanceMatrix> {
    let mut bytes = Vec::new();
    bytes.extend(1_i32.to_le_bytes());
    bytes.extend((name.len() as i32).to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes.extend(1_i32.to_le_bytes());
    bytes.extend((values.len() as i32).to_le_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Arc::new(ImportanceMatrix::parse(&bytes, "x.imatrix").unwrap())
}

#[test]
fn an_importance_matrix_guards_the_first_layers_and_must_be_the_models() {
    let model =
        Model::read("model x llama layers 16 heads 4 kv_heads 4 width 256 feed_forward 512 untied");
    let names = model.names("ffn_down");
    let members: Vec<Member<'_>> = names.iter().map(|name| model.member(name)).collect();
    let name = "blk.3.ffn_down.weight";
    let choice = |recipe: Recipe, columns| TypeChoice {
        importance: Some(importance(name, &vec![1.0; columns])),
        ..recipe.into()
    };
    let types = choice(Recipe::Q4_0, 512)
        .assign(&model.shape, &members)
        .unwrap();
    assert_eq!(
        types[..3],
        [TensorType::Q4_1, TensorType::Q4_1, TensorType::Q4_0]
    );
    let types = choice(Recipe::Q5_0, 512)
        .assign(&model.shape, &members)
        .unwrap();
    assert_eq!(
        types[..3],
        [TensorType::Q5_1, TensorType::Q5_1, TensorType::Q5_0]
    );
    let refused = choice(Recipe::Q4_0, 511)
        .assign(&model.shape, &members)
        .unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("511 numbers") && text.contains(name) && text.contains("512"),
        "{text}"
    );
}

#[test]
fn two_bits_everywhere_demand_an_importance_matrix() {
    let model =
        Model::read("model x llama layers 8 heads 4 kv_heads 4 width 256 feed_forward 256 untied");
    let name = "blk.1.attn_q.weight";
    let members = [model.member(name)];
    let mut choice = TypeChoice::from(Recipe::Q2_K_S);
    let refused = choice.assign(&model.shape, &members);
    assert!(
        matches!(refused, Err(TypeChoiceError::NeedsImportance { .. })),
        "{refused:?}"
    );
    choice.importance = Some(importance(name, &[1.0; 256]));
    assert_eq!(
        choice.assign(&model.shape, &members),
        Ok(vec![TensorType::Q2_K])
    );
    assert!(
        TypeChoice::from(Recipe::Q2_K)
            .assign(&model.shape, &members)
            .is_ok()
    );
}
