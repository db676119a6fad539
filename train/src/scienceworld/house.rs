//! The house of ScienceWorld: ten rooms whose doors are the same in every training variation.

/// The room of the fridge, the oven, the sink and the cupboard with the metal pot.
pub const KITCHEN: &str = "kitchen";
/// The room of the paints.
pub const ART_STUDIO: &str = "art studio";
/// The room of batteries, wires and light bulbs.
pub const WORKSHOP: &str = "workshop";
/// The room of flower pots and bees.
pub const GREENHOUSE: &str = "greenhouse";
/// Where the animals, the fountain, the sun and the wind are.
pub const OUTSIDE: &str = "outside";
/// The room of the blast furnace.
pub const FOUNDRY: &str = "foundry";

/// Which rooms a door joins, as the training variations show.
const DOORS: [(&str, &str); 10] = [
    ("hallway", KITCHEN),
    ("hallway", "bedroom"),
    ("hallway", "living room"),
    ("hallway", ART_STUDIO),
    ("hallway", WORKSHOP),
    ("hallway", GREENHOUSE),
    (KITCHEN, "bathroom"),
    (KITCHEN, OUTSIDE),
    (GREENHOUSE, OUTSIDE),
    (OUTSIDE, FOUNDRY),
];

/// All rooms.
pub const ROOMS: [&str; 10] = [
    "hallway",
    KITCHEN,
    "bedroom",
    "living room",
    ART_STUDIO,
    WORKSHOP,
    GREENHOUSE,
    "bathroom",
    OUTSIDE,
    FOUNDRY,
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
        for from in ROOMS {
            for to in ROOMS {
                assert_eq!(next_room(from, to).is_none(), from == to, "{from} {to}");
            }
        }
    }
}
