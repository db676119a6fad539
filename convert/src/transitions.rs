//! Transitions as the trainer reads them: JSON Lines, plain or compressed with zstd (`.zst`).
//!
//! A file holds hundreds of thousands; a check wants some of every level, spread evenly over the file. They are picked
//! in one pass that keeps twice as many as are wanted.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use ruzstd::decoding::StreamingDecoder;
use serde::Deserialize;
use stride_agent::transition::Transition;
use stride_firmware_config::level::PolicyLevel;

/// Bytes of a line at most. The texts of a frame are bounded by its capacities to a few thousand.
const MOST_LINE: u64 = 1 << 20;

/// A file of transitions that is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransitionError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is no transition.
    #[error(
        "{path}, line {line}: {source}; the file must hold transitions as stride-train demos writes them"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// A line is longer than any transition.
    #[error("{path}, line {line} has more than {MOST_LINE} bytes, which no transition needs")]
    Long {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
    },
    /// It holds no transition.
    #[error("{path} holds no transition")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Some transitions of every level.
#[derive(Debug, Clone, Default)]
pub struct Transitions {
    /// In the order of [`PolicyLevel::ALL`], and of the file.
    pub levels: [Vec<Transition>; 3],
    /// How many the file holds of each.
    pub seen: [u64; 3],
}

impl Transitions {
    /// Picks at most `per_level` of each level from the file at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, a line that is picked is no transition, or there is none.
    pub fn read(path: &Path, per_level: usize) -> Result<Self, TransitionError> {
        let failed = |source| TransitionError::Read {
            path: path.to_owned(),
            source,
        };
        let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
        let packed = path.extension().is_some_and(|extension| extension == "zst");
        let reader: Box<dyn Read> = if packed {
            Box::new(Frames::new(file))
        } else {
            Box::new(file)
        };
        let mut lines = Lines {
            path,
            reader: BufReader::with_capacity(1 << 16, reader),
            line: 0,
            bytes: Vec::new(),
        };
        let mut picks: [Pick; 3] = std::array::from_fn(|_| Pick::new(per_level));
        while lines.advance()? {
            // Only the level is looked at before a line is wanted.
            let outline: Outline = lines.parse()?;
            let pick = &mut picks[outline.state.level as usize];
            if pick.wants_next() {
                pick.kept.push(lines.parse()?);
            }
        }
        let seen = [picks[0].seen, picks[1].seen, picks[2].seen];
        if seen == [0; 3] {
            return Err(TransitionError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            levels: picks.map(Pick::finish),
            seen,
        })
    }
}

#[derive(Deserialize)]
struct Outline {
    state: OutlineState,
}

#[derive(Deserialize)]
struct OutlineState {
    level: PolicyLevel,
}

/// Every `stride`-th of what passes; when twice as many are held as are wanted, every other goes and the stride doubles.
struct Pick {
    wanted: usize,
    stride: u64,
    seen: u64,
    kept: Vec<Transition>,
}

impl Pick {
    const fn new(wanted: usize) -> Self {
        Self {
            wanted,
            stride: 1,
            seen: 0,
            kept: Vec::new(),
        }
    }

    fn wants_next(&mut self) -> bool {
        if self.wanted > 0 && self.kept.len() == 2 * self.wanted {
            let mut at = 0;
            self.kept.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.stride *= 2;
        }
        self.seen += 1;
        self.wanted > 0 && (self.seen - 1).is_multiple_of(self.stride)
    }

    /// As many as are wanted, spread evenly over what is held.
    fn finish(self) -> Vec<Transition> {
        let (held, wanted) = (self.kept.len(), self.wanted.min(self.kept.len()));
        let mut next = 0;
        let mut even = self.kept.into_iter().enumerate().filter_map(|(at, one)| {
            let take = next < wanted && at == next * held / wanted;
            next += usize::from(take);
            take.then_some(one)
        });
        even.by_ref().collect()
    }
}

struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<Box<dyn Read>>,
    line: u64,
    bytes: Vec<u8>,
}

impl Lines<'_> {
    /// Goes to the next line that is not blank; false at the end.
    fn advance(&mut self) -> Result<bool, TransitionError> {
        loop {
            self.bytes.clear();
            self.line += 1;
            let read = self
                .reader
                .by_ref()
                .take(MOST_LINE + 1)
                .read_until(b'\n', &mut self.bytes)
                .map_err(|source| TransitionError::Read {
                    path: self.path.to_owned(),
                    source,
                })?;
            if read as u64 > MOST_LINE {
                return Err(TransitionError::Long {
                    path: self.path.to_owned(),
                    line: self.line,
                });
            }
            if read == 0 || !self.bytes.trim_ascii().is_empty() {
                return Ok(read > 0);
            }
        }
    }

    fn parse<'d, T: Deserialize<'d>>(&'d self) -> Result<T, TransitionError> {
        serde_json::from_slice(&self.bytes).map_err(|source| TransitionError::Line {
            path: self.path.to_owned(),
            line: self.line,
            source,
        })
    }
}

