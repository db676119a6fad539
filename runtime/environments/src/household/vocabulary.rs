//! Furniture and things: what they are, where they fit.

/// What a thing is good for; decides where it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Food,
    Dish,
    Cutlery,
    Paper,
    Gadget,
    Cloth,
    Toiletry,
    Tool,
    Decor,
    Toy,
    Lamp,
}

/// What furniture does to a thing that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    None,
    Washes,
    Heats,
    Chills,
}

/// A kind of furniture.
#[derive(Debug)]
pub(super) struct FurnitureSort {
    pub(super) name: &'static str,
    /// It has a door, a lid or a drawer, and starts closed as a rule.
    pub(super) hinged: bool,
    pub(super) service: Service,
    /// Classes of things that fit.
    pub(super) takes: &'static [Class],
}

/// A kind of thing.
#[derive(Debug)]
pub(super) struct ThingSort {
    pub(super) name: &'static str,
    pub(super) class: Class,
    /// What can be done to it: `w`ash, `h`eat, `c`hill.
    treatments: &'static str,
}

impl ThingSort {
    pub(super) fn washable(&self) -> bool {
        self.treatments.contains('w')
    }

    pub(super) fn heatable(&self) -> bool {
        self.treatments.contains('h')
    }

    pub(super) fn chillable(&self) -> bool {
        self.treatments.contains('c')
    }

    pub(super) fn is_lamp(&self) -> bool {
        self.class == Class::Lamp
    }
}

impl FurnitureSort {
    pub(super) fn takes(&self, thing: &ThingSort) -> bool {
        self.takes.contains(&thing.class)
    }
}

const fn surface(name: &'static str, takes: &'static [Class]) -> FurnitureSort {
    FurnitureSort {
        name,
        hinged: false,
        service: Service::None,
        takes,
    }
}

const fn hinged(name: &'static str, takes: &'static [Class]) -> FurnitureSort {
    FurnitureSort {
        name,
        hinged: true,
        service: Service::None,
        takes,
    }
}

const fn serving(
    name: &'static str,
    hinged: bool,
    service: Service,
    takes: &'static [Class],
) -> FurnitureSort {
    FurnitureSort {
        name,
        hinged,
        service,
        takes,
    }
}

use Class::{Cloth, Cutlery, Decor, Dish, Food, Gadget, Lamp, Paper, Toiletry, Tool, Toy};

/// All furniture. Half of the words are ALFWorld's, the others our own.
pub(super) const FURNITURE: &[FurnitureSort] = &[
    surface("armchair", &[Cloth, Paper, Gadget, Toy]),
    serving("bathtubbasin", false, Service::Washes, &[Cloth, Toiletry]),
    surface("bed", &[Cloth, Paper, Gadget, Toy]),
    surface("bookcase", &[Paper, Decor, Toy, Lamp]),
    hinged("cabinet", &[Dish, Toiletry, Tool, Decor, Food]),
    surface("cart", &[Toiletry, Tool, Decor, Dish]),
    hinged("chest", &[Cloth, Toy, Tool]),
    surface("coffeemachine", &[Dish]),
    surface("coffeetable", &[Paper, Gadget, Decor, Dish, Toy, Lamp]),
    surface(
        "countertop",
        &[Food, Dish, Cutlery, Toiletry, Gadget, Decor, Paper],
    ),
    surface("desk", &[Paper, Gadget, Decor, Dish, Lamp, Tool]),
    surface(
        "diningtable",
        &[Food, Dish, Cutlery, Paper, Decor, Gadget, Lamp],
    ),
    hinged("drawer", &[Cutlery, Paper, Gadget, Toiletry, Cloth, Tool]),
    surface("dresser", &[Paper, Gadget, Decor, Cloth, Lamp, Toiletry]),
    hinged("filingcabinet", &[Paper, Gadget]),
    serving("fridge", true, Service::Chills, &[Food, Dish]),
    surface("garbagecan", &[Food, Paper, Toiletry]),
    surface("handtowelholder", &[Cloth]),
    hinged("laundryhamper", &[Cloth]),
    hinged("locker", &[Tool, Cloth, Toy, Gadget]),
    serving("microwave", true, Service::Heats, &[Food, Dish]),
    surface("ottoman", &[Cloth, Paper, Gadget, Toy]),
    hinged("pantry", &[Food, Dish]),
    hinged("safe", &[Gadget, Paper]),
    surface(
        "shelf",
        &[Dish, Decor, Paper, Tool, Toiletry, Gadget, Toy, Lamp],
    ),
    surface("sidetable", &[Paper, Gadget, Decor, Dish, Lamp, Toiletry]),
    serving(
        "sinkbasin",
        false,
        Service::Washes,
        &[Dish, Cutlery, Food, Cloth, Toiletry, Tool],
    ),
    surface("sofa", &[Cloth, Paper, Gadget, Toy]),
    surface("stoveburner", &[Dish]),
    surface("toilet", &[Toiletry, Cloth, Decor]),
    hinged("toolbox", &[Tool]),
    surface("trolley", &[Tool, Dish, Food, Paper]),
    surface("tvstand", &[Gadget, Decor, Paper, Toy, Lamp]),
    hinged("wardrobe", &[Cloth, Toy]),
    surface("windowsill", &[Decor, Paper, Food]),
    surface("workbench", &[Tool, Paper, Gadget, Decor, Lamp]),
];

