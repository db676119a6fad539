//! The progress bar on stderr, hidden when that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};
use stride_convert::export::Progress;

/// Does `work`, which reports its progress, under a bar.
pub fn bar<T>(work: impl FnOnce(&mut dyn FnMut(Progress<'_>)) -> T) -> T {
    let style = ProgressStyle::with_template(
        "{bar:30} {percent:>3}% {human_pos}/{human_len} weights, {eta} left  {msg}",
    );
    let bar = ProgressBar::new(0);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    let done = work(&mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(progress.tensor.to_owned());
    });
    bar.finish_and_clear();
    done
}
