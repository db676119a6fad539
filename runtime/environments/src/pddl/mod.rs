//! Reading PDDL: a domain (types, predicates, actions) and a problem (objects, first facts, goal).
//!
//! The reader accepts the ADL part of PDDL that text games use (`and`, `or`, `not`, `imply`, `exists`, `forall`,
//! `when`, `=`, typed lists, action costs, which it skips) and knows nothing of any one domain. It follows
//! Fast Downward's reader where the standard leaves room: words are compared in lower case, an empty
//! precondition is true, a type that nobody declared has no members. What comes in is treated as hostile: see [`Limits`].
//!
//! | module | what it does |
//! |---|---|
//! | `lexer` | words and parentheses with their place |
//! | `sexpr` | nested lists, bounded in size and depth |
//! | `typed` | typed lists `a b - kind` |
//! | `formula` | conditions |
//! | `effect` | effects, flattened |
//! | `domain`, `problem` | the two documents |

mod domain;
mod effect;
mod error;
mod formula;
mod lexer;
mod problem;
mod sexpr;
mod typed;

pub use domain::{Action, Domain, Predicate};
pub use effect::Effect;
pub use error::{PddlError, Position};
pub use formula::{Atom, Formula};
pub use problem::Problem;
pub use sexpr::Limits;
pub use typed::Typed;
