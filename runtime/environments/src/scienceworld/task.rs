//! Tasks, variations and splits, without asking the simulator.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Name, number of variations, and how many of them the paper's protocol uses for training, development and test
/// (method section 10.1). In the simulator's own order.
const TASKS: [(&str, u32, [u32; 3]); 30] = [
    ("boil", 30, [14, 7, 9]),
    ("change-the-state-of-matter-of", 30, [14, 7, 9]),
    ("chemistry-mix", 32, [16, 8, 8]),
    ("chemistry-mix-paint-secondary-color", 36, [18, 9, 9]),
    ("chemistry-mix-paint-tertiary-color", 36, [18, 9, 9]),
    ("find-animal", 300, [120, 10, 10]),
    ("find-living-thing", 300, [120, 10, 10]),
    ("find-non-living-thing", 300, [120, 10, 10]),
    ("find-plant", 300, [120, 10, 10]),
    ("freeze", 30, [14, 7, 9]),
    ("grow-fruit", 126, [62, 10, 10]),
    ("grow-plant", 126, [62, 10, 10]),
    ("identify-life-stages-1", 14, [6, 3, 5]),
    ("identify-life-stages-2", 10, [4, 2, 4]),
    ("inclined-plane-determine-angle", 168, [0, 0, 0]),
    ("inclined-plane-friction-named-surfaces", 1386, [0, 0, 0]),
    ("inclined-plane-friction-unnamed-surfaces", 162, [0, 0, 0]),
    ("lifespan-longest-lived", 125, [62, 10, 10]),
    (
        "lifespan-longest-lived-then-shortest-lived",
        125,
        [62, 10, 10],
    ),
    ("lifespan-shortest-lived", 125, [62, 10, 10]),
    ("measure-melting-point-known-substance", 436, [120, 10, 10]),
    ("measure-melting-point-unknown-substance", 300, [0, 0, 0]),
    ("melt", 30, [14, 7, 9]),
    ("mendelian-genetics-known-plant", 120, [0, 0, 0]),
    ("mendelian-genetics-unknown-plant", 480, [0, 0, 0]),
    ("power-component", 20, [8, 3, 5]),
    (
        "power-component-renewable-vs-nonrenewable-energy",
        20,
        [8, 3, 5],
    ),
    ("test-conductivity", 900, [120, 10, 10]),
    (
        "test-conductivity-of-unknown-substances",
        600,
        [120, 10, 10],
    ),
    ("use-thermometer", 540, [120, 10, 10]),
];

/// A name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownEpisode {
    /// No such task.
    #[error("ScienceWorld has no task `{0}`; its tasks are {list}", list = TASKS.map(|(name, ..)| name).join(", "))]
    Task(String),
    /// No such split.
    #[error("ScienceWorld has no split `{0}`; its splits are train, dev and test")]
    Split(String),
    /// No variation is named.
    #[error("`{0}` names no episode; TASK/VARIATION is expected, such as boil/3")]
    Form(String),
    /// No such variation.
    #[error("{task} has no variation {variation}; it has {count}, from 0")]
    Variation {
        /// The task.
        task: Task,
        /// The variation asked for.
        variation: u32,
        /// How many there are.
        count: u32,
    },
}

/// One of the simulator's 30 tasks. Orders as the simulator lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Task(u8);

impl Task {
    /// All tasks.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..TASKS.len()).map(|index| Self(index as u8))
    }

    /// The 24 tasks of the paper's protocol.
    pub fn of_protocol() -> impl Iterator<Item = Self> {
        Self::all().filter(|task| task.entry().2 != [0; 3])
    }

    /// Its name, such as `boil`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// How many variations the simulator has.
    #[must_use]
    pub fn variations(self) -> u32 {
        self.entry().1
    }

    /// The variations of a split as the simulator lists them: the first half, the next quarter, the rest, where a
    /// quarter is rounded down.
    #[must_use]
    pub fn variations_of(self, split: Split) -> std::ops::Range<u32> {
        let quarter = self.variations() / 4;
        match split {
            Split::Train => 0..2 * quarter,
            Split::Dev => 2 * quarter..3 * quarter,
            Split::Test => 3 * quarter..self.variations(),
        }
    }

    /// How many of a split's variations the paper's protocol uses: the first ones. 0 for a task that it leaves out.
    #[must_use]
    pub fn protocol(self, split: Split) -> u32 {
        self.entry().2[split as usize]
    }

    fn entry(self) -> (&'static str, u32, [u32; 3]) {
        TASKS[usize::from(self.0)]
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Task {
    type Err = UnknownEpisode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|task| task.name() == name)
            .ok_or_else(|| UnknownEpisode::Task(name.chars().take(100).collect()))
    }
}

