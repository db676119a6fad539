//! What an agent is shown of ScienceWorld: feedback, room and inventory as one short line.
//!
//! The simulator describes a room in up to 2.4 KB, most of it the same words in every step (`a substance called`, `which is
//! turned off`, `On the chair is: nothing.`). The view keeps every thing, state and content and drops those words, so
//! that a step fits the frame's budget (method sections 12.3 and 12.5):
//!
//! ```text
//! FEEDBACK | ROOM: THING; THING; ... | doors: ROOM open, ROOM closed | holding: THING, THING
//! THING = name [state] [open|closed] [\[THING, THING\]]
//! ```
//!
//! The same text is read back by [`View::read`]: the expert program sees no more than a policy does. What the simulator
//! said and the view does not know how to shorten stays as it was.
//!
//! | module | holds |
//! |---|---|
//! | [`raw`] | reads the simulator's sentences |
//! | [`compact`] | reads the view's own line |
//! | [`budget`] | ordered truncation when even the view is too long |

use std::fmt;

pub mod budget;
pub mod compact;
pub mod raw;

/// One thing in a room, in the inventory or in another thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thing {
    /// Its name without an article, as actions name it.
    pub name: String,
    /// `on`, `off`, a temperature in degrees Celsius, or a stage of life.
    pub state: Option<String>,
    /// Whether its door is open, for things with a door.
    pub open: Option<bool>,
    /// What is in or on it, as far as it can be seen.
    pub contents: Option<Vec<Self>>,
}

impl Thing {
    /// Whether a thing of this name is directly inside.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.contents().iter().any(|thing| thing.name == name)
    }

    /// What is inside; nothing when it is closed.
    #[must_use]
    pub fn contents(&self) -> &[Self] {
        self.contents.as_deref().unwrap_or_default()
    }

    /// Whether it has a door, and that is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.open == Some(false)
    }

    /// Whether it is switched on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state.as_deref() == Some("on")
    }

    /// This thing and everything inside it, outermost first.
    pub fn walk(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        Box::new(std::iter::once(self).chain(self.contents().iter().flat_map(Self::walk)))
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(state) = &self.state {
            write!(f, " {state}")?;
        }
        if let Some(open) = self.open {
            f.write_str(if open { " open" } else { " closed" })?;
        }
        if let Some(contents) = &self.contents {
            f.write_str(" [")?;
            list(f, contents, ", ")?;
            f.write_str("]")?;
        }
        Ok(())
    }
}

/// A door of the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The room behind it.
    pub to: String,
    /// Whether one can walk through.
    pub open: bool,
}

/// Where a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// In the inventory itself.
    Held,
    /// In the room itself.
    Room,
    /// In or on this thing of the room or the inventory.
    In(&'a Thing),
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// What the world answered to the action; empty when that was the description of the room.
    pub feedback: String,
    /// The room's name.
    pub room: String,
    /// What is in it.
    pub things: Vec<Thing>,
    /// Its doors.
    pub doors: Vec<Door>,
    /// The inventory.
    pub holding: Vec<Thing>,
}

impl View {
    /// Reads the simulator's three texts.
    #[must_use]
    pub fn of(feedback: &str, look: &str, inventory: &str) -> Self {
        raw::view(feedback, look, inventory)
    }

    /// Reads a view's own line, and so undoes [`fmt::Display`] for any view whose names are free of the view's separators. What
    /// is not of that form becomes feedback.
    #[must_use]
    pub fn read(observation: &str) -> Self {
        compact::view(observation)
    }

    /// Everything that can be seen: the room's things first, then the inventory, outermost first.
    pub fn everything(&self) -> impl Iterator<Item = &Thing> {
        self.things
            .iter()
            .chain(&self.holding)
            .flat_map(Thing::walk)
    }

