//! The six task families of ALFWorld, read from the templated instruction.

/// What is done to the object before it is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Clean it at a sink.
    Clean,
    /// Heat it with a microwave.
    Heat,
    /// Cool it with a fridge.
    Cool,
}

impl Treatment {
    /// The command's verb.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Heat => "heat",
            Self::Cool => "cool",
        }
    }

    /// The kind of place that does it.
    #[must_use]
    pub const fn station(self) -> &'static str {
        match self {
            Self::Clean => "sinkbasin",
            Self::Heat => "microwave",
            Self::Cool => "fridge",
        }
    }

    /// The treatment of a verb, or of the adjective it leads to.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "clean" => Some(Self::Clean),
            "heat" | "hot" => Some(Self::Heat),
            "cool" | "cold" => Some(Self::Cool),
            _ => None,
        }
    }
}

/// A task instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Kind of the object.
    pub object: String,
    /// What is done to it first.
    pub treatment: Option<Treatment>,
    /// What is done with it last.
    pub goal: Goal,
}

/// What is done with the object in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// Put one in a place of this kind.
    Place(String),
    /// Put two in one place of this kind.
    PlaceTwo(String),
    /// Look at it under a lamp of this kind.
    Light(String),
}

/// Reads an instruction; `None` when it is of no known family.
#[must_use]
pub fn read(instruction: &str) -> Option<Task> {
    let words: Vec<&str> = instruction
        .trim()
        .trim_end_matches('.')
        .split_whitespace()
        .collect();
    let place = || words.last().map(|w| (*w).to_owned());
    let object = |at: usize| words.get(at).map(|w| (*w).to_owned());
    let task = |object, treatment, goal| {
        Some(Task {
            object,
            treatment,
            goal,
        })
    };
    match words.as_slice() {
        ["look", "at", object, "under", "the", lamp]
        | ["examine", "the", object, "with", "the", lamp] => {
            task((*object).to_owned(), None, Goal::Light((*lamp).to_owned()))
        }
        ["put", "two", ..] | ["find", "two", ..] => {
            task(object(2)?, None, Goal::PlaceTwo(place()?))
        }
        ["put", _, how, object, "in" | "on", _] => task(
            (*object).to_owned(),
            Some(Treatment::from_word(how)?),
            Goal::Place(place()?),
        ),
        ["put", _, object, "in" | "on", _] => {
            task((*object).to_owned(), None, Goal::Place(place()?))
        }
        [how, _, object, "and", "put", "it", "in" | "on", _] => task(
            (*object).to_owned(),
            Some(Treatment::from_word(how)?),
            Goal::Place(place()?),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_six_families() {
        let place = |kind: &str| Goal::Place(kind.into());
        let check = |text: &str, object: &str, treatment, goal| {
            let task = read(text).unwrap();
            assert_eq!(
                (task.object.as_str(), task.treatment, task.goal),
                (object, treatment, goal),
                "{text}"
            );
        };
        check(
            "put some book on sidetable.",
            "book",
            None,
            place("sidetable"),
        );
        check(
            "put a hot egg in fridge",
            "egg",
            Some(Treatment::Heat),
            place("fridge"),
        );
        check(
            "clean some fork and put it in drawer.",
            "fork",
            Some(Treatment::Clean),
            place("drawer"),
        );
        check(
            "find two pan and put them in countertop.",
            "pan",
            None,
            Goal::PlaceTwo("countertop".into()),
        );
        check(
            "put two cd in drawer.",
            "cd",
            None,
            Goal::PlaceTwo("drawer".into()),
        );
        check(
            "look at box under the desklamp.",
            "box",
            None,
            Goal::Light("desklamp".into()),
        );
        assert!(read("sing a song").is_none());
    }
}
