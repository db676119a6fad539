//! The rows of one predicate.

use std::cmp::Ordering;
use std::ops::Range;

use super::symbols::ObjectId;

/// A sorted set of rows of one length. A predicate without arguments has at most one row, stored as a zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    arity: usize,
    /// Rows one after the other, each `arity` long (one long when there are no arguments).
    cells: Vec<ObjectId>,
}

impl Relation {
    /// No rows of the given length.
    #[must_use]
    pub fn new(arity: usize) -> Self {
        Self {
            arity,
            cells: Vec::new(),
        }
    }

    /// Sorts and keeps one of equal rows.
    #[must_use]
    pub fn from_rows(arity: usize, mut cells: Vec<ObjectId>) -> Self {
        match arity {
            0 => cells.truncate(1),
            1 => {
                cells.sort_unstable();
                cells.dedup();
            }
            2 => {
                let (rows, _) = cells.as_chunks_mut::<2>();
                rows.sort_unstable();
                cells = dedup(rows);
            }
            _ => {
                let mut rows: Vec<&[ObjectId]> = cells.chunks_exact(arity).collect();
                rows.sort_unstable();
                rows.dedup();
                cells = rows.concat();
            }
        }
        Self { arity, cells }
    }

    /// How many rows there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.cells.len() / self.stride()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    #[inline]
    fn stride(&self) -> usize {
        self.arity.max(1)
    }

    /// One row; empty for a predicate without arguments.
    #[must_use]
    #[inline]
    pub fn row(&self, index: usize) -> &[ObjectId] {
        let start = index * self.stride();
        &self.cells[start..start + self.arity]
    }

    /// Whether the row is there.
    #[must_use]
    #[inline]
    pub fn contains(&self, row: &[ObjectId]) -> bool {
        self.find(row).is_ok()
    }

    /// The rows whose first argument is given.
    #[must_use]
    pub fn starting_with(&self, first: ObjectId) -> Range<usize> {
        let start = self.partition(|row| row.first().is_some_and(|found| *found < first));
        let mut end = start;
        while end < self.len() && self.row(end).first() == Some(&first) {
            end += 1;
        }
        start..end
    }

    /// Adds a row unless it is there.
    pub fn insert(&mut self, row: &[ObjectId]) {
        if let Err(index) = self.find(row) {
            let at = index * self.stride();
            if self.arity == 0 {
                self.cells.push(0);
            } else {
                self.cells.splice(at..at, row.iter().copied());
            }
        }
    }

    /// Removes a row if it is there.
    pub fn remove(&mut self, row: &[ObjectId]) {
        if let Ok(index) = self.find(row) {
            let at = index * self.stride();
            self.cells.drain(at..at + self.stride());
        }
    }

    fn find(&self, row: &[ObjectId]) -> Result<usize, usize> {
        if self.arity == 0 {
            return if self.cells.is_empty() { Err(0) } else { Ok(0) };
        }
        let index = self.partition(|found| found.cmp(row) == Ordering::Less);
        if index < self.len() && self.row(index) == row {
            Ok(index)
        } else {
            Err(index)
        }
    }

    fn partition(&self, before: impl Fn(&[ObjectId]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if before(self.row(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn dedup(rows: &mut [[ObjectId; 2]]) -> Vec<ObjectId> {
    let mut cells: Vec<ObjectId> = Vec::with_capacity(rows.len() * 2);
    for row in rows {
        if cells.len() < 2 || cells[cells.len() - 2..] != row[..] {
            cells.extend_from_slice(row);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::Relation;

    #[test]
    fn rows_stay_sorted_and_unique() {
        let mut relation = Relation::from_rows(2, vec![5, 1, 2, 9, 5, 1, 2, 3]);
        assert_eq!(relation.len(), 3);
        relation.insert(&[2, 4]);
        relation.insert(&[2, 4]);
        relation.remove(&[5, 1]);
        relation.remove(&[7, 7]);
        let rows: Vec<_> = (0..relation.len())
            .map(|row| relation.row(row).to_vec())
            .collect();
        assert_eq!(rows, [[2, 3], [2, 4], [2, 9]]);
        assert_eq!(relation.starting_with(2), 0..3);
        assert_eq!(relation.starting_with(3), 3..3);
    }

    #[test]
    fn a_predicate_without_arguments_is_one_row_or_none() {
        let mut relation = Relation::new(0);
        assert!(!relation.contains(&[]));
        relation.insert(&[]);
        relation.insert(&[]);
        assert_eq!(relation.len(), 1);
        assert!(relation.contains(&[]));
        relation.remove(&[]);
        assert!(relation.is_empty());
    }
}
