//! Typed lists: `a b - kind c - other`.

use super::error::PddlError;
use super::sexpr::Sexpr;

/// A name and its type; `object` where the text gives none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The object, variable or type named.
    pub name: String,
    /// Its type.
    pub kind: String,
}

/// Reads a typed list.
pub(super) fn typed_list(items: &[Sexpr<'_>]) -> Result<Vec<Typed>, PddlError> {
    let mut result: Vec<Typed> = Vec::with_capacity(items.len() / 3 + 1);
    let mut untyped = 0;
    let mut items = items.iter();
    while let Some(item) = items.next() {
        let word = item.word("a name")?;
        if word != "-" {
            result.push(Typed {
                name: word.to_owned(),
                kind: "object".to_owned(),
            });
            continue;
        }
        let Some(kind) = items.next() else {
            return Err(item.unexpected("a type after `-`"));
        };
        let kind = kind.word("the name of one type (either is not supported)")?;
        for typed in &mut result[untyped..] {
            kind.clone_into(&mut typed.kind);
        }
        untyped = result.len();
    }
    Ok(result)
}

/// Most variables of one quantifier. Effects copy the list, so its length is bounded before anything is copied.
const MAX_VARIABLES: usize = 64;

/// Reads the variables of a quantifier.
pub(super) fn variables(list: &Sexpr<'_>) -> Result<Vec<Typed>, PddlError> {
    let variables = typed_list(list.list("a list of variables")?)?;
    if variables.len() > MAX_VARIABLES {
        return Err(PddlError::TooMany {
            at: list.at,
            limit: MAX_VARIABLES,
        });
    }
    Ok(variables)
}
