//! What stands in which room.

use super::vocabulary::Class;

/// A kind of room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: &'static str,
    /// Furniture with its least and greatest count.
    pub(super) furniture: &'static [(&'static str, usize, usize)],
    /// Classes of things that lie around, with a weight.
    pub(super) things: &'static [(Class, usize)],
}

use Class::{Cloth, Cutlery, Decor, Dish, Food, Gadget, Paper, Toiletry, Tool, Toy};

/// All rooms.
pub(super) const ROOMS: &[Room] = &[
    Room {
        name: "kitchen",
        furniture: &[
            ("cabinet", 3, 12),
            ("drawer", 2, 8),
            ("countertop", 1, 3),
            ("fridge", 1, 1),
            ("microwave", 1, 1),
            ("sinkbasin", 1, 1),
            ("stoveburner", 0, 4),
            ("coffeemachine", 0, 1),
            ("diningtable", 0, 1),
            ("garbagecan", 0, 1),
            ("pantry", 0, 1),
            ("shelf", 0, 3),
            ("windowsill", 0, 1),
        ],
        things: &[
            (Food, 6),
            (Dish, 6),
            (Cutlery, 4),
            (Decor, 1),
            (Toiletry, 1),
        ],
    },
    Room {
        name: "bedroom",
        furniture: &[
            ("bed", 1, 2),
            ("desk", 0, 2),
            ("drawer", 2, 9),
            ("dresser", 0, 1),
            ("sidetable", 1, 2),
            ("shelf", 0, 5),
            ("wardrobe", 0, 1),
            ("chest", 0, 1),
            ("laundryhamper", 0, 1),
            ("safe", 0, 1),
            ("armchair", 0, 1),
            ("garbagecan", 0, 1),
            ("windowsill", 0, 1),
        ],
        things: &[
            (Paper, 4),
            (Gadget, 5),
            (Cloth, 3),
            (Toy, 2),
            (Decor, 1),
            (Dish, 1),
        ],
    },
    Room {
        name: "livingroom",
        furniture: &[
            ("sofa", 1, 2),
            ("armchair", 0, 2),
            ("coffeetable", 1, 2),
            ("sidetable", 0, 2),
            ("shelf", 0, 6),
            ("bookcase", 0, 2),
            ("drawer", 0, 5),
            ("cabinet", 0, 4),
            ("tvstand", 0, 1),
            ("ottoman", 0, 1),
            ("diningtable", 0, 1),
            ("garbagecan", 0, 1),
            ("safe", 0, 1),
        ],
        things: &[
            (Paper, 4),
            (Gadget, 4),
            (Decor, 4),
            (Cloth, 1),
            (Toy, 2),
            (Dish, 1),
        ],
    },
    Room {
        name: "bathroom",
        furniture: &[
            ("cabinet", 1, 6),
            ("sinkbasin", 1, 2),
            ("bathtubbasin", 0, 1),
            ("toilet", 1, 1),
            ("countertop", 0, 1),
            ("drawer", 0, 5),
            ("shelf", 0, 3),
            ("handtowelholder", 1, 3),
            ("garbagecan", 1, 1),
            ("laundryhamper", 0, 1),
            ("cart", 0, 1),
        ],
        things: &[(Toiletry, 8), (Cloth, 4), (Decor, 1)],
    },
    Room {
        name: "office",
        furniture: &[
            ("desk", 1, 4),
            ("drawer", 1, 7),
            ("filingcabinet", 0, 3),
            ("bookcase", 0, 2),
            ("shelf", 0, 5),
            ("sidetable", 0, 1),
            ("coffeemachine", 0, 1),
            ("fridge", 0, 1),
            ("microwave", 0, 1),
            ("garbagecan", 1, 1),
            ("windowsill", 0, 2),
            ("safe", 0, 1),
        ],
        things: &[(Paper, 6), (Gadget, 6), (Dish, 2), (Decor, 2), (Food, 1)],
    },
    Room {
        name: "workshop",
        furniture: &[
            ("workbench", 1, 3),
            ("toolbox", 1, 2),
            ("locker", 0, 4),
            ("shelf", 1, 5),
            ("drawer", 0, 6),
            ("cabinet", 0, 4),
            ("sinkbasin", 0, 1),
            ("trolley", 0, 1),
            ("chest", 0, 1),
            ("garbagecan", 0, 1),
        ],
        things: &[
            (Tool, 8),
            (Gadget, 3),
            (Paper, 2),
            (Toy, 2),
            (Dish, 1),
            (Cloth, 1),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::super::vocabulary::furniture_sort;
    use super::*;

    #[test]
    fn every_room_has_known_furniture() {
        for room in ROOMS {
            for (name, least, most) in room.furniture {
                assert!(furniture_sort(name).is_some(), "{name} in {}", room.name);
                assert!(least <= most && *most > 0);
            }
        }
    }
}