impl TryFrom<String> for Task {
    type Error = UnknownEpisode;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Task> for String {
    fn from(task: Task) -> Self {
        task.name().to_owned()
    }
}

/// The three parts of every task's variations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// To train on.
    Train,
    /// To choose by; the paper's "seen".
    Dev,
    /// To report; the paper's "unseen".
    Test,
}

impl Split {
    /// All splits.
    pub const ALL: [Self; 3] = [Self::Train, Self::Dev, Self::Test];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Dev => "dev",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Split {
    type Err = UnknownEpisode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|split| split.as_str() == name)
            .ok_or_else(|| UnknownEpisode::Split(name.chars().take(100).collect()))
    }
}

/// A task in one of its variations, written `boil/3`. Orders by task, then variation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EpisodeId {
    /// The task.
    pub task: Task,
    /// The variation, from 0.
    pub variation: u32,
}

impl EpisodeId {
    /// A variation of a task.
    ///
    /// # Errors
    /// When the task has no such variation.
    pub fn new(task: Task, variation: u32) -> Result<Self, UnknownEpisode> {
        let count = task.variations();
        if variation < count {
            Ok(Self { task, variation })
        } else {
            Err(UnknownEpisode::Variation {
                task,
                variation,
                count,
            })
        }
    }

    /// The split that its variation belongs to.
    #[must_use]
    pub fn split(self) -> Split {
        let is_in = |split: &Split| self.task.variations_of(*split).contains(&self.variation);
        Split::ALL.into_iter().find(is_in).unwrap_or(Split::Test)
    }
}

impl fmt::Display for EpisodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.task, self.variation)
    }
}

impl FromStr for EpisodeId {
    type Err = UnknownEpisode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || UnknownEpisode::Form(text.chars().take(100).collect());
        let (task, variation) = text.split_once('/').ok_or_else(form)?;
        let task: Task = task.parse()?;
        if !variation.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(form());
        }
        Self::new(task, variation.parse().map_err(|_| form())?)
    }
}

/// The episodes of a split in the paper's protocol: the first ones of each of its tasks. 1404, 195 and 211.
#[must_use]
pub fn episodes(split: Split) -> Vec<EpisodeId> {
    Task::of_protocol()
        .flat_map(|task| first(task, split, task.protocol(split)))
        .collect()
}

/// All episodes of a split: every variation of all 30 tasks.
#[must_use]
pub fn all_episodes(split: Split) -> Vec<EpisodeId> {
    Task::all()
        .flat_map(|task| first(task, split, u32::MAX))
        .collect()
}

fn first(task: Task, split: Split, count: u32) -> impl Iterator<Item = EpisodeId> {
    let variations = task.variations_of(split).take(count as usize);
    variations.map(move |variation| EpisodeId { task, variation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_has_the_papers_sizes() {
        let sizes = Split::ALL.map(|split| episodes(split).len());
        assert_eq!(sizes, [1404, 195, 211]);
        assert_eq!(Task::of_protocol().count(), 24);
        for split in Split::ALL {
            assert!(episodes(split).iter().all(|id| id.split() == split));
            let most: usize = Task::all().map(|t| t.variations_of(split).len()).sum();
            assert_eq!(all_episodes(split).len(), most);
            for task in Task::all() {
                assert!(task.protocol(split) as usize <= task.variations_of(split).len());
            }
        }
    }

    #[test]
    fn names_are_read_back_and_others_refused() {
        for split in Split::ALL {
            assert_eq!(split.as_str().parse(), Ok(split));
            for id in all_episodes(split) {
                assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
        for wrong in [
            "boil", "boil/", "boil/+3", "boil/30", "boil/-1", "boils/3", "", "/3",
        ] {
            assert!(wrong.parse::<EpisodeId>().is_err(), "{wrong}");
        }
        let json = serde_json::to_string(&"boil".parse::<Task>().unwrap()).unwrap();
        assert_eq!(json, "\"boil\"");
        assert!(serde_json::from_str::<Task>("\"cook\"").is_err());
    }
}
