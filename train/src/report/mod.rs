//! A run as one page without outside parts: what it was, where it stands, and how it got there.
//!
//! | module | holds |
//! |---|---|
//! | [`page`] | the page: heading, sections, tables |
//! | [`lines`] | numbers over steps |
//! | [`bars`] | counts by class: histograms |
//! | [`run`] | the page of a run's folder |

pub mod bars;
pub mod lines;
pub mod page;
pub mod run;
