//! `read the recipe of X`: picks it up, so that it can be read again elsewhere, and reads it. Its progress is what it says.

use stride_environments::scienceworld::view::{Thing, View};

use super::{Action, Skill, said};

/// The subtask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe;

const START: &str = "read the recipe of ";

/// What stands before a recipe's text when it is read.
const READS: &str = "The recipe reads: ";

/// What stands between the product and its ingredients.
const MIX: &str = ", you need to mix ";

/// The subtask's sentence.
#[must_use]
pub fn sentence(product: &str) -> String {
    format!("{START}{product}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Recipe> {
    subtask.strip_prefix(START).map(|_| Recipe)
}

fn is_recipe(thing: &Thing) -> bool {
    thing.name.starts_with("recipe titled ")
}

/// Whether it is in the hands.
#[must_use]
pub fn is_held(view: &View) -> bool {
    view.holding.iter().any(is_recipe)
}

/// What the world says when a recipe is read.
#[must_use]
pub fn reading(product: &str, ingredients: &[String]) -> String {
    format!("{READS}To make {product}{MIX}{}.", ingredients.join(", "))
}

/// What the final progress of this subtask names, `To make X, you need to mix A, B.`
#[must_use]
pub fn ingredients(progress: &str) -> Option<Vec<String>> {
    let (_, list) = progress.split_once(MIX)?;
    let list = list.strip_suffix('.')?.split(", ");
    Some(list.map(str::to_owned).collect())
}

impl Skill for Recipe {
    fn act(&self, view: &View, _progress: &str) -> Action {
        if is_held(view) {
            return Action::finish("read recipe in inventory");
        }
        if view.everything().any(is_recipe) {
            return Action::go_on("pick up recipe");
        }
        match view.everything().find(|thing| thing.is_closed()) {
            Some(closed) => Action::go_on(format!("open {}", closed.name)),
            None => Action::give_back(),
        }
    }

    fn rewrite(&self, view: &View, _progress: &str, _action: &str) -> String {
        match view.feedback.split_once(READS) {
            Some((_, text)) if text.contains(MIX) => text.trim().to_owned(),
            _ => said(view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_up_reads_and_remembers() {
        let skill = read(&sentence("tea")).unwrap();
        let act = |observation: &str| skill.act(&View::read(observation), "None").to_string();
        let name = "recipe titled instructions to make tea";
        assert_eq!(
            act("kitchen: cupboard closed | doors:  | holding: orange"),
            "open cupboard; False"
        );
        assert_eq!(
            act(&format!("kitchen: {name} | doors:  | holding: orange")),
            "pick up recipe; False"
        );
        let held = format!("kitchen: chair | doors:  | holding: {name}");
        assert_eq!(act(&held), "read recipe in inventory; True");
        assert_eq!(
            act("kitchen: chair | doors:  | holding: orange"),
            "look around; True"
        );
        let view = View::read(&format!(
            "The recipe reads: To make tea, you need to mix tea leaves, hot water, milk. | {held}"
        ));
        let progress = skill.rewrite(&view, "None", "read recipe in inventory");
        assert_eq!(
            progress,
            "To make tea, you need to mix tea leaves, hot water, milk."
        );
        let list = ingredients(&progress).unwrap();
        assert_eq!(list, ["tea leaves", "hot water", "milk"]);
        assert_eq!(ingredients("You move the recipe to the inventory."), None);
    }
}
