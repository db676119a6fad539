//! How a world is named on a command line.
//!
//! ```text
//! household:SEED              one generated game
//! household:FROM..TO          the games FROM, FROM+1, ... TO-1
//! alfworld:PATH               every game of a data set
//! alfworld:PATH:SPLIT         one split: train, valid_seen or valid_unseen
//! alfworld:PATH#GAME          one game, by its path inside the data set or any part of it that only one game has
//! scienceworld                every episode of the paper's protocol (24 tasks)
//! scienceworld:SPLIT          one split of it: train, dev or test
//! scienceworld:SPLIT/TASK     one task of the split
//! scienceworld:TASK/VARIATION one episode, of any of the simulator's 30 tasks
//! scienceworld-full:...       the same with all variations of all 30 tasks
//! ```
//!
//! PATH is a folder (`json_2.1.1`, or any folder above or below it), a `.tar.zst` of one, or empty for `$ALFWORLD_DATA`.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::alfworld::{Split, UnknownName};
use crate::scienceworld::{self, EpisodeId, Task, UnknownEpisode};

/// A parsed world name. Nothing was opened yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
    /// ScienceWorld, in its simulator.
    ScienceWorld {
        /// How much of it.
        extent: Extent,
        /// Which episodes.
        episodes: Episodes,
    },
}

/// How much of ScienceWorld a split holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The first variations of 24 tasks, as in the paper's protocol (method section 10.1).
    Protocol,
    /// All variations of all 30 tasks.
    Full,
}

impl Extent {
    const fn name(self) -> &'static str {
        match self {
            Self::Protocol => "scienceworld",
            Self::Full => "scienceworld-full",
        }
    }
}

/// Which of ScienceWorld's episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Episodes {
    /// All splits.
    All,
    /// One split.
    Split(scienceworld::Split),
    /// One task of a split.
    Task(scienceworld::Split, Task),
    /// One episode.
    One(EpisodeId),
}

impl FromStr for Episodes {
    type Err = UnknownEpisode;

    /// `SPLIT`, `SPLIT/TASK`, `TASK/VARIATION`, or nothing for all.
    fn from_str(text: &str) -> Result<Self, UnknownEpisode> {
        match text.split_once('/') {
            _ if text.is_empty() => Ok(Self::All),
            None if text.parse::<Task>().is_ok() => Err(UnknownEpisode::Form(text.to_owned())),
            None => Ok(Self::Split(text.parse()?)),
            Some((split, task)) => match split.parse() {
                Ok(split) => Ok(Self::Task(split, task.parse()?)),
                Err(_) => Ok(Self::One(text.parse()?)),
            },
        }
    }
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
        "`{0}` names no world; expected `household:SEED`, `household:FROM..TO`, `alfworld:PATH[:SPLIT | #GAME]` or \
         `scienceworld[-full][:SPLIT | :SPLIT/TASK | :TASK/VARIATION]`"
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
    /// ScienceWorld has no such split, task or episode.
    #[error(transparent)]
    Episode(#[from] UnknownEpisode),
    /// The paper's protocol has no variation of the task.
    #[error("the paper's protocol leaves {task} out; scienceworld-full:{split}/{task} has it")]
    LeftOut {
        /// The split asked for.
        split: scienceworld::Split,
        /// The task asked for.
        task: Task,
    },
}

impl FromStr for WorldSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (kind, rest) = text
            .split_once(':')
            .map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        match (kind, rest) {
            ("household", Some(seeds)) => Ok(Self::Household {
                seeds: seed_range(seeds)?,
            }),
            ("alfworld", Some(rest)) => alfworld(text, rest),
            ("scienceworld", rest) => scienceworld(Extent::Protocol, rest),
            ("scienceworld-full", rest) => scienceworld(Extent::Full, rest),
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

fn scienceworld(extent: Extent, rest: Option<&str>) -> Result<WorldSpec, SpecError> {
    let episodes = rest.unwrap_or_default().parse()?;
    if let (Extent::Protocol, Episodes::Task(split, task)) = (extent, episodes)
        && task.protocol(split) == 0
    {
        return Err(SpecError::LeftOut { split, task });
    }
    Ok(WorldSpec::ScienceWorld { extent, episodes })
}

/// What can only be meant as a split; so `C:\data` and `/a:b/c` stay paths.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
}

impl TryFrom<String> for WorldSpec {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        text.parse()
    }
}

impl From<WorldSpec> for String {
    fn from(spec: WorldSpec) -> Self {
        spec.to_string()
    }
}

impl fmt::Display for WorldSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Household { seeds } if seeds.end - seeds.start == 1 => {
                write!(f, "household:{}", seeds.start)
            }
            Self::Household { seeds } => write!(f, "household:{}..{}", seeds.start, seeds.end),
            Self::ScienceWorld { extent, episodes } => {
                let world = extent.name();
                match episodes {
                    Episodes::All => f.write_str(world),
                    Episodes::Split(split) => write!(f, "{world}:{split}"),
                    Episodes::Task(split, task) => write!(f, "{world}:{split}/{task}"),
                    Episodes::One(id) => write!(f, "{world}:{id}"),
                }
            }
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
        let scienceworld = |extent, episodes| WorldSpec::ScienceWorld { extent, episodes };
        let (dev, test) = (scienceworld::Split::Dev, scienceworld::Split::Test);
        let boil: Task = "boil".parse().unwrap();
        let one = Episodes::One(EpisodeId::new(boil, 3).unwrap());
        let cases = cases.into_iter().chain([
            (
                "scienceworld",
                scienceworld(Extent::Protocol, Episodes::All),
            ),
            (
                "scienceworld:dev",
                scienceworld(Extent::Protocol, Episodes::Split(dev)),
            ),
            (
                "scienceworld:test/boil",
                scienceworld(Extent::Protocol, Episodes::Task(test, boil)),
            ),
            ("scienceworld:boil/3", scienceworld(Extent::Protocol, one)),
            (
                "scienceworld-full:dev",
                scienceworld(Extent::Full, Episodes::Split(dev)),
            ),
            (
                "scienceworld-full:dev/inclined-plane-determine-angle",
                scienceworld(
                    Extent::Full,
                    Episodes::Task(dev, "inclined-plane-determine-angle".parse().unwrap()),
                ),
            ),
        ]);
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
        assert!(refused("scienceworld:valid").contains("splits are train, dev and test"));
        assert!(refused("scienceworld:boil").contains("TASK/VARIATION is expected"));
        assert!(refused("scienceworld:boil/30").contains("it has 30, from 0"));
        assert!(refused("scienceworld:dev/cook").contains("no task `cook`"));
        let left_out = "scienceworld:dev/inclined-plane-determine-angle";
        assert!(refused(left_out).contains("scienceworld-full:dev/inclined"));
        assert!(refused("scienceworlds:dev").contains("names no world"));
    }
}
