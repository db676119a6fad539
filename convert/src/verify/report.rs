//! What a comparison found, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Divergence, Position, Samples, TensorError};

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Every tensor.
    pub tensors: Vec<TensorError>,
    /// Over all samples; absent where there are none.
    pub predictions: Option<Divergence>,
    /// By group (the levels of a policy).
    pub groups: BTreeMap<&'static str, Divergence>,
    /// Samples that both sides were shown.
    pub samples: usize,
    /// Samples that were longer than the context.
    pub too_long: usize,
}

impl Report {
    pub(super) fn new(
        tensors: Vec<TensorError>,
        positions: &[Position],
        samples: &Samples,
    ) -> Self {
        let groups = samples.groups.iter().enumerate();
        let groups = groups.filter_map(|(group, &name)| {
            let part = positions.iter().filter(|one| one.group == group);
            Some((name, Divergence::of(part)?))
        });
        Self {
            tensors,
            predictions: Divergence::of(positions),
            groups: groups.collect(),
            samples: samples.samples.len(),
            too_long: samples.too_long,
        }
    }

    /// The tensor that is furthest from its source.
    fn worst(&self) -> Option<&TensorError> {
        let by_error =
            |a: &&TensorError, b: &&TensorError| a.relative_rms.total_cmp(&b.relative_rms);
        self.tensors.iter().max_by(by_error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tensor in &self.tensors {
            writeln!(
                f,
                "{:<28} {:<5} {:>10} weights  relative rms {:.3e}, largest error {:.3e}",
                tensor.name, tensor.kind, tensor.weights, tensor.relative_rms, tensor.largest
            )?;
        }
        if let Some(worst) = self.worst() {
            writeln!(
                f,
                "{} tensors; the largest relative rms is {:.3e} ({})",
                self.tensors.len(),
                worst.relative_rms,
                worst.name
            )?;
        }
        let Some(all) = &self.predictions else {
            return Ok(());
        };
        let left_out = match self.too_long {
            0 => String::new(),
            count => format!(", {count} left out (longer than the context)"),
        };
        writeln!(f, "\n{} samples{left_out}", self.samples)?;
        writeln!(
            f,
            "{:<9} {:>8} {:>10} {:>10} {:>10} {:>8} {:>12} {:>12}",
            "", "tokens", "mean KL", "p99 KL", "largest", "top-1", "ppl source", "ppl file"
        )?;
        for (name, part) in self.groups.iter().chain([(&"all", all)]) {
            writeln!(
                f,
                "{name:<9} {:>8} {:>10.3e} {:>10.3e} {:>10.3e} {:>7.2}% {:>12.5} {:>12.5}",
                part.tokens,
                part.mean_kl,
                part.p99_kl,
                part.largest_kl,
                100.0 * part.top1,
                part.source_perplexity,
                part.file_perplexity
            )?;
        }
        Ok(())
    }
}
