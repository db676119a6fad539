//! Joins: finds the values of the variables that make a query true.

use super::error::LogicError;
use super::facts::{Facts, MAX_ARITY};
use super::query::{Binding, Conjunct, MAX_SLOTS, Pattern, Query, Term, UNBOUND};
use super::symbols::{ObjectId, Symbols};

/// One search over the present facts.
pub(super) struct Search<'a> {
    symbols: &'a Symbols,
    facts: &'a Facts,
    pub(super) binding: Binding,
    /// Rows and values that may still be tried.
    effort: u64,
}

/// Most rows and values tried in one search: a game whose conditions need more cannot be played.
const MAX_EFFORT: u64 = 20_000_000;

/// Called with each solution; `true` ends the search.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&Binding) -> bool;

impl<'a> Search<'a> {
    pub(super) fn new(symbols: &'a Symbols, facts: &'a Facts) -> Self {
        Self {
            symbols,
            facts,
            binding: [UNBOUND; MAX_SLOTS],
            effort: MAX_EFFORT,
        }
    }

    /// Refuses what the search found so far when it ended for want of effort.
    pub(super) fn complete<T>(&self, found: T) -> Result<T, LogicError> {
        if self.effort > 0 {
            Ok(found)
        } else {
            Err(LogicError::TooMuchWork { limit: MAX_EFFORT })
        }
    }

    /// Whether the search has to end.
    #[inline]
    fn is_exhausted(&mut self) -> bool {
        self.effort = self.effort.saturating_sub(1);
        self.effort == 0
    }

    /// Whether the query has a solution that agrees with the binding.
    pub(super) fn holds(&mut self, query: &Query) -> bool {
        query
            .alternatives
            .iter()
            .any(|conjunct| self.each(conjunct, &mut |_| true))
    }

    /// Visits the solutions of a conjunct that agree with the binding; tells whether a visit ended the search.
    pub(super) fn each(&mut self, conjunct: &Conjunct, visit: Visit<'_>) -> bool {
        let all = match u32::try_from(conjunct.positives.len()) {
            Ok(count @ 0..=63) => (1_u64 << count) - 1,
            _ => u64::MAX,
        };
        self.possible(conjunct) && self.join(conjunct, all, visit)
    }

    /// Visits all values of typed variables that satisfy a query (for effects under `forall`).
    pub(super) fn each_of(&mut self, variables: &[(u8, u16)], query: &Query, visit: Visit<'_>) {
        let Some(((slot, kind), rest)) = variables.split_first() else {
            if self.holds(query) {
                visit(&self.binding);
            }
            return;
        };
        for &object in self.symbols.members(*kind) {
            if self.is_exhausted() {
                return;
            }
            self.binding[usize::from(*slot)] = object;
            self.each_of(rest, query, visit);
        }
        self.binding[usize::from(*slot)] = UNBOUND;
    }

    fn join(&mut self, conjunct: &Conjunct, mut left: u64, visit: Visit<'_>) -> bool {
        let mut best = (usize::MAX, 0, 0..0);
        let mut open = left;
        while open != 0 {
            let index = open.trailing_zeros() as usize;
            open &= open - 1;
            let pattern = &conjunct.positives[index];
            let relation = self.facts.relation(pattern.predicate);
            match self.row(pattern) {
                Ok((row, arity)) => {
                    if !relation.contains(&row[..arity]) {
                        return false;
                    }
                    left &= !(1 << index);
                }
                Err(first) => {
                    let rows = if first == UNBOUND {
                        0..relation.len()
                    } else {
                        relation.starting_with(first)
                    };
                    if rows.len() < best.0 {
                        best = (rows.len(), index, rows);
                    }
                }
            }
        }
        if left == 0 {
            return self.enumerate(conjunct, 0, visit);
        }
        let (_, index, rows) = best;
        let pattern = &conjunct.positives[index];
        left &= !(1 << index);
        for index in rows {
            if self.is_exhausted() {
                return true;
            }
            let row = self.facts.relation(pattern.predicate).row(index);
            let (bound, fits) = self.bind(pattern, row);
            let stop = fits && self.possible(conjunct) && self.join(conjunct, left, visit);
            self.unbind(pattern, bound);
            if stop {
                return true;
            }
        }
        false
    }

    /// The row of a pattern whose variables are all bound, else its first argument.
    #[inline]
    fn row(&self, pattern: &Pattern) -> Result<([ObjectId; MAX_ARITY], usize), ObjectId> {
        let mut row = [0; MAX_ARITY];
        let mut complete = true;
        for (cell, term) in row.iter_mut().zip(&pattern.terms) {
            *cell = term.value(&self.binding);
            complete &= *cell != UNBOUND;
        }
        if complete {
            Ok((row, pattern.terms.len()))
        } else {
            Err(row[0])
        }
    }

    /// Binds the open variables of a pattern to a row: a bit for each term that was bound, and whether the row fits.
    #[inline]
    fn bind(&mut self, pattern: &Pattern, row: &[ObjectId]) -> (u8, bool) {
        let mut bound = 0;
        for (index, (term, object)) in pattern.terms.iter().zip(row).enumerate() {
            match *term {
                Term::Object(wanted) if wanted == *object => {}
                Term::Object(_) => return (bound, false),
                Term::Slot(slot, kind) => {
                    let value = &mut self.binding[usize::from(slot)];
                    if *value == UNBOUND && self.symbols.is_a(*object, kind) {
                        *value = *object;
                        bound |= 1 << index;
                    } else if *value != *object {
                        return (bound, false);
                    }
                }
            }
        }
        (bound, true)
    }

    #[inline]
    fn unbind(&mut self, pattern: &Pattern, bound: u8) {
        for (index, term) in pattern.terms.iter().enumerate() {
            if let (Term::Slot(slot, _), 1) = (term, bound >> index & 1) {
                self.binding[usize::from(*slot)] = UNBOUND;
            }
        }
    }

    /// Binds the variables that no positive literal binds, then asks the rest of the conjunct.
    fn enumerate(&mut self, conjunct: &Conjunct, from: usize, visit: Visit<'_>) -> bool {
        let open = |(slot, _): &&(u8, u16)| self.binding[usize::from(*slot)] == UNBOUND;
        let Some((slot, kind)) = conjunct.variables[from..].iter().find(open).copied() else {
            return self.possible(conjunct)
                && !conjunct.nowhere.iter().any(|query| self.holds(query))
                && visit(&self.binding);
        };
        for &object in self.symbols.members(kind) {
            if self.is_exhausted() {
                return true;
            }
            self.binding[usize::from(slot)] = object;
            if self.possible(conjunct) && self.enumerate(conjunct, from, visit) {
                self.binding[usize::from(slot)] = UNBOUND;
                return true;
            }
        }
        self.binding[usize::from(slot)] = UNBOUND;
        false
    }

    /// Whether no negative literal or equality is already broken.
    #[inline]
    fn possible(&self, conjunct: &Conjunct) -> bool {
        let broken = |pattern: &Pattern| {
            self.row(pattern).is_ok_and(|(row, arity)| {
                self.facts
                    .relation(pattern.predicate)
                    .contains(&row[..arity])
            })
        };
        let differs = |&(left, right, same): &(Term, Term, bool)| {
            let (left, right) = (left.value(&self.binding), right.value(&self.binding));
            left != UNBOUND && right != UNBOUND && (left == right) != same
        };
        !conjunct.negatives.iter().any(broken) && !conjunct.equalities.iter().any(differs)
    }
}
