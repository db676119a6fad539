//! Export behind the gate. What the gate finds stands before the tensors in the file, and is known only when they are
//! written; so the header is written with pairs of the same width, and written over before the file gets its name.

use std::cell::RefCell;
use std::path::Path;

use super::{Gate, Outcome, Reference};
use crate::error::Error;
use crate::export::{self, Request};
use crate::forward::Parameters;
use crate::report::Report;
use crate::source::Checkpoint;
use crate::stored::StoredModel;
use crate::stream::{self, Progress};
use crate::verify;

/// [`export::export_all`], if every output decides as the checkpoint does: otherwise none is published.
///
/// # Errors
///
/// As [`export::export_all`]; when the transitions cannot be read or the network is not computed here; and when an
/// output agrees less than the gate asks ([`Error::Gate`]), or would be cut into shards.
pub fn export_gated(
    checkpoint: &Checkpoint,
    requests: &[Request],
    replace: bool,
    gate: &Gate,
    observe: impl FnMut(Progress<'_>),
) -> Result<Vec<(Report, Outcome)>, Error> {
    if requests.iter().any(|request| request.split.is_some()) {
        return Err(Error::GateShards);
    }
    // Writing and judging take turns in telling how far they are.
    let observe = RefCell::new(observe);
    let judging = |progress: verify::Progress<'_>| {
        (observe.borrow_mut())(Progress {
            tensor: progress.work,
            done: progress.done,
            total: progress.total,
        });
    };
    let source = Parameters::of_checkpoint(checkpoint)?;
    let policy = checkpoint.policy.as_ref();
    let longest = policy.map_or_else(Default::default, |policy| policy.utterance_tokens.clone());
    let reference = Reference::new(gate, &source, &longest, judging)?;
    let (rows, mut outputs) = export::plan_all(checkpoint, requests)?;
    for output in &mut outputs {
        reference.record(&mut output.metadata, None);
    }
    let mut outcomes = Vec::new();
    let reports = stream::write_inspected(
        &rows,
        &outputs,
        replace,
        |progress| (observe.borrow_mut())(progress),
        &mut |at, beside, metadata| {
            let output = &requests[at].output;
            let outcome = judge(&reference, beside, output, judging)?;
            let objections = reference.objections(&outcome);
            if !objections.is_empty() {
                let path = output.clone();
                let report = outcome.report(&objections);
                return Err(Error::Gate { path, report });
            }
            let mut metadata = metadata.clone();
            reference.record(&mut metadata, Some(&outcome));
            outcomes.push(outcome);
            Ok(Some(metadata))
        },
    )?;
    Ok(reports.into_iter().zip(outcomes).collect())
}

/// Judges the file at `beside`, which will become `output`.
fn judge(
    reference: &Reference<'_>,
    beside: &Path,
    output: &Path,
    observe: impl FnMut(verify::Progress<'_>),
) -> Result<Outcome, Error> {
    let model = StoredModel::open(beside)?;
    let parameters = Parameters::of_gguf(output.display().to_string(), &model)?;
    Ok(reference.judge(&parameters, observe)?)
}
