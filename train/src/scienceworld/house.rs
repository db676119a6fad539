//! The house of ScienceWorld: ten rooms whose doors are the same in every variation.

/// Which rooms a door joins, as the training variations show.
const DOORS: [(&str, &str); 10] = [
    ("hallway", "kitchen"),
    ("hallway", "bedroom"),
    ("hallway", "living room"),
    ("hallway", "art studio"),
    ("hallway", "workshop"),
    ("hallway", "greenhouse"),
    ("kitchen", "bathroom"),
    ("kitchen", "outside"),
    ("greenhouse", "outside"),
    ("outside", "foundry"),
];

/// All rooms.
pub const ROOMS: [&str; 10] = [
    "hallway",
    "kitchen",
    "bedroom",
    "living room",
    "art studio",
    "workshop",
    "greenhouse",
    "bathroom",
    "outside",
    "foundry",
];

/// The rooms next to one, in the order of the list of doors.
fn neighbours(room: &str) -> impl Iterator<Item = &'static str> {
    DOORS.iter().filter_map(move |&(a, b)| {
        if a == room {
            Some(b)
        } else if b == room {
            Some(a)
        } else {
            None
        }
    })
}

/// The next room on a shortest way; `None` when the agent is there or a room is unknown.
#[must_use]
pub fn next_room(from: &str, to: &str) -> Option<&'static str> {
    if from == to {
        return None;
    }
    // Backwards from the aim: the room that finds `from` is the next one.
    let mut seen = vec![to];
    let mut at = 0;
    while at < seen.len() {
        let room = seen[at];
        at += 1;
        for near in neighbours(room) {
            if near == from {
                return ROOMS.iter().copied().find(|r| *r == room);
            }
            if !seen.contains(&near) {
                seen.push(near);
            }
        }
    }
    None
}

/// How many doors lie between two rooms.
#[must_use]
pub fn distance(from: &str, to: &str) -> usize {
    let mut at = from;
    let mut steps = 0;
    while let Some(next) = next_room(at, to) {
        at = next;
        steps += 1;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways() {
        assert_eq!(next_room("kitchen", "foundry"), Some("outside"));
        assert_eq!(next_room("bedroom", "bathroom"), Some("hallway"));
        assert_eq!(next_room("hallway", "outside"), Some("kitchen"));
        assert_eq!(next_room("hallway", "hallway"), None);
        assert_eq!(next_room("hallway", "moon"), None);
        assert_eq!(distance("bedroom", "foundry"), 4);
        for from in ROOMS {
            for to in ROOMS {
                assert_eq!(next_room(from, to).is_none(), from == to, "{from} {to}");
            }
        }
    }
}
