//! TensorBoard event files: what a run reports, for those who watch many runs side by side.
//!
//! An event file is a row of records, each with checksums ([`record`]), each holding one event ([`event`]). Only what TensorBoard
//! needs for curves is written: a version, steps, names and numbers.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub mod event;
pub mod record;

use event::Event;

use crate::error::{Result, TrainError};
use crate::files::write_atomically;

/// The event file in the run's folder; TensorBoard knows it by the word in the middle.
pub const EVENTS: &str = "events.out.tfevents.stride";

/// An event file, open for appending.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Opens the file of a run that has done `step` steps. Events of later steps and a record that a kill cut short are removed:
    /// those steps will be done again.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(folder: &Path, step: u64) -> Result<Self> {
        let path = folder.join(EVENTS);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) if step > 0 => bytes,
            Ok(_) => Vec::new(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(TrainError::io(&path)(error)),
        };
        let mut kept = Vec::new();
        for payload in record::read(&bytes) {
            if Event::read(payload).is_some_and(|event| event.step <= step) {
                record::append(&mut kept, payload);
            }
        }
        if kept.is_empty() {
            record::append(&mut kept, &Event::version(now()).write());
        }
        write_atomically(&path, &kept)?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(TrainError::io(&path))?;
        Ok(Self { path, file })
    }

    /// Appends numbers of one step by their names.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, step: u64, scalars: Vec<(String, f64)>) -> Result<()> {
        let event = Event::scalars(now(), step, scalars);
        let mut bytes = Vec::new();
        record::append(&mut bytes, &event.write());
        self.file
            .write_all(&bytes)
            .map_err(TrainError::io(&self.path))
    }
}

/// All events of a file, up to the first record that is not whole.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Event>> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    Ok(record::read(&bytes).filter_map(Event::read).collect())
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(folder: &Path) -> Vec<u64> {
        let events = read(&folder.join(EVENTS)).unwrap();
        events.iter().map(|event| event.step).collect()
    }

    #[test]
    fn steps_behind_the_checkpoint_and_half_records_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::open(folder.path(), 0).unwrap();
        for step in [5, 10, 15] {
            file.write(step, vec![("loss".into(), 0.5)]).unwrap();
        }
        assert_eq!(steps(folder.path()), [0, 5, 10, 15]);
        file.file.write_all(&[9, 0, 0, 0, 0, 0]).unwrap();
        let mut file = EventFile::open(folder.path(), 10).unwrap();
        file.write(11, vec![("loss".into(), 0.25)]).unwrap();
        assert_eq!(steps(folder.path()), [0, 5, 10, 11]);
        let events = read(&folder.path().join(EVENTS)).unwrap();
        assert_eq!(events[0].version.as_deref(), Some("brain.Event:2"));
        assert_eq!(events[3].scalars, [("loss".to_owned(), 0.25)]);
        // A run that starts afresh begins the file anew.
        EventFile::open(folder.path(), 0).unwrap();
        assert_eq!(steps(folder.path()), [0]);
    }
}
