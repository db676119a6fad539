//! The subtask sentences of the high level.

use std::fmt;

use stride_agent::places::Name;

use super::task::Treatment;

/// One subtask, with a text form that reads back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subtask {
    /// Search an object and pick it up; `except` is the one that was placed already.
    Take {
        /// Kind of the object.
        kind: String,
        /// Not this one.
        except: Option<Name>,
    },
    /// Search a thing and switch it on.
    Use {
        /// Kind of the thing.
        kind: String,
    },
    /// Clean, heat or cool what is held.
    Treat {
        /// How.
        treatment: Treatment,
        /// What.
        object: Name,
    },
    /// Put what is held into a place.
    Put {
        /// What.
        object: Name,
        /// Kind of the place.
        place: String,
    },
}

impl fmt::Display for Subtask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Take { kind, except: None } => write!(f, "find and take {kind}"),
            Self::Take {
                kind,
                except: Some(name),
            } => write!(f, "find and take another {kind} except {name}"),
            Self::Use { kind } => write!(f, "find and use {kind}"),
            Self::Treat { treatment, object } => write!(
                f,
                "{} {object} with {}",
                treatment.verb(),
                treatment.station()
            ),
            Self::Put { object, place } => write!(f, "put {object} in {place}"),
        }
    }
}

/// Reads a subtask back; `None` when it is no sentence of ours.
#[must_use]
pub fn read(text: &str) -> Option<Subtask> {
    let words: Vec<&str> = text.split(' ').collect();
    let name = |kind: &str, number: &str| format!("{kind} {number}").parse::<Name>().ok();
    Some(match words.as_slice() {
        [
            "find",
            "and",
            "take",
            "another",
            kind,
            "except",
            other,
            number,
        ] => Subtask::Take {
            kind: (*kind).into(),
            except: Some(name(other, number)?),
        },
        ["find", "and", "take", kind] => Subtask::Take {
            kind: (*kind).into(),
            except: None,
        },
        ["find", "and", "use", kind] => Subtask::Use {
            kind: (*kind).into(),
        },
        ["put", kind, number, "in", place] => Subtask::Put {
            object: name(kind, number)?,
            place: (*place).into(),
        },
        [how @ ("clean" | "heat" | "cool"), kind, number, "with", _] => Subtask::Treat {
            treatment: Treatment::from_word(how)?,
            object: name(kind, number)?,
        },
        _ => return None,
    })
}

impl Subtask {
    /// The kind that is searched, and the one that does not count; `None` when nothing is searched.
    #[must_use]
    pub fn target(&self) -> Option<(&str, Option<&Name>)> {
        match self {
            Self::Take { kind, except } => Some((kind, except.as_ref())),
            Self::Use { kind } => Some((kind, None)),
            Self::Treat { .. } | Self::Put { .. } => None,
        }
    }

    /// Whether `name` is what is searched.
    #[must_use]
    pub fn wants(&self, name: &Name) -> bool {
        self.target()
            .is_some_and(|(kind, except)| kind == name.kind && except != Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_read_back() {
        for text in [
            "find and take mug",
            "find and take another mug except mug 2",
            "find and use desklamp",
            "clean mug 1 with sinkbasin",
            "put mug 1 in cabinet",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert!(read("dance").is_none());
    }
}