/// The frames of a zstd file one after the other, as the zstd programs read them.
struct Frames<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Between(R),
    Inside(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Done,
}

impl<R: BufRead> Frames<R> {
    const fn new(reader: R) -> Self {
        Self {
            state: State::Between(reader),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // A failure leaves `Done`: nothing more is read behind it.
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(0),
                State::Between(mut reader) => {
                    if reader.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new(reader).map_err(io::Error::other)?;
                    self.state = State::Inside(Box::new(decoder));
                }
                State::Inside(mut decoder) => {
                    let read = decoder.read(buffer)?;
                    if read > 0 || buffer.is_empty() {
                        self.state = State::Inside(decoder);
                        return Ok(read);
                    }
                    self.state = State::Between(decoder.into_inner());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn line(level: &str, number: u32) -> String {
        let rest = match level {
            "high" => r#""task": "t", "completed": {"items": [], "dropped": 0}"#,
            "low" => r#""subtask": "s""#,
            _ => r#""subtask": "s", "action": "a""#,
        };
        format!(
            r#"{{"game": "g", "subtask_index": 0, "step_index": {number}, "state": {{"level": "{level}", "scene": "c",
            "observation": "o", {rest}, "progress": ""}}, "utterance": "u", "reward": 0, "span": 1, "done": false,
            "next": null, "source": "expert", "end": "success"}}"#
        )
        .replace('\n', " ")
    }

    fn numbers(transitions: &Transitions) -> [Vec<u32>; 3] {
        transitions
            .levels
            .each_ref()
            .map(|level| level.iter().map(|one| one.step_index).collect())
    }

    fn write(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::Builder::new()
            .suffix(".jsonl")
            .tempfile()
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn some_of_every_level_are_picked_evenly() {
        let lines: Vec<String> = (0..103)
            .map(|at| line(["low", "low", "progress"][at % 3], at as u32))
            .chain([line("high", 200)])
            .collect();
        let file = write(&lines.join("\n\n"));
        let few = Transitions::read(file.path(), 4).unwrap();
        assert_eq!(few.seen, [1, 69, 34]);
        let [high, low, progress] = numbers(&few);
        assert_eq!((high, low.len(), progress.len()), (vec![200], 4, 4));
        // Evenly: from the first to the last quarter.
        assert_eq!(low[0], 0);
        assert!(
            low.windows(2)
                .all(|pair| (15..=50).contains(&(pair[1] - pair[0]))),
            "{low:?}"
        );
        assert!(low[3] > 50, "{low:?}");
        let all = Transitions::read(file.path(), 1000).unwrap();
        assert_eq!(numbers(&all).map(|level| level.len()), [1, 69, 34]);
    }

    #[test]
    fn what_is_no_transition_is_refused() {
        let refusal = |text: &str| {
            let file = write(text);
            Transitions::read(file.path(), 4).unwrap_err().to_string()
        };
        assert!(refusal("\n{\"state\": 3}").contains("line 2"));
        assert!(refusal("\n \n").contains("holds no transition"));
        let long = format!("\n\n\"{}\"", "x".repeat(1 << 20));
        assert!(refusal(&long).contains("line 3 has more than"));
        let bare = r#"{"state": {"level": "low"}}"#;
        assert!(refusal(bare).contains("line 1"));
        let absent = Transitions::read(Path::new("/nonexistent.jsonl"), 4).unwrap_err();
        assert!(
            absent
                .to_string()
                .contains("cannot read /nonexistent.jsonl")
        );
    }

    #[test]
    fn a_packed_file_may_have_several_frames() {
        let frame = |text: &str| {
            ruzstd::encoding::compress_to_vec(
                text.as_bytes(),
                ruzstd::encoding::CompressionLevel::Fastest,
            )
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl.zst");
        let mut bytes = frame(&(line("low", 1) + "\n"));
        bytes.extend(frame(&line("low", 2)));
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(numbers(&Transitions::read(&path, 4).unwrap())[1], [1, 2]);
        bytes.truncate(bytes.len() - 9);
        std::fs::write(&path, &bytes).unwrap();
        let text = Transitions::read(&path, 4).unwrap_err().to_string();
        assert!(text.contains("a.jsonl.zst"), "{text}");
    }
}
