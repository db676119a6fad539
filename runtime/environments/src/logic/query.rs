//! Compiled conditions.

use super::symbols::{ObjectId, PredicateId, TypeId};

/// Most variables that are in scope at once.
pub(super) const MAX_SLOTS: usize = 64;

/// What a slot holds before it is bound.
pub(super) const UNBOUND: ObjectId = ObjectId::MAX;

/// The values of the variables in scope.
pub(super) type Binding = [ObjectId; MAX_SLOTS];

/// An argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    /// A variable and the type that its value must have.
    Slot(u8, TypeId),
    /// An object.
    Object(ObjectId),
}

impl Term {
    /// The value, or [`UNBOUND`].
    #[inline]
    pub(super) fn value(self, binding: &Binding) -> ObjectId {
        match self {
            Self::Slot(slot, _) => binding[usize::from(slot)],
            Self::Object(object) => object,
        }
    }
}

/// A fact with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) predicate: PredicateId,
    pub(super) terms: Box<[Term]>,
}

/// Literals that must hold together.
#[derive(Debug, Clone, Default)]
pub(super) struct Conjunct {
    /// Variables that this conjunct binds, with their types.
    pub(super) variables: Vec<(u8, TypeId)>,
    pub(super) positives: Vec<Pattern>,
    pub(super) negatives: Vec<Pattern>,
    /// Two arguments that must be the same (`true`) or different (`false`).
    pub(super) equalities: Vec<(Term, Term, bool)>,
    /// Queries that must have no solution: what `forall` and a negated `exists` become.
    pub(super) nowhere: Vec<Query>,
}

/// A condition: one of its alternatives must have a solution.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub(super) alternatives: Vec<Conjunct>,
}

impl Query {
    /// The condition that always holds.
    pub(super) fn always() -> Self {
        Self {
            alternatives: vec![Conjunct::default()],
        }
    }
}
