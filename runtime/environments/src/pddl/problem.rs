//! The problem: objects, the facts that hold at first, and the goal.

use super::domain::{Domain, named};
use super::error::PddlError;
use super::formula::{Atom, Formula, atom, formula};
use super::sexpr::{Limits, Sexpr, read};
use super::typed::{Typed, typed_list};

/// A PDDL problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its name.
    pub name: String,
    /// Its objects, without the domain's constants.
    pub objects: Vec<Typed>,
    /// The facts that hold at first.
    pub init: Vec<Atom>,
    /// Objects that only a number speaks of (`(= (distance a b) 3)`); the numbers themselves are skipped.
    pub measured: Vec<String>,
    /// What wins.
    pub goal: Formula,
}

impl Problem {
    /// Reads a problem of a domain.
    ///
    /// # Errors
    /// When the text breaks a limit, is not PDDL, uses a part of PDDL that is not supported, or belongs to another domain.
    pub fn parse(text: &str, domain: &Domain, limits: &Limits) -> Result<Self, PddlError> {
        let text = text.to_ascii_lowercase();
        let document = read(&text, limits)?;
        let (tag, sections) = document.tagged("(define ...)")?;
        let [header, sections @ ..] = sections else {
            return Err(document.unexpected("(define (problem NAME) ...)"));
        };
        if tag != "define" {
            return Err(document.unexpected("(define ...)"));
        }
        let mut problem = Self {
            name: named(header, "problem")?,
            objects: Vec::new(),
            init: Vec::new(),
            measured: Vec::new(),
            goal: Formula::always(),
        };
        for section in sections {
            problem.read_section(section, domain)?;
        }
        Ok(problem)
    }

    fn read_section(&mut self, section: &Sexpr<'_>, domain: &Domain) -> Result<(), PddlError> {
        let (tag, rest) = section.tagged("a section")?;
        match (tag, rest) {
            (":domain", [name]) => {
                let name = name.word("the name of the domain")?;
                if name != domain.name {
                    return Err(PddlError::OtherDomain {
                        problem: name.to_owned(),
                        domain: domain.name.clone(),
                    });
                }
            }
            (":objects", items) => self.objects.extend(typed_list(items)?),
            (":init", items) => {
                self.init.reserve(items.len());
                items.iter().try_for_each(|item| self.read_fact(item))?;
            }
            (":goal", [goal]) => self.goal = formula(goal, &domain.predicates)?,
            (":requirements" | ":metric", _) => {}
            _ => {
                return Err(PddlError::Unsupported {
                    at: section.at,
                    what: tag.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn read_fact(&mut self, item: &Sexpr<'_>) -> Result<(), PddlError> {
        match item.tagged("a fact")? {
            ("=", [head, _]) => {
                let head = atom(head)?;
                if head.predicate != "total-cost" {
                    self.measured.extend(head.arguments);
                }
                Ok(())
            }
            // What is not listed does not hold anyway.
            ("not", _) => Ok(()),
            _ => {
                self.init.push(atom(item)?);
                Ok(())
            }
        }
    }
}
