//! The bundled household world: endless rooms from seeds, played by the same engine as ALFWorld's games.
//!
//! A seed makes a room, its furniture, the things in it and a task of one of ALFWorld's six types, and writes
//! them as a game file (PDDL domain and problem, grammar, walkthrough). Domain, texts and statistics are our own;
//! commands, the form of observations and the wording of tasks are those that an ALFWorld player knows, so one
//! policy plays both. The same seed makes the same bytes, on every machine.
//!
//! ```
//! use stride_agent::environment::Environment;
//! use stride_environments::household::HouseholdEnvironment;
//!
//! let mut world = HouseholdEnvironment::new(7);
//! let opening = world.reset()?;
//! assert_eq!(opening.observation, "You are in the middle of a room.");
//! # Ok::<(), stride_agent::environment::EnvironmentError>(())
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | `vocabulary` | furniture and things: what they are, where they fit |
//! | `rooms` | what stands in which room |
//! | `dice` | numbers from the seed |
//! | `generate` | a room and its task |
//! | `assignment` | the task: its words, its goal |
//! | `walkthrough` | commands that win |
//! | `emit` | the game file |
//! | `environment` | the adapter to the agent's `Environment` |

mod assignment;
mod dice;
mod emit;
mod environment;
mod generate;
mod rooms;
mod vocabulary;
mod walkthrough;

pub use environment::HouseholdEnvironment;
pub use generate::{Household, Wish};
