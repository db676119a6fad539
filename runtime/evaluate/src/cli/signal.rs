//! Ctrl-C.

use std::process;

use anyhow::{Context as _, Result};
use stride_evaluate::stop::Stop;

/// A stop that the first Ctrl-C (or SIGTERM) utters; the second ends the process at once.
pub fn stop_on_interrupt(unit: &'static str) -> Result<Stop> {
    let stop = Stop::new();
    let wish = stop.clone();
    ctrlc::set_handler(move || {
        if wish.request() {
            // 128 + SIGINT, as shells report it.
            process::exit(130);
        }
        eprintln!("\nstopping after the current {unit}; once more to stop at once");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
