//! Numbered names in text (`drawer 3`) and lists of them (`drawer 1 to 3, drawer 5, fridge 1`).
//!
//! Household worlds name things by a kind and a number. A scene has up to fifty of them, and a search visits most,
//! so lists are written as ascending ranges: shorter frames, and the next name is the successor of the last.

use std::fmt;
use std::str::FromStr;

/// Numbers above this are refused: no room holds more things of one kind.
pub const MAX_NUMBER: u32 = 999;

/// One numbered name: a kind and a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The kind, a lower-case word such as `drawer`.
    pub kind: String,
    /// The number, from 1.
    pub number: u32,
}

/// The text is not a numbered name or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a numbered name such as `drawer 3` (or, in a list, `drawer 1 to 3`)")]
pub struct NotAName(pub String);

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let refuse = || NotAName(text.chars().take(80).collect());
        let (kind, number) = text.trim().rsplit_once(' ').ok_or_else(refuse)?;
        let number = number_of(number).ok_or_else(refuse)?;
        if kind.is_empty()
            || !kind
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        {
            return Err(refuse());
        }
        Ok(Self {
            kind: kind.to_owned(),
            number,
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.number)
    }
}

fn number_of(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n| *n <= MAX_NUMBER)
}

/// A set of numbered names, by kind in the order in which the kinds came, numbers ascending as ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameList {
    kinds: Vec<(String, Vec<u32>)>,
}

impl NameList {
    /// Adds a name; one that is there already changes nothing.
    pub fn insert(&mut self, kind: &str, number: u32) {
        let at = match self.kinds.iter().position(|(k, _)| k == kind) {
            Some(at) => at,
            None => {
                self.kinds.push((kind.to_owned(), Vec::new()));
                self.kinds.len() - 1
            }
        };
        let numbers = &mut self.kinds[at].1;
        if let Err(slot) = numbers.binary_search(&number) {
            numbers.insert(slot, number);
        }
    }

    /// Removes a name.
    pub fn remove(&mut self, kind: &str, number: u32) {
        if let Some((_, numbers)) = self.kinds.iter_mut().find(|(k, _)| k == kind) {
            numbers.retain(|n| *n != number);
        }
        self.kinds.retain(|(_, numbers)| !numbers.is_empty());
    }

    /// Whether the name is in the set.
    #[must_use]
    pub fn contains(&self, kind: &str, number: u32) -> bool {
        self.numbers(kind).binary_search(&number).is_ok()
    }

    /// The numbers of one kind, ascending; empty when the kind is not there.
    #[must_use]
    pub fn numbers(&self, kind: &str) -> &[u32] {
        self.kinds
            .iter()
            .find(|(k, _)| k == kind)
            .map_or(&[], |(_, numbers)| numbers)
    }

    /// The kinds, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(|(kind, _)| kind.as_str())
    }

    /// All names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.kinds
            .iter()
            .flat_map(|(kind, numbers)| numbers.iter().map(move |n| (kind.as_str(), *n)))
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

impl fmt::Display for NameList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (kind, numbers) in &self.kinds {
            let mut rest = numbers.as_slice();
            while let Some(&first) = rest.first() {
                let run = rest
                    .iter()
                    .zip(first..)
                    .take_while(|(n, expected)| *n == expected)
                    .count();
                write!(f, "{separator}{kind} {first}")?;
                if run > 1 {
                    write!(f, " to {}", rest[run - 1])?;
                }
                separator = ", ";
                rest = &rest[run..];
            }
        }
        Ok(())
    }
}

impl FromStr for NameList {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let mut list = Self::default();
        for item in text.split(',').map(str::trim).filter(|i| !i.is_empty()) {
            match item.split_once(" to ") {
                Some((first, last)) => {
                    let first: Name = first.parse()?;
                    let last = number_of(last).ok_or_else(|| NotAName(item.into()))?;
                    for number in first.number..=last {
                        list.insert(&first.kind, number);
                    }
                }
                None => {
                    let name: Name = item.parse()?;
                    list.insert(&name.kind, name.number);
                }
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_round_trip_as_ranges() {
        let text = "drawer 1 to 3, drawer 5, fridge 1";
        let list: NameList = text.parse().unwrap();
        assert_eq!(list.to_string(), text);
        assert!(list.contains("drawer", 2) && !list.contains("drawer", 4));
        assert_eq!(list.iter().count(), 5);
    }

    #[test]
    fn insertion_keeps_the_order_of_kinds_and_merges_ranges() {
        let mut list = NameList::default();
        for (kind, number) in [("shelf", 2), ("bed", 1), ("shelf", 1), ("shelf", 2)] {
            list.insert(kind, number);
        }
        assert_eq!(list.to_string(), "shelf 1 to 2, bed 1");
        list.remove("bed", 1);
        assert_eq!(list.to_string(), "shelf 1 to 2");
    }

    #[test]
    fn refuses_what_is_not_a_name() {
        assert!("drawer".parse::<Name>().is_err());
        assert!("drawer 100000".parse::<Name>().is_err());
        assert!("a drawer 1".parse::<Name>().is_err());
        assert!("drawer 1 to x".parse::<NameList>().is_err());
        assert!("drawer 1 to 4000000000".parse::<NameList>().is_err());
    }
}
