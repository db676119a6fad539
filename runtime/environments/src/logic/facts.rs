//! All relations of a state.

use std::sync::Arc;

use super::relation::Relation;
use super::symbols::{ObjectId, PredicateId, Symbols};

/// Most arguments of a predicate.
pub const MAX_ARITY: usize = 8;

/// One relation per predicate. A copy shares every relation until one side changes it, so a new episode costs
/// one pointer per predicate and what never changes (where the furniture stands) exists once per game.
#[derive(Debug, Clone)]
pub struct Facts {
    relations: Vec<Arc<Relation>>,
}

impl Facts {
    /// No facts.
    #[must_use]
    pub fn new(symbols: &Symbols) -> Self {
        let arity = |predicate| symbols.arity(PredicateId::try_from(predicate).unwrap_or_default());
        Self {
            relations: (0..symbols.predicate_count())
                .map(|p| Arc::new(Relation::new(arity(p))))
                .collect(),
        }
    }

    /// Facts from unsorted rows, one list per predicate.
    #[must_use]
    pub(super) fn from_rows(symbols: &Symbols, rows: Vec<Vec<ObjectId>>, marks: &[bool]) -> Self {
        let relation = |(predicate, cells): (usize, Vec<ObjectId>)| {
            let arity = symbols.arity(PredicateId::try_from(predicate).unwrap_or_default());
            let mut relation = Relation::from_rows(arity, cells);
            if arity == 0 && marks[predicate] {
                relation.insert(&[]);
            }
            Arc::new(relation)
        };
        Self {
            relations: rows.into_iter().enumerate().map(relation).collect(),
        }
    }

    /// The rows of a predicate.
    #[must_use]
    #[inline]
    pub fn relation(&self, predicate: PredicateId) -> &Relation {
        &self.relations[usize::from(predicate)]
    }

    /// Adds a fact.
    pub fn insert(&mut self, predicate: PredicateId, row: &[ObjectId]) {
        Arc::make_mut(&mut self.relations[usize::from(predicate)]).insert(row);
    }

    /// Removes a fact.
    pub fn remove(&mut self, predicate: PredicateId, row: &[ObjectId]) {
        Arc::make_mut(&mut self.relations[usize::from(predicate)]).remove(row);
    }
}

/// The facts as TextWorld's texts see them.
///
/// TextWorld keeps a second set of facts beside the planner's state and differs from it in two ways, which its
/// texts show: a fact is *known to be false* (`not_p`) only after an action deleted it, never from the start,
/// and a conditional effect is written down even when its condition did not hold.
#[derive(Debug, Clone)]
pub struct TextFacts {
    /// Facts that are known to hold.
    pub holds: Facts,
    /// Facts that are known not to hold.
    pub denied: Facts,
}

impl TextFacts {
    /// What is known at first.
    #[must_use]
    pub fn new(symbols: &Symbols, holds: Facts) -> Self {
        Self {
            holds,
            denied: Facts::new(symbols),
        }
    }

    /// Notes that a fact holds now.
    pub fn insert(&mut self, predicate: PredicateId, row: &[ObjectId]) {
        self.holds.insert(predicate, row);
        self.denied.remove(predicate, row);
    }

    /// Notes that a fact does not hold any more.
    pub fn remove(&mut self, predicate: PredicateId, row: &[ObjectId]) {
        self.holds.remove(predicate, row);
        self.denied.insert(predicate, row);
    }
}
