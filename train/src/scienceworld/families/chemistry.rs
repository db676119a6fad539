//! `use chemistry to create the substance 'salt water'. A recipe and some of the ingredients might be found near the kitchen.
//! When you are done, focus on the salt water.`
//!
//! The recipes are those of the training variations. What is special lies in the named room; water comes from the kitchen's
//! sink, where salt and soap are too, and paint from the art studio.

use crate::scienceworld::house::{ART_STUDIO, GREENHOUSE, KITCHEN};
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{focus, go, mix, names, take};

use super::paint::VESSELS;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    product: &'static str,
    ingredients: &'static [&'static str],
    room: String,
}

/// What is mixed from what.
const RECIPES: [(&str, &[&str]); 8] = [
    ("salt water", &["sodium chloride", "water"]),
    ("soapy water", &["soap", "water"]),
    ("mixed nuts", &["peanut", "almond", "cashew"]),
    ("sodium acetate", &["acetic acid", "sodium bicarbonate"]),
    ("banana sandwich", &["banana", "bread"]),
    ("blue paper", &["paper", "blue paint"]),
    ("peanut butter sandwich", &["peanut", "bread"]),
    (
        "peanut butter with jam sandwich",
        &["peanut", "jam", "bread"],
    ),
];

/// What the kitchen has to mix in.
const CUP: &str = "glass cup";

/// Rooms with a vessel of their own.
const EQUIPPED: [&str; 4] = [KITCHEN, ART_STUDIO, "bathroom", GREENHOUSE];

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let rest = task.strip_prefix("use chemistry to create the substance '")?;
    let (product, rest) = rest.split_once("'. ")?;
    let (_, rest) = rest.split_once(" might be found near the ")?;
    let (room, _) = rest.split_once(". ")?;
    let &(product, ingredients) = RECIPES.iter().find(|(name, _)| *name == product)?;
    Some(Goal {
        product,
        ingredients,
        room: room.to_owned(),
    })
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        if s.view.find(self.product).is_some() {
            return focus::sentence(self.product);
        }
        match self.ingredients {
            [_, "water"] => self.mix_in(KITCHEN, s),
            [dry, paint] if paint.ends_with(" paint") => self.dry_then_paint(dry, s),
            _ if EQUIPPED.contains(&self.room.as_str()) || s.view.holds(CUP) => {
                self.mix_in(&self.room, s)
            }
            // A cup that was set down where it is needed.
            _ if s.is_in(&self.room) && s.view.find(CUP).is_some() => self.mix_in(&self.room, s),
            _ if s.is_in(KITCHEN) => take::sentence(CUP),
            _ => go::sentence(KITCHEN),
        }
    }

    fn mix_in(&self, room: &str, s: &Situation<'_>) -> String {
        if !s.is_in(room) {
            return go::sentence(room);
        }
        let kitchen = [CUP];
        let vessels: &[&str] = if room == ART_STUDIO || room == GREENHOUSE {
            &VESSELS
        } else {
            &kitchen
        };
        match vessels.iter().find(|name| s.view.find(name).is_some()) {
            Some(vessel) => mix::sentence(self.ingredients, vessel),
            None => go::sentence(KITCHEN),
        }
    }

    fn dry_then_paint(&self, dry: &str, s: &Situation<'_>) -> String {
        if s.is_in(ART_STUDIO) && names::find(&s.view, dry).is_some() || names::holds(&s.view, dry)
        {
            return self.mix_in(ART_STUDIO, s);
        }
        if s.is_in(&self.room) {
            take::sentence(dry)
        } else {
            go::sentence(&self.room)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scienceworld::families::testing;

    fn next(product: &str, room: &str, observation: &str) -> String {
        let task = format!(
            "use chemistry to create the substance '{product}'. A recipe and some of the ingredients might be found near \
             the {room}. When you are done, focus on the {product}."
        );
        testing::next(&task, observation, &[], "None")
    }

    const KITCHEN_CUP: &str =
        "kitchen: sink off []; soap; table [glass cup []] | doors:  | holding: orange";

    #[test]
    fn where_things_are_mixed() {
        assert_eq!(
            next("soapy water", "workshop", KITCHEN_CUP),
            "mix soap and water in glass cup"
        );
        assert_eq!(
            next("mixed nuts", "workshop", KITCHEN_CUP),
            "pick up glass cup"
        );
        let hall = "hallway: picture | doors: workshop open | holding: glass cup []";
        assert_eq!(next("mixed nuts", "workshop", hall), "go to the workshop");
        let workshop =
            "workshop: almond; cashew; peanut | doors: hallway open | holding: glass cup []";
        assert_eq!(
            next("mixed nuts", "workshop", workshop),
            "mix peanut, almond and cashew in glass cup"
        );
    }

    #[test]
    fn blue_paper() {
        let kitchen = "kitchen: blank paper; table [glass cup []] | doors:  | holding: orange";
        assert_eq!(next("blue paper", "kitchen", kitchen), "pick up paper");
        let held = "hallway: picture | doors:  | holding: blank paper";
        assert_eq!(next("blue paper", "kitchen", held), "go to the art studio");
        let studio = "art studio: table [jug []] | doors:  | holding: blank paper";
        assert_eq!(
            next("blue paper", "kitchen", studio),
            "mix paper and blue paint in jug"
        );
        let done = "art studio: table [jug [blue paper]] | doors:  | holding: nothing";
        assert_eq!(next("blue paper", "kitchen", done), "focus on blue paper");
    }
}