    /// The first thing of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Thing> {
        self.everything().find(|thing| thing.name == name)
    }

    /// Whether the inventory itself holds a thing of this name.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.holding.iter().any(|thing| thing.name == name)
    }

    /// Where the first thing of this name is.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Option<Place<'_>> {
        let of = |things: &[Thing]| things.iter().any(|thing| thing.name == name);
        if of(&self.things) {
            return Some(Place::Room);
        }
        if of(&self.holding) {
            return Some(Place::Held);
        }
        self.everything()
            .find(|thing| thing.contains(name))
            .map(Place::In)
    }

    /// Whether the door to this room is open; `None` when there is no such door here.
    #[must_use]
    pub fn door(&self, to: &str) -> Option<bool> {
        self.doors.iter().find(|d| d.to == to).map(|d| d.open)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.feedback.is_empty() {
            write!(f, "{} | ", self.feedback)?;
        }
        write!(f, "{}: ", self.room)?;
        list(f, &self.things, "; ")?;
        f.write_str(" | doors: ")?;
        for (index, door) in self.doors.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let open = if door.open { "open" } else { "closed" };
            write!(f, "{comma}{} {open}", door.to)?;
        }
        f.write_str(" | holding: ")?;
        if self.holding.is_empty() {
            return f.write_str("nothing");
        }
        list(f, &self.holding, ", ")
    }
}

fn list(f: &mut fmt::Formatter<'_>, things: &[Thing], separator: &str) -> fmt::Result {
    for (index, thing) in things.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{thing}")?;
    }
    Ok(())
}

/// Bytes of an observation text. Late in an episode the kitchen's cupboards stand open, and its line would be half as long again as at
/// the start: then furniture goes first (see [`budget`]), so that a late step costs what an early one does. The cost in score
/// is in `docs/scienceworld.md`.
pub const BYTES: usize = 450;

/// The observation text of one step, at most [`BYTES`] long.
#[must_use]
pub fn compose(feedback: &str, look: &str, inventory: &str) -> String {
    compose_within(BYTES, feedback, look, inventory)
}

/// The same, at most `most` and [`BYTES`] long.
#[must_use]
pub fn compose_within(most: usize, feedback: &str, look: &str, inventory: &str) -> String {
    budget::fit(View::of(feedback, look, inventory), most.min(BYTES))
}

