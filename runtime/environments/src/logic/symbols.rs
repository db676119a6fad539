//! Objects, types and predicates as small numbers.

use std::collections::{BTreeSet, HashMap};

use super::error::LogicError;
use crate::pddl::Typed;

/// An object. Numbers follow the order of the names, so sorted rows are sorted by name.
pub type ObjectId = u16;
/// A predicate with a given number of arguments.
pub type PredicateId = u16;
/// A type. [`Symbols::NO_TYPE`] stands for a type that nobody declared: it has no members.
pub type TypeId = u16;

/// One type: its name, whom it contains.
#[derive(Debug, Clone, Default)]
struct Kind {
    name: String,
    members: Vec<ObjectId>,
    bits: Vec<u64>,
}

/// The names of a task.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    objects: Vec<(String, TypeId)>,
    object_ids: HashMap<String, ObjectId>,
    types: Vec<Kind>,
    /// By name and number of arguments, so that one relation never mixes lengths.
    predicates: Vec<(String, usize)>,
}

impl Symbols {
    /// The type without members.
    pub const NO_TYPE: TypeId = 0;
    /// Most objects of a task.
    pub const MAX_OBJECTS: usize = 60_000;

    /// Names the types and objects of a task.
    ///
    /// # Errors
    /// When there are too many objects, or one is declared twice or has an unknown type.
    pub fn new<'a>(
        types: &[Typed],
        objects: impl Iterator<Item = &'a Typed>,
    ) -> Result<Self, LogicError> {
        let mut symbols = Self::default();
        symbols.types.push(Kind::default());
        symbols.types.push(Kind {
            name: "object".to_owned(),
            ..Kind::default()
        });
        for kind in types.iter().flat_map(|typed| [&typed.name, &typed.kind]) {
            if symbols.find_type(kind).is_none() {
                symbols.types.push(Kind {
                    name: kind.clone(),
                    ..Kind::default()
                });
            }
        }
        too_many("types", symbols.types.len(), 4096)?;
        let mut objects: Vec<&Typed> = objects.collect();
        too_many("objects", objects.len(), Self::MAX_OBJECTS)?;
        objects.sort_by(|left, right| left.name.cmp(&right.name));
        for (id, object) in objects.into_iter().enumerate() {
            symbols.add_object(id, object)?;
        }
        symbols.fill_members(types);
        Ok(symbols)
    }

    fn add_object(&mut self, id: usize, object: &Typed) -> Result<(), LogicError> {
        let Some(kind) = self.find_type(&object.kind) else {
            return Err(LogicError::UnknownType {
                object: object.name.clone(),
                kind: object.kind.clone(),
            });
        };
        if self
            .objects
            .last()
            .is_some_and(|(name, _)| *name == object.name)
        {
            return Err(LogicError::TwiceDeclared {
                object: object.name.clone(),
            });
        }
        self.objects.push((object.name.clone(), kind));
        let id = ObjectId::try_from(id).unwrap_or(ObjectId::MAX);
        self.object_ids.insert(object.name.clone(), id);
        Ok(())
    }

    fn fill_members(&mut self, types: &[Typed]) {
        let words = self.objects.len().div_ceil(64);
        for kind in &mut self.types {
            kind.bits = vec![0; words];
        }
        let above: Vec<BTreeSet<TypeId>> = (0..self.types.len())
            .map(|kind| self.with_ancestors(types, kind))
            .collect();
        for (object, (_, kind)) in self.objects.iter().enumerate() {
            for ancestor in &above[usize::from(*kind)] {
                let kind = &mut self.types[usize::from(*ancestor)];
                kind.members
                    .push(ObjectId::try_from(object).unwrap_or(ObjectId::MAX));
                kind.bits[object / 64] |= 1 << (object % 64);
            }
        }
    }

    fn with_ancestors(&self, types: &[Typed], kind: usize) -> BTreeSet<TypeId> {
        let mut seen = BTreeSet::new();
        let mut next = vec![TypeId::try_from(kind).unwrap_or(Self::NO_TYPE)];
        while let Some(kind) = next.pop() {
            if kind == Self::NO_TYPE || !seen.insert(kind) {
                continue;
            }
            let name = &self.types[usize::from(kind)].name;
            next.extend(
                types
                    .iter()
                    .filter(|typed| typed.name == *name)
                    .filter_map(|typed| self.find_type(&typed.kind)),
            );
        }
        seen
    }

    /// The number of a type.
    #[must_use]
    pub fn find_type(&self, name: &str) -> Option<TypeId> {
        let found = self
            .types
            .iter()
            .skip(1)
            .position(|kind| kind.name == name)?;
        TypeId::try_from(found + 1).ok()
    }

    /// The number of a type, or the type without members.
    #[must_use]
    pub fn type_or_none(&self, name: &str) -> TypeId {
        self.find_type(name).unwrap_or(Self::NO_TYPE)
    }

    /// The objects of a type and of the types below it, in the order of their names.
    #[must_use]
    pub fn members(&self, kind: TypeId) -> &[ObjectId] {
        &self.types[usize::from(kind)].members
    }

    /// Whether an object is of a type or of one below it.
    #[must_use]
    #[inline]
    pub fn is_a(&self, object: ObjectId, kind: TypeId) -> bool {
        let object = usize::from(object);
        self.types[usize::from(kind)].bits[object / 64] >> (object % 64) & 1 == 1
    }

    /// How many objects there are.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.objects.len()
    }

    /// The number of an object.
    #[must_use]
    pub fn find_object(&self, name: &str) -> Option<ObjectId> {
        self.object_ids.get(name).copied()
    }

    /// The name of an object.
    #[must_use]
    pub fn object_name(&self, object: ObjectId) -> &str {
        &self.objects[usize::from(object)].0
    }

    /// The name of an object's declared type.
    #[must_use]
    pub fn object_type(&self, object: ObjectId) -> &str {
        &self.types[usize::from(self.objects[usize::from(object)].1)].name
    }

    /// How many predicates there are.
    #[must_use]
    pub fn predicate_count(&self) -> usize {
        self.predicates.len()
    }

    /// The number of a predicate.
    #[must_use]
    pub fn find_predicate(&self, name: &str, arity: usize) -> Option<PredicateId> {
        let found = self
            .predicates
            .iter()
            .position(|(known, length)| *length == arity && known == name)?;
        PredicateId::try_from(found).ok()
    }

    /// The name of a predicate.
    #[must_use]
    pub fn predicate_name(&self, predicate: PredicateId) -> &str {
        &self.predicates[usize::from(predicate)].0
    }

    /// The number of arguments of a predicate.
    #[must_use]
    pub fn arity(&self, predicate: PredicateId) -> usize {
        self.predicates[usize::from(predicate)].1
    }

    /// The number of a predicate, which is added when it is new.
    pub(super) fn intern_predicate(
        &mut self,
        name: &str,
        arity: usize,
    ) -> Result<PredicateId, LogicError> {
        if let Some(found) = self.find_predicate(name, arity) {
            return Ok(found);
        }
        too_many("arguments of a predicate", arity, super::facts::MAX_ARITY)?;
        too_many("predicates", self.predicates.len() + 1, 4096)?;
        self.predicates.push((name.to_owned(), arity));
        Ok(PredicateId::try_from(self.predicates.len() - 1).unwrap_or(PredicateId::MAX))
    }
}

/// Refuses more than a limit.
pub(super) fn too_many(what: &'static str, found: usize, limit: usize) -> Result<(), LogicError> {
    if found > limit {
        Err(LogicError::TooMany { what, found, limit })
    } else {
        Ok(())
    }
}
