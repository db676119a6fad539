//! `stride-eval bench`: what a step costs, by its number in the episode, beside what a baseline costs in the same run.
//!
//! | module | holds |
//! |---|---|
//! | [`wire`] | what this process and a worker say to each other |
//! | [`worker`] | the worker: one contender in a process of its own, so that its memory is its own |
//! | [`contender`] | who is measured: the step-level agent, naive or not, and the history-conditioned one |
//! | [`child`] | a worker as its parent sees it |
//! | [`script`] | episodes recorded once, so that all contenders see the same observations |
//! | [`measure`] | the contenders' turns, step by step |
//! | [`energy`] | joules, where the machine counts them |
//! | [`report`], [`page`] | figures, text, JSON; the same as a page |
//! | [`soak`] | `stride-eval soak`: memory over very many steps |
//!
//! First the policy plays every game once in a worker (that pass also warms it up); the actions and observations become a
//! [`script::Script`]. Then every contender goes through the scripts, one step each in turn, the order changing from step to
//! step, so that what else the machine does hits all alike. A contender says what it would do, pays for it, and is told what
//! was done in the script, so two contenders never drift apart, and every difference between them is counted.

pub mod child;
pub mod contender;
pub mod energy;
pub mod measure;
pub mod page;
pub mod report;
pub mod script;
pub mod soak;
pub mod wire;
pub mod worker;