/// The task instruction without the words that open every one of them.
#[must_use]
pub fn task(description: &str) -> String {
    let text = description.trim();
    let text = text.strip_prefix("Your task is to ").unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOOK: &str = "This room is called the kitchen. In it, you see: \n\tthe agent\n\ta substance called air\n\ta chair. On the \
        chair is: nothing.\n\ta counter. On the counter is: a bowl (containing a red apple, a banana), a drawer.\n\ta \
        cupboard. The cupboard door is closed. \n\ta freezer. The freezer door is open. In the freezer is: a metal pot \
        (containing a substance called water).\n\ta oven, which is turned off. The oven door is closed. \n\ta sink, which is \
        turned on. In the sink is: nothing.\n\ta thermometer, currently reading a temperature of -10 degrees \
        celsius\nYou also see:\n\tA door to the bathroom (that is closed)\n\tA door to the hallway (that is open)\n";

    #[test]
    fn a_kitchen() {
        let view = View::of(
            "You move to the kitchen.",
            LOOK,
            "In your inventory, you see:\n\tan orange\n",
        );
        let text = view.to_string();
        assert_eq!(
            text,
            "You move to the kitchen. | kitchen: chair []; counter [bowl [red apple, banana], drawer]; cupboard closed; \
             freezer open [metal pot [water]]; oven off closed; sink on []; thermometer -10 | doors: bathroom closed, \
             hallway open | holding: orange"
        );
        assert_eq!(View::read(&text), view);
        assert!(matches!(view.place_of("water"), Some(Place::In(pot)) if pot.name == "metal pot"));
        assert_eq!(view.door("hallway"), Some(true));
        assert!(view.find("sink").unwrap().is_on());
    }

    #[test]
    fn plants_beds_and_books() {
        let look = "This room is called the bedroom. In it, you see: \n\ta bed. On the bed is: a mattress. On the mattress is: a \
            white pillow..\n\ta book shelf (containing A book (Frankenstein) titled Frankenstein by Mary Wollstonecraft \
            Shelley, A book (Moby Dick) titled Moby Dick by Herman Melville)\n\ta flower pot 6 (containing a apple tree in \
            the reproducing stage. On the apple tree you see: a flower, a adult bee. , soil)\n\ta flower pot 7 (containing \
            a pea plant in the adult stage with a tall height, soil)\n\ta green light bulb, which is off\nYou also see:\n\tA \
            door to the hallway (that is open)\n";
        let view = View::of(look, look, "In your inventory, you see:\n");
        let text = view.to_string();
        assert_eq!(
            text,
            "bedroom: bed [mattress [white pillow]]; book shelf [book (Frankenstein) titled Frankenstein by Mary \
             Wollstonecraft Shelley, book (Moby Dick) titled Moby Dick by Herman Melville]; flower pot 6 [apple tree \
             reproducing [flower, adult bee], soil]; flower pot 7 [pea plant adult, soil]; green light bulb off | doors: \
             hallway open | holding: nothing"
        );
        assert_eq!(View::read(&text), view);
    }

    #[test]
    fn what_is_no_view_is_feedback() {
        assert_eq!(View::read("hello").feedback, "hello");
        assert_eq!(
            View::read("").to_string(),
            ":  | doors:  | holding: nothing"
        );
        assert_eq!(task("Your task is to boil  water."), "boil water.");
    }

    /// A name as the simulator has them: words, perhaps a number, none of which is a state.
    fn name() -> impl Strategy<Value = String> {
        "[a-z]{3,8}( [a-z]{3,8}){0,2}( [0-9])?".prop_filter(
            "a state, or the empty inventory",
            |name| {
                let mut words = name.split(' ');
                let last = words.next_back();
                let states = ["open", "closed", "seedling", "adult", "reproducing", "dead"];
                !last.is_some_and(|last| states.contains(&last)) && name != "nothing"
            },
        )
    }

    fn thing() -> impl Strategy<Value = Thing> {
        let state = prop::option::of(prop::sample::select(vec!["on", "off", "adult", "dead"]));
        let leaf =
            (name(), state.clone(), any::<Option<bool>>()).prop_map(|(name, state, open)| Thing {
                name,
                state: state.map(str::to_owned),
                open,
                contents: None,
            });
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let contents = prop::collection::vec(inner, 0..4);
            (name(), state.clone(), any::<Option<bool>>(), contents).prop_map(
                |(name, state, open, contents)| Thing {
                    name,
                    state: state.map(str::to_owned),
                    open,
                    contents: Some(contents),
                },
            )
        })
    }

    fn view() -> impl Strategy<Value = View> {
        let door = (name(), any::<bool>()).prop_map(|(to, open)| Door { to, open });
        let things = || prop::collection::vec(thing(), 0..6);
        let doors = prop::collection::vec(door, 0..5);
        let feedback = "([A-Z][a-z ]{0,20}[a-z]\\.)?";
        (feedback, name(), things(), doors, things()).prop_map(
            |(feedback, room, things, doors, holding)| View {
                feedback,
                room,
                things,
                doors,
                holding,
            },
        )
    }

    /// Pieces of both forms, so that random texts reach the parsers' corners.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            prop::sample::select(vec![
                "This room is called the ",
                "In it, you see: ",
                "\n\t",
                "a ",
                "agent",
                ", which is ",
                "turned on",
                "open",
                ", currently reading a temperature of ",
                " degrees celsius",
                ". The ",
                " door is ",
                ". In the ",
                ". On the ",
                " is: ",
                " you see: ",
                "(containing ",
                ")",
                ", ",
                "nothing",
                " in the ",
                " stage",
                ".",
                "A door to the ",
                " (that is ",
                ". its anode is connected",
                "substance called ",
                " | ",
                "doors:",
                "holding:",
                "[",
                "]",
                ";",
                ":",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_view_is_read_back(view in view()) {
            prop_assert_eq!(View::read(&view.to_string()), view);
        }

        #[test]
        fn any_text_is_read(feedback in pieces(), look in pieces(), inventory in pieces()) {
            for text in [&feedback, &look, &inventory] {
                let view = View::read(text);
                // What was read once is a view, or a feedback without one.
                prop_assert!(view.everything().all(|thing| !thing.name.is_empty()));
            }
            let text = compose(&feedback, &look, &inventory);
            prop_assert!(text.len() <= BYTES);
        }
    }

    #[test]
    fn nesting_without_end_is_cut_off() {
        let deep = 200_000;
        let view = View::read(&format!(
            "kitchen: {}{} | doors:  | holding: nothing",
            "box [".repeat(deep),
            "]".repeat(deep)
        ));
        assert!(view.everything().count() < 50);
        let look = format!(
            "This room is called the kitchen. In it, you see:\n\ta {}",
            "box (containing a ".repeat(deep)
        );
        assert!(View::of("", &look, "").everything().count() < 50);
    }
}
