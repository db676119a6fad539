//! The domain: types, predicates and actions.

use super::effect::{Effect, effects};
use super::error::PddlError;
use super::formula::{Formula, formula};
use super::sexpr::{Limits, Sexpr, read};
use super::typed::{Typed, typed_list};

/// A predicate and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// Its name.
    pub name: String,
    /// Its parameters; the types are not enforced, as in Fast Downward.
    pub parameters: Vec<Typed>,
}

/// An action schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its name, in lower case.
    pub name: String,
    /// Its parameters.
    pub parameters: Vec<Typed>,
    /// When it can be done.
    pub precondition: Formula,
    /// What it changes.
    pub effects: Vec<Effect>,
}

/// A PDDL domain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Declared types with their parent type.
    pub types: Vec<Typed>,
    /// Objects of every problem.
    pub constants: Vec<Typed>,
    /// Declared predicates.
    pub predicates: Vec<Predicate>,
    /// Actions in the order of the text.
    pub actions: Vec<Action>,
}

impl Domain {
    /// Reads a domain.
    ///
    /// # Errors
    /// When the text breaks a limit, is not PDDL, or uses a part of PDDL that is not supported.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, PddlError> {
        let text = text.to_ascii_lowercase();
        let document = read(&text, limits)?;
        let (tag, sections) = document.tagged("(define ...)")?;
        let [header, sections @ ..] = sections else {
            return Err(document.unexpected("(define (domain NAME) ...)"));
        };
        if tag != "define" {
            return Err(document.unexpected("(define ...)"));
        }
        let mut domain = Self {
            name: named(header, "domain")?,
            ..Self::default()
        };
        // Predicates first: actions refer to them wherever they stand.
        for section in sections {
            domain.read_declarations(section)?;
        }
        for section in sections {
            if let (":action", rest) = section.tagged("a section")? {
                domain
                    .actions
                    .push(action(section, rest, &domain.predicates)?);
            }
        }
        Ok(domain)
    }

    fn read_declarations(&mut self, section: &Sexpr<'_>) -> Result<(), PddlError> {
        let (tag, rest) = section.tagged("a section")?;
        match tag {
            ":types" => self.types.extend(typed_list(rest)?),
            ":constants" => self.constants.extend(typed_list(rest)?),
            ":predicates" => {
                for entry in rest {
                    let (name, parameters) = entry.tagged("(PREDICATE PARAMETERS)")?;
                    let parameters = typed_list(parameters)?;
                    self.predicates.push(Predicate {
                        name: name.to_owned(),
                        parameters,
                    });
                }
            }
            ":requirements" | ":functions" | ":action" => {}
            _ => {
                return Err(PddlError::Unsupported {
                    at: section.at,
                    what: tag.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Reads `(TAG NAME)`.
pub(super) fn named(header: &Sexpr<'_>, tag: &'static str) -> Result<String, PddlError> {
    match header.tagged(tag)? {
        (found, [name]) if found == tag => Ok(name.word("a name")?.to_owned()),
        _ => Err(header.unexpected(tag)),
    }
}

fn action(
    section: &Sexpr<'_>,
    rest: &[Sexpr<'_>],
    declared: &[Predicate],
) -> Result<Action, PddlError> {
    let [name, fields @ ..] = rest else {
        return Err(section.unexpected("(:action NAME ...)"));
    };
    let mut action = Action {
        name: name.word("the name of the action")?.to_owned(),
        parameters: Vec::new(),
        precondition: Formula::always(),
        effects: Vec::new(),
    };
    for field in fields.chunks(2) {
        let [key, value] = field else {
            return Err(field[0].unexpected("a value after it"));
        };
        match key.word("a field of the action")? {
            ":parameters" => action.parameters = typed_list(value.list("a list of parameters")?)?,
            ":precondition" => action.precondition = formula(value, declared)?,
            ":effect" => action.effects = effects(value, declared)?,
            other => {
                return Err(PddlError::Unsupported {
                    at: key.at,
                    what: other.to_owned(),
                });
            }
        }
    }
    Ok(action)
}
