//! What `export` and `requantize` have in common: which files to write, as what, and what to say about them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use clap::error::ErrorKind;
use stride_convert::export::Request;
use stride_convert::importance::ImportanceMatrix;
use stride_convert::quantize::{Recipe, TypeChoice, TypeOverride};
use stride_convert::report::{Report, TensorReport};

/// Stands for the type in the name of an output.
const TYPE_MARK: &str = "{type}";

#[derive(Args)]
pub struct OutputOptions {
    /// The file to write. `{type}` in it becomes the type in small letters.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Type of the matrices, by the rules of llama-quantize: f32, f16, bf16, q8_0, q6_k, q5_k_m, q5_k_s, q5_1, q5_0,
    /// q4_k_m, q4_k_s, q4_1, q4_0, q3_k_l, q3_k_m, q3_k_s, q2_k or q2_k_s. May stand several times: all files are
    /// written from one read, and FILE must hold {type}. [default: q8_0]
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    recipes: Vec<Recipe>,
    /// Another type for the matrices whose GGUF name matches a regular expression anywhere, for example
    /// ffn_down=q8_0; may stand several times, the first that matches wins.
    #[arg(long = "tensor-type", value_name = "PATTERN=TYPE")]
    overrides: Vec<TypeOverride>,
    /// An importance matrix that `stride-convert imatrix` or llama-imatrix made of this model, in either of its forms:
    /// scales are chosen so that the columns that matter lose least.
    #[arg(long, value_name = "FILE")]
    imatrix: Option<PathBuf>,
    /// Cut a model that would be larger into files FILE-00001-of-00003.gguf of at most this size, as llama.cpp reads
    /// them: bytes, or a number with K, M or G (powers of 1000) or KiB, MiB or GiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    split_max_size: Option<u64>,
    /// Replace files that exist.
    #[arg(long)]
    pub force: bool,
    /// Check everything but the weights, print what would be written, write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print one line per tensor: type, bytes, how far storing moved the weights.
    #[arg(short, long)]
    verbose: bool,
}

impl OutputOptions {
    /// With another type where none was asked for.
    pub fn usually(mut self, recipe: Recipe) -> Self {
        if self.recipes.is_empty() {
            self.recipes.push(recipe);
        }
        self
    }

    /// One request per type.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let name = self.output.to_string_lossy();
        let recipes = match &self.recipes[..] {
            [] => &[Recipe::Q8_0],
            recipes => recipes,
        };
        if recipes.len() > 1 && !name.contains(TYPE_MARK) {
            let problem = format!(
                "{} types would become one file {name}; put {TYPE_MARK} into its name, for example \
                 policy-{TYPE_MARK}.gguf\n",
                recipes.len()
            );
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, problem).into());
        }
        let importance = match &self.imatrix {
            Some(path) => Some(Arc::new(ImportanceMatrix::open(path)?)),
            None => None,
        };
        let request = |&recipe: &Recipe| Request {
            output: place(&self.output, recipe),
            types: TypeChoice {
                recipe,
                overrides: self.overrides.clone(),
                importance: importance.clone(),
            },
            split: self.split_max_size,
        };
        Ok(recipes.iter().map(request).collect())
    }
}

/// A name that is not text cannot hold the mark, and stays as it is.
fn place(output: &Path, recipe: Recipe) -> PathBuf {
    match output.to_str() {
        Some(name) => name.replace(TYPE_MARK, recipe.name()).into(),
        None => output.to_owned(),
    }
}

/// A number of bytes.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("K", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("", 1),
    ];
    let parsed = UNITS.iter().find_map(|&(unit, factor)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(factor).filter(|&bytes| bytes > 0)
    });
    parsed.ok_or_else(|| format!("{text:?} is no size, such as 2G or 500MiB"))
}

/// One line per output, and one per tensor where they were asked for.
pub fn summary(options: &OutputOptions, requests: &[Request], reports: &[Report]) -> String {
    let done = if options.dry_run {
        "would write"
    } else {
        "wrote"
    };
    let mut text = String::new();
    for (request, report) in requests.iter().zip(reports) {
        warn_unmeasured(request, report);
        if options.verbose || options.dry_run {
            text.extend(report.tensors.iter().map(line));
        }
        let shards = match report.files.len() {
            1 => String::new(),
            files => format!(" in {files} files"),
        };
        text += &format!(
            "{done} {}: {} tensors as {}, {} bytes{shards}\n",
            report.files[0].display(),
            report.tensors.len(),
            request.types.recipe,
            report.file_bytes
        );
    }
    text
}

/// Says on stderr which matrices were quantized as if there were no importance matrix.
fn warn_unmeasured(request: &Request, report: &Report) {
    let Some(importance) = &request.types.importance else {
        return;
    };
    // Embeddings are looked up, so nothing is measured for them.
    let unmeasured = |tensor: &&TensorReport| {
        tensor.kind.is_quantized()
            && tensor.name != "token_embd.weight"
            && importance.of(&tensor.name).is_none()
    };
    let mut unmeasured = report.tensors.iter().filter(unmeasured);
    if let Some(first) = unmeasured.next() {
        eprintln!(
            "stride-convert: warning: {} has nothing for {} matrices of {}, {} first",
            importance.file,
            1 + unmeasured.count(),
            report.files[0].display(),
            first.name
        );
    }
}

/// One tensor.
fn line(tensor: &TensorReport) -> String {
    let moved = tensor.deviation.map_or_else(String::new, |deviation| {
        format!(
            "  largest error {:.3e}, relative rms {:.3e}",
            deviation.largest,
            deviation.relative_rms()
        )
    });
    format!(
        "{:<28} {:<5} {:>10} weights {:>10} bytes{moved}\n",
        tensor.name, tensor.kind, tensor.weights, tensor.bytes
    )
}
