//! The second stage: step-level offline reinforcement learning (method sections 6.1 and 7.4.1).
//!
//! Implicit Q-learning with an advantage-weighted actor, in the order that frozen features allow (method section 12.9):
//!
//! 1. The policy of the first stage reads every transition once; what it holds in mind at the end of the state and at the
//!    end of the utterance are the features of the critics, kept in a file.
//! 2. A pair of critics V and Q of each level is trained on these features. This is the warm-up of the actor: no weight is
//!    used before the critics are done.
//! 3. The advantages Q − V become weights, exp(β·A) clipped, and the policy is cloned with them, beside an anchor of plain
//!    cloning on what the expert said.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | settings |
//! | [`rows`] | transitions as rows: which critics may learn from, and with which target |
//! | [`features`] | hidden states of the policy, in a file |
//! | [`critic`] | V and Q of one level, their losses |
//! | [`critics`] | their training, and where it stands |
//! | [`weights`] | from advantages to weights |
//! | [`report`] | what the critics found, as JSON Lines |
//! | [`run`] | the whole stage |

pub mod config;
pub mod critic;
pub mod critics;
pub mod features;
pub mod report;
pub mod rows;
pub mod run;
pub mod weights;
