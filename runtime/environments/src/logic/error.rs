//! Why a planning task was refused.

/// Why a domain and a problem do not make a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogicError {
    /// More of something than the compact representation holds.
    #[error("{what}: {found}, and at most {limit} are supported; make the task smaller")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// An object of a type that nobody declared.
    #[error(
        "the object `{object}` has the type `{kind}`, which the domain does not declare; add it to (:types ...)"
    )]
    UnknownType {
        /// The object.
        object: String,
        /// Its type.
        kind: String,
    },
    /// An object declared twice.
    #[error(
        "the object `{object}` is declared twice; remove one of (:constants ...) and (:objects ...)"
    )]
    TwiceDeclared {
        /// The object.
        object: String,
    },
    /// A name that is neither an object nor a variable in scope.
    #[error("in {place}: `{name}` is neither an object nor a variable in scope")]
    UnknownName {
        /// The action, `the goal` or `the first facts`.
        place: String,
        /// The name.
        name: String,
    },
    /// A condition that takes too long to judge.
    #[error("judging a condition took more than {limit} attempts; bind its variables by facts")]
    TooMuchWork {
        /// The limit.
        limit: u64,
    },
    /// A condition with too many alternatives once its `or` parts are multiplied out.
    #[error(
        "in {place}: the condition has too many alternatives (more than {limit} literals); split the action"
    )]
    TooComplex {
        /// The action or `the goal`.
        place: String,
        /// Most literals over all alternatives.
        limit: usize,
    },
}
