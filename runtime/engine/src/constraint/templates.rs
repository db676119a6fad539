//! Verb templates: what an action of a world looks like.

use crate::error::EngineError;

/// Part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Literal words, separated by one space.
    Words(String),
    /// A name of the frame.
    Slot(Slot),
}

/// Which names of the frame fill a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Names in the scene.
    Receptacle,
    /// Other names.
    Object,
    /// Any name.
    Any,
}

impl Slot {
    pub(super) const ALL: [Self; 3] = [Self::Receptacle, Self::Object, Self::Any];
}

/// The actions of a world, as templates such as `take {object} from {receptacle}`.
///
/// The default is the command set of the household worlds (ALFWorld and the bundled one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionTemplates {
    pub(super) templates: Vec<Vec<Item>>,
}

/// Commands of the household worlds.
const HOUSEHOLD: [&str; 12] = [
    "go to {receptacle}",
    "open {receptacle}",
    "close {receptacle}",
    "take {object} from {receptacle}",
    "move {object} to {receptacle}",
    "clean {object} with {receptacle}",
    "heat {object} with {receptacle}",
    "cool {object} with {receptacle}",
    "use {object}",
    "examine {any}",
    "look",
    "inventory",
];

impl Default for ActionTemplates {
    fn default() -> Self {
        Self::parse(HOUSEHOLD).expect("the household templates are well formed (tested)")
    }
}

impl ActionTemplates {
    /// No templates: for those who list actions only.
    pub(crate) const fn none() -> Self {
        Self {
            templates: Vec::new(),
        }
    }

    /// Reads templates: words of letters, digits and hyphens, and the slots `{receptacle}`, `{object}`, `{any}`,
    /// separated by spaces. At least one template must have no slot, so that every frame allows something.
    ///
    /// # Errors
    /// [`EngineError::Template`] quotes the template that cannot be used.
    pub fn parse<'a>(templates: impl IntoIterator<Item = &'a str>) -> Result<Self, EngineError> {
        let templates = templates
            .into_iter()
            .map(parse_template)
            .collect::<Result<Vec<_>, _>>()?;
        let always = |template: &Vec<Item>| template.iter().all(|i| matches!(i, Item::Words(_)));
        if !templates.iter().any(always) {
            return Err(EngineError::Template {
                template: String::new(),
                problem: "at least one template without a slot is needed, such as `look`",
            });
        }
        Ok(Self { templates })
    }
}

fn parse_template(template: &str) -> Result<Vec<Item>, EngineError> {
    let refuse = |problem| EngineError::Template {
        template: template.to_owned(),
        problem,
    };
    let mut items: Vec<Item> = Vec::new();
    for word in template.split_whitespace() {
        let slot = match word {
            "{receptacle}" => Some(Slot::Receptacle),
            "{object}" => Some(Slot::Object),
            "{any}" => Some(Slot::Any),
            _ => None,
        };
        if let Some(slot) = slot {
            items.push(Item::Slot(slot));
        } else if word.contains(['{', '}']) {
            return Err(refuse(
                "slots are {receptacle}, {object} and {any}, as words of their own",
            ));
        } else if !word.chars().all(|c| c.is_alphanumeric() || c == '-') || word.ends_with('-') {
            // The flag's semicolon must be a pre-token of its own, or tokens would differ from the trained ones.
            return Err(refuse("words consist of letters, digits and inner hyphens"));
        } else if let Some(Item::Words(words)) = items.last_mut() {
            words.push(' ');
            words.push_str(word);
        } else {
            items.push(Item::Words(word.to_owned()));
        }
    }
    if items.is_empty() {
        return Err(refuse("it is empty"));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn household_templates_are_well_formed() {
        let templates = ActionTemplates::default();
        assert_eq!(templates.templates.len(), HOUSEHOLD.len());
        assert_eq!(
            templates.templates[3],
            [
                Item::Words("take".into()),
                Item::Slot(Slot::Object),
                Item::Words("from".into()),
                Item::Slot(Slot::Receptacle),
            ]
        );
        assert_eq!(templates.templates[0][0], Item::Words("go to".into()));
    }

    #[test]
    fn templates_that_cannot_work_are_refused() {
        for (template, part) in [
            ("take {thing}", "slots are"),
            ("take {object}.handle", "slots are"),
            ("say hello!", "letters, digits"),
            ("", "empty"),
        ] {
            let error = ActionTemplates::parse(["look", template]).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(ActionTemplates::parse(["open {any}"]).is_err());
    }
}
