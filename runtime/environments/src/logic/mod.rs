//! A planning task in memory: facts, what can be done now, what an action changes, whether the goal holds.
//!
//! Actions are not grounded ahead of time. Every condition is compiled once, per game, into alternatives of
//! literals ([`Query`]) and solved against the present facts by joining the smallest relation first; relations
//! keep their rows sorted, so a fact is found by binary search and lists come in the order of the names.
//! That makes loading a game cheap (nothing is enumerated) and a step proportional to what can be done in it.
//!
//! Fast Downward's reading is followed where a player could see the difference: add wins over delete, an action
//! whose effects its own precondition already states does not exist, and the facts that a text speaks of follow
//! [`TextFacts`].
//!
//! | module | what it does |
//! |---|---|
//! | `symbols` | objects, types and predicates as small numbers |
//! | `relation` | the rows of one predicate |
//! | `facts` | all relations; copies share what did not change |
//! | `query` | compiled conditions |
//! | `compile` | from PDDL to queries |
//! | `solve` | joins |
//! | `schema` | actions: what applies, what it changes |
//! | `task` | all of it together |

mod compile;
mod error;
mod facts;
mod query;
mod relation;
mod schema;
mod solve;
mod symbols;
mod task;

pub use error::LogicError;
pub use facts::{Facts, TextFacts};
pub use query::Query;
pub use relation::Relation;
pub use schema::{MAX_PARAMETERS, Operator, Parameter};
pub use symbols::{ObjectId, PredicateId, Symbols, TypeId};
pub use task::Task;
