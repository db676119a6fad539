//! The progress bar on stderr, hidden when that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};
use stride_convert::{export, verify};

/// Does `work`, which reports its progress in weights, under a bar.
pub fn bar<T>(work: impl FnOnce(&mut dyn FnMut(export::Progress<'_>)) -> T) -> T {
    let style = "{bar:30} {percent:>3}% {human_pos}/{human_len} weights, {eta} left  {msg}";
    shown(style, |show| {
        work(&mut |progress| show(progress.done, progress.total, progress.tensor))
    })
}

/// Does `work`, which says what it is doing and how far it is, under a bar.
pub fn work_bar<T>(work: impl FnOnce(&mut dyn FnMut(verify::Progress<'_>)) -> T) -> T {
    shown("{bar:30} {percent:>3}% {eta} left  {msg}", |show| {
        work(&mut |progress| show(progress.done, progress.total, progress.work))
    })
}

fn shown<T>(style: &str, work: impl FnOnce(&dyn Fn(u64, u64, &str)) -> T) -> T {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    let done = work(&|done, total, message| {
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(message.to_owned());
    });
    bar.finish_and_clear();
    done
}
