//! ScienceWorld.

pub mod view;
