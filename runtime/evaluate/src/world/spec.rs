//! How a world is named on a command line.
//!
//! ```text
//! household:SEED              one generated game
//! household:FROM..TO          the games FROM, FROM+1, ... TO-1
//! alfworld:PATH               every game of a data set
//! alfworld:PATH:SPLIT         one split: train, valid_seen or valid_unseen
//! alfworld:PATH#GAME          one game, by its path inside the data set or any part of it that only one game has
//! ```
//!
//! PATH is a folder (`json_2.1.1`, or any folder above or below it), a `.tar.zst` of one, or empty for `$ALFWORLD_DATA`.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use stride_environments::alfworld::{Split, UnknownName};

/// A parsed world name. Nothing was opened yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorldSpec {
    /// ALFWorld's games.
    Alfworld {
        /// Where they are; `None` for `$ALFWORLD_DATA`.
        path: Option<PathBuf>,
        /// Which of them.
        part: Part,
    },
    /// The bundled household world.
    Household {
        /// Seeds of its games.
        seeds: Range<u64>,
    },
}

/// Which games of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    Whole,
    /// One split.
    Split(Split),
    /// One game.
    Game(String),
}

/// Most games of one household range.
pub const MOST_SEEDS: u64 = 1_000_000;

/// Why a world's name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The part before the first colon is no world.
    #[error(
        "`{0}` names no world; expected `household:SEED`, `household:FROM..TO` or `alfworld:PATH[:SPLIT | #GAME]`"
    )]
    Kind(String),
    /// A household seed is not a number.
    #[error(
        "`{0}` is not a household seed (a whole number from 0) nor a range of them such as `0..100`"
    )]
    Seed(String),
    /// A household range holds nothing.
    #[error("the range `{0}` is empty; `FROM..TO` excludes TO")]
    EmptyRange(String),
    /// A household range is too long.
    #[error("the range `{0}` has more than {MOST_SEEDS} games")]
    LongRange(String),
    /// Nothing behind `#`.
    #[error("`{0}` names no game behind `#`")]
    NoGame(String),
    /// The part behind the last colon is no split.
    #[error(transparent)]
    Split(#[from] UnknownName),
}

impl FromStr for WorldSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.split_once(':') {
            Some(("household", seeds)) => Ok(Self::Household {
                seeds: seed_range(seeds)?,
            }),
            Some(("alfworld", rest)) => alfworld(text, rest),
            _ => Err(SpecError::Kind(text.to_owned())),
        }
    }
}

fn seed_range(text: &str) -> Result<Range<u64>, SpecError> {
    let number = |digits: &str| {
        digits
            .parse::<u64>()
            .map_err(|_| SpecError::Seed(text.to_owned()))
    };
    let seeds = match text.split_once("..") {
        Some((from, to)) => number(from)?..number(to)?,
        None => {
            let seed = number(text)?;
            let after = seed
                .checked_add(1)
                .ok_or_else(|| SpecError::Seed(text.to_owned()))?;
            seed..after
        }
    };
    if seeds.is_empty() {
        return Err(SpecError::EmptyRange(text.to_owned()));
    }
    if seeds.end - seeds.start > MOST_SEEDS {
        return Err(SpecError::LongRange(text.to_owned()));
    }
    Ok(seeds)
}

fn alfworld(whole: &str, rest: &str) -> Result<WorldSpec, SpecError> {
    let (path, part) = if let Some((path, game)) = rest.split_once('#') {
        if game.is_empty() {
            return Err(SpecError::NoGame(whole.to_owned()));
        }
        (path, Part::Game(game.to_owned()))
    } else {
        match rest.rsplit_once(':') {
            Some((path, split)) if is_word(split) => (path, Part::Split(split.parse()?)),
            _ => (rest, Part::Whole),
        }
    };
    Ok(WorldSpec::Alfworld {
        path: (!path.is_empty()).then(|| PathBuf::from(path)),
        part,
    })
}

/// What can only be meant as a split; so `C:\data` and `/a:b/c` stay paths.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
}

impl fmt::Display for WorldSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Household { seeds } if seeds.end - seeds.start == 1 => {
                write!(f, "household:{}", seeds.start)
            }
            Self::Household { seeds } => write!(f, "household:{}..{}", seeds.start, seeds.end),
            Self::Alfworld { path, part } => {
                let path = path.as_deref().unwrap_or("".as_ref()).display();
                match part {
                    Part::Whole => write!(f, "alfworld:{path}"),
                    Part::Split(split) => write!(f, "alfworld:{path}:{split}"),
                    Part::Game(game) => write!(f, "alfworld:{path}#{game}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alfworld(path: &str, part: Part) -> WorldSpec {
        WorldSpec::Alfworld {
            path: (!path.is_empty()).then(|| path.into()),
            part,
        }
    }

    #[test]
    fn reads_every_form_and_writes_it_back() {
        let split = |s: &str| Part::Split(s.parse().unwrap());
        let cases = [
            ("household:7", WorldSpec::Household { seeds: 7..8 }),
            ("household:0..100", WorldSpec::Household { seeds: 0..100 }),
            ("alfworld:", alfworld("", Part::Whole)),
            ("alfworld::valid_seen", alfworld("", split("valid_seen"))),
            ("alfworld:/d:train", alfworld("/d", split("train"))),
            ("alfworld:g.tar.zst", alfworld("g.tar.zst", Part::Whole)),
            ("alfworld:a:b/c", alfworld("a:b/c", Part::Whole)),
            (
                "alfworld:d#valid_seen/x/game.tw-pddl",
                alfworld("d", Part::Game("valid_seen/x/game.tw-pddl".into())),
            ),
        ];
        for (text, spec) in cases {
            assert_eq!(text.parse(), Ok(spec.clone()), "{text}");
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn refuses_the_rest() {
        let refused = |text: &str| text.parse::<WorldSpec>().unwrap_err().to_string();
        assert!(refused("kitchen:3").contains("names no world"));
        assert!(refused("household").contains("names no world"));
        assert!(refused("household:").contains("not a household seed"));
        assert!(refused("household:-1").contains("not a household seed"));
        assert!(refused("household:18446744073709551615").contains("not a household seed"));
        assert!(refused("household:3..3").contains("is empty"));
        assert!(refused("household:0..9999999").contains("more than 1000000"));
        assert!(refused("alfworld:x#").contains("names no game"));
        assert!(refused("alfworld:x:valid_sene").contains("none of train"));
    }
}
