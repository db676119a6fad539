//! Text worlds.
pub mod alfworld;
pub mod grammar;
pub mod logic;
pub mod pddl;
