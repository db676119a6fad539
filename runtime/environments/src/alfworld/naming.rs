//! The names that a player reads.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::logic::{ObjectId, Task};

/// How the names of entities come from the ids of a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// As ALFWorld's `AlfredDemangler` does: `cabinet_bar__plus_00_dot_68` is a cabinet. Within a type the numbers
    /// count *down* in the order of the ids, so the first id of three gets 3. The default.
    #[default]
    Alfred,
    /// The id says it: `cabinet_3` is `cabinet 3`.
    Readable,
}

/// The name of every object, in the order of their numbers.
pub(super) fn names(task: &Task, naming: Naming) -> Vec<String> {
    let symbols = task.symbols();
    let ids = (0..symbols.object_count()).map(|id| ObjectId::try_from(id).unwrap_or(ObjectId::MAX));
    match naming {
        Naming::Readable => ids.map(|id| readable(symbols.object_name(id))).collect(),
        Naming::Alfred => {
            let mut left: HashMap<String, usize> = HashMap::new();
            // Objects that no first fact mentions have no name in the official engine either.
            let kinds: Vec<Option<String>> = ids
                .map(|id| kind(symbols.object_name(id)).filter(|_| task.is_mentioned(id)))
                .collect();
            for kind in kinds.iter().flatten() {
                *left.entry(kind.clone()).or_default() += 1;
            }
            let name = |(index, kind): (usize, Option<String>)| match kind {
                Some(kind) => {
                    let number = left.entry(kind.clone()).or_default();
                    let name = format!("{kind} {number}");
                    *number = number.saturating_sub(1);
                    name
                }
                None => {
                    let id = ObjectId::try_from(index).unwrap_or(ObjectId::MAX);
                    // The official engine leaves the space before a number that is not there.
                    format!("{} ", unescaped(symbols.object_name(id)))
                }
            };
            kinds.into_iter().enumerate().map(name).collect()
        }
    }
}

/// `sink_bar_..._bar_sinkbasin` is a `sinkbasin`, `cup_bar_...` a `cup`; other ids have no number.
fn kind(id: &str) -> Option<String> {
    let (kind, _) = id.split_once("_bar_")?;
    let kind = unescaped(kind);
    Some(if id.contains("basin") {
        kind + "basin"
    } else {
        kind
    })
}

fn unescaped(id: &str) -> String {
    if !id.contains('_') {
        return id.to_owned();
    }
    let marks = [
        ("_bar_", "|"),
        ("_minus_", "-"),
        ("_plus_", "+"),
        ("_dot_", "."),
        ("_comma_", ","),
    ];
    marks.iter().fold(id.to_owned(), |text, (escape, mark)| {
        text.replace(escape, mark)
    })
}

/// `coffee_table_2` is `coffee_table 2`.
fn readable(id: &str) -> String {
    match id.rsplit_once('_') {
        Some((kind, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{kind} {number}")
        }
        _ => id.to_owned(),
    }
}
