//! `use chemistry to create the substance 'salt water'. A recipe and some of the ingredients might be found near the kitchen.
//! When you are done, focus on the salt water.`
//!
//! The recipe is read, and kept: what it says stands in one progress only, so it is read again wherever it is needed. What is
//! special lies in the named room; water comes from the kitchen's sink, and paint from the art studio.

use crate::scienceworld::house::{ART_STUDIO, GREENHOUSE, KITCHEN};
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{focus, go, mix, names, recipe, take};

use super::paint::VESSELS;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    product: String,
    room: String,
}

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
    Some(Goal {
        product: product.to_owned(),
        room: room.to_owned(),
    })
}

/// What the recipe named, as far as the frame still says it.
fn ingredients(s: &Situation<'_>) -> Option<Vec<String>> {
    recipe::ingredients(s.progress).or_else(|| Some(mix::read(s.last()?)?.ingredients().to_vec()))
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        if s.view.find(&self.product).is_some() {
            return focus::sentence(&self.product);
        }
        let is_equipped = EQUIPPED.contains(&self.room.as_str()) || s.view.holds(CUP);
        // A cup that was set down where it is needed will do, too.
        if !is_equipped && !(s.is_in(&self.room) && s.view.find(CUP).is_some()) {
            return if s.is_in(KITCHEN) {
                take::sentence(CUP)
            } else {
                go::sentence(KITCHEN)
            };
        }
        let Some(ingredients) = ingredients(s) else {
            return if s.is_in(&self.room) || recipe::is_held(&s.view) {
                recipe::sentence(&self.product)
            } else {
                go::sentence(&self.room)
            };
        };
        let ingredients: Vec<&str> = ingredients.iter().map(String::as_str).collect();
        match ingredients[..] {
            [_, "water"] => self.mix_in(KITCHEN, &ingredients, s),
            [dry, paint] if paint.ends_with(" paint") => {
                let is_here = s.is_in(ART_STUDIO) && names::find(&s.view, dry).is_some()
                    || names::holds(&s.view, dry);
                if is_here {
                    self.mix_in(ART_STUDIO, &ingredients, s)
                } else if s.is_in(&self.room) {
                    take::sentence(dry)
                } else {
                    go::sentence(&self.room)
                }
            }
            _ => self.mix_in(&self.room, &ingredients, s),
        }
    }

    fn mix_in(&self, room: &str, ingredients: &[&str], s: &Situation<'_>) -> String {
        if !s.is_in(room) {
            // What was carried to another room is wanted there.
            let dry = ingredients[0];
            if room == KITCHEN && !names::holds(&s.view, dry) && names::find(&s.view, dry).is_some()
            {
                return take::sentence(dry);
            }
            return go::sentence(room);
        }
        let kitchen = [CUP];
        let vessels: &[&str] = if room == ART_STUDIO || room == GREENHOUSE {
            &VESSELS
        } else {
            &kitchen
        };
        match vessels.iter().find(|name| s.view.find(name).is_some()) {
            Some(vessel) => mix::sentence(ingredients, vessel),
            None => go::sentence(KITCHEN),
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
