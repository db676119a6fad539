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
        // A cup that was set down where it is needed will do, too.
        let has_vessel = EQUIPPED.contains(&self.room.as_str())
            || s.view.holds(CUP)
            || s.is_in(&self.room) && s.view.find(CUP).is_some();
        if !has_vessel {
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

    fn next(product: &str, room: &str, observation: &str, progress: &str) -> String {
        let task = format!(
            "use chemistry to create the substance '{product}'. A recipe and some of the ingredients might be found near \
             the {room}. When you are done, focus on the {product}."
        );
        testing::next(&task, observation, &[], progress)
    }

    #[test]
    fn the_recipe_is_read_where_it_is_forgotten() {
        let kitchen =
            "kitchen: sink off []; soap; table [glass cup []] | doors:  | holding: orange";
        let soapy = |progress| next("soapy water", "kitchen", kitchen, progress);
        assert_eq!(soapy("None"), "read the recipe of soapy water");
        assert_eq!(
            soapy("To make soapy water, you need to mix soap, water."),
            "mix soap and water in glass cup"
        );
    }

    #[test]
    fn where_things_are_mixed() {
        let nuts = |observation, progress| next("mixed nuts", "workshop", observation, progress);
        let kitchen = "kitchen: sink off []; table [glass cup []] | doors:  | holding: orange";
        assert_eq!(nuts(kitchen, "None"), "pick up glass cup");
        let hall = "hallway: picture | doors: workshop open | holding: glass cup []";
        assert_eq!(nuts(hall, "None"), "go to the workshop");
        let workshop =
            "workshop: almond; cashew; peanut | doors: hallway open | holding: glass cup []";
        assert_eq!(nuts(workshop, "None"), "read the recipe of mixed nuts");
        let recipe = "To make mixed nuts, you need to mix peanut, almond, cashew.";
        assert_eq!(
            nuts(workshop, recipe),
            "mix peanut, almond and cashew in glass cup"
        );
        let tea = "To make tea, you need to mix tea leaves, water.";
        let workshop = "workshop: tea leaves | doors: hallway open | holding: glass cup []";
        assert_eq!(next("tea", "workshop", workshop, tea), "pick up tea leaves");
        let held = "workshop: table [] | doors: hallway open | holding: glass cup [], tea leaves";
        assert_eq!(next("tea", "workshop", held, tea), "go to the kitchen");
    }

    #[test]
    fn blue_paper() {
        let recipe = "To make blue paper, you need to mix paper, blue paint.";
        let blue = |observation, progress| next("blue paper", "kitchen", observation, progress);
        let kitchen = "kitchen: blank paper; table [glass cup []] | doors:  | holding: orange";
        assert_eq!(blue(kitchen, recipe), "pick up paper");
        let held = "kitchen: chair | doors:  | holding: blank paper";
        assert_eq!(blue(held, recipe), "go to the art studio");
        let studio = "art studio: table [jug []] | doors:  | holding: blank paper, recipe titled instructions to make blue paper";
        assert_eq!(blue(studio, "None"), "read the recipe of blue paper");
        assert_eq!(blue(studio, recipe), "mix paper and blue paint in jug");
        let done = "art studio: table [jug [blue paper]] | doors:  | holding: nothing";
        assert_eq!(blue(done, "None"), "focus on blue paper");
    }
}