const fn thing(name: &'static str, class: Class, treatments: &'static str) -> ThingSort {
    ThingSort {
        name,
        class,
        treatments,
    }
}

/// All things.
pub(super) const THINGS: &[ThingSort] = &[
    thing("alarmclock", Gadget, ""),
    thing("apple", Food, "whc"),
    thing("banana", Food, "wc"),
    thing("baseballbat", Toy, ""),
    thing("basketball", Toy, "w"),
    thing("battery", Gadget, ""),
    thing("book", Paper, ""),
    thing("bowl", Dish, "whc"),
    thing("box", Decor, ""),
    thing("bread", Food, "hc"),
    thing("butterknife", Cutlery, "w"),
    thing("camera", Gadget, ""),
    thing("candle", Decor, ""),
    thing("carrot", Food, "whc"),
    thing("cd", Gadget, ""),
    thing("cellphone", Gadget, ""),
    thing("cloth", Cloth, "w"),
    thing("comb", Toiletry, "w"),
    thing("creditcard", Gadget, ""),
    thing("cup", Dish, "whc"),
    thing("desklamp", Lamp, ""),
    thing("dishsponge", Toiletry, "w"),
    thing("egg", Food, "whc"),
    thing("envelope", Paper, ""),
    thing("flashlight", Tool, ""),
    thing("floorlamp", Lamp, ""),
    thing("fork", Cutlery, "w"),
    thing("glassbottle", Dish, "wc"),
    thing("hammer", Tool, "w"),
    thing("handtowel", Cloth, "w"),
    thing("hat", Cloth, "w"),
    thing("headphones", Gadget, ""),
    thing("jar", Dish, "whc"),
    thing("kettle", Dish, "wc"),
    thing("keychain", Gadget, ""),
    thing("knife", Cutlery, "w"),
    thing("ladle", Cutlery, "w"),
    thing("laptop", Gadget, ""),
    thing("lemon", Food, "wc"),
    thing("lettuce", Food, "wc"),
    thing("mug", Dish, "whc"),
    thing("newspaper", Paper, ""),
    thing("notebook", Paper, ""),
    thing("onion", Food, "whc"),
    thing("paintbrush", Tool, "w"),
    thing("pan", Dish, "wc"),
    thing("pen", Paper, ""),
    thing("pencil", Paper, ""),
    thing("peppershaker", Cutlery, ""),
    thing("pillow", Cloth, ""),
    thing("plate", Dish, "whc"),
    thing("pot", Dish, "wc"),
    thing("potato", Food, "whc"),
    thing("puzzle", Toy, ""),
    thing("remotecontrol", Gadget, ""),
    thing("saltshaker", Cutlery, ""),
    thing("scarf", Cloth, "w"),
    thing("screwdriver", Tool, "w"),
    thing("soapbar", Toiletry, "w"),
    thing("soapbottle", Toiletry, ""),
    thing("sock", Cloth, "w"),
    thing("spatula", Cutlery, "w"),
    thing("spoon", Cutlery, "w"),
    thing("spraybottle", Toiletry, ""),
    thing("stapler", Gadget, ""),
    thing("statue", Decor, ""),
    thing("tapemeasure", Tool, ""),
    thing("teapot", Dish, "wh"),
    thing("teddybear", Toy, ""),
    thing("tennisracket", Toy, ""),
    thing("tissuebox", Toiletry, ""),
    thing("toiletpaper", Toiletry, ""),
    thing("tomato", Food, "whc"),
    thing("toothbrush", Toiletry, "w"),
    thing("vase", Decor, "w"),
    thing("watch", Gadget, ""),
    thing("wateringcan", Decor, ""),
    thing("winebottle", Dish, "c"),
    thing("wrench", Tool, "w"),
];

/// The kind of furniture of a name.
pub(super) fn furniture_sort(name: &str) -> Option<&'static FurnitureSort> {
    FURNITURE.iter().find(|sort| sort.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_word_is_used_once_and_every_thing_fits_somewhere() {
        let words = FURNITURE
            .iter()
            .map(|sort| sort.name)
            .chain(THINGS.iter().map(|sort| sort.name));
        let unique: HashSet<_> = words.clone().collect();
        assert_eq!(unique.len(), words.count());
        for thing in THINGS {
            assert!(
                FURNITURE
                    .iter()
                    .filter(|furniture| furniture.takes(thing))
                    .count()
                    > 1,
                "{}",
                thing.name
            );
        }
    }
}
