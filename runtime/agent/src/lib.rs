//! The step-level hierarchical agent (STEP-HRL, method section 4), over two traits.
//!
//! | module | holds |
//! |---|---|
//! | [`environment`] | [`environment::Environment`]: a text world |
//! | [`places`] | numbered names (`drawer 3`) and lists of them as ranges |
//! | [`policy`] | [`policy::Policy`]: three levels behind one call |
//! | [`utterance`] | parsing of what a policy says: `action; True` or `action; False` |
//! | [`agent`] | [`agent::StepAgent`]: one observation in, one action out; all memory is an `AgentState` |
//! | [`episode`] | the loop that plays one episode and reports what happened |
//! | [`form`] | the ablations and the history-conditioned baseline: policies that lack a level |
//! | [`one_call`] | the form in which progress and action are one utterance |
//! | [`event`] | what callers print, log or stream while it runs |
//! | [`transition`] | augmented step-level transitions as JSON Lines (method section 6) |
//! | [`recorder`] | builds transitions from the events of an episode |
//! | [`text`] | bounds for texts of any length, errors with their causes |
//!
//! No I/O, no clock but a caller's, no inference library: everything here is tested with a scripted policy.
#![forbid(unsafe_code)]

pub mod agent;
pub mod environment;
pub mod episode;
pub mod event;
pub mod form;
pub mod one_call;
pub mod places;
pub mod policy;
pub mod recorder;
pub mod text;
pub mod transition;
pub mod utterance;
