//! When a file is good enough.

use super::Report;

/// Bounds on a report; `None` asks nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Mean KL divergence at most, in nats.
    pub mean_kl: Option<f64>,
    /// The divergence that 99 of 100 tokens stay under, at most.
    pub p99_kl: Option<f64>,
    /// Share of equal most likely tokens at least.
    pub top1: Option<f64>,
    /// Perplexity of the file over that of the source, at most.
    pub perplexity_ratio: Option<f64>,
    /// Relative root mean square error of every tensor at most.
    pub tensor_error: Option<f64>,
}

impl Limits {
    /// Says what is beyond its limit, one line each. A limit on what was not measured, because there was no text and
    /// there were no transitions, is beyond it too: nobody should believe that it was kept.
    #[must_use]
    pub fn exceeded(&self, report: &Report) -> Vec<String> {
        let mut lines = Vec::new();
        let mut check = |name: &str, found: Option<f64>, limit: Option<f64>, most: bool| {
            let Some(limit) = limit else { return };
            match found {
                None => lines.push(format!("{name} was not measured, the limit is {limit}")),
                // Written so that a value that is no number does not pass.
                Some(found) if most && found <= limit => {}
                Some(found) if !most && found >= limit => {}
                Some(found) => lines.push(format!("{name} is {found:.6}, the limit is {limit}")),
            }
        };
        let all = report.predictions.as_ref();
        check(
            "mean KL divergence",
            all.map(|all| all.mean_kl),
            self.mean_kl,
            true,
        );
        check(
            "p99 KL divergence",
            all.map(|all| all.p99_kl),
            self.p99_kl,
            true,
        );
        check("top-1 agreement", all.map(|all| all.top1), self.top1, false);
        let ratio = all.map(|all| all.file_perplexity / all.source_perplexity);
        check("perplexity ratio", ratio, self.perplexity_ratio, true);
        for tensor in &report.tensors {
            let name = format!("relative error of {}", tensor.name);
            check(&name, Some(tensor.relative_rms), self.tensor_error, true);
        }
        lines
    }
}
