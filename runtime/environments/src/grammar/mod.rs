//! The texts of a game: TextWorld's grammar format.
//!
//! A grammar names rules with alternatives (the first whose condition holds is taken) and gives each action a
//! command template and a feedback text. Texts hold symbols: `#rule#`, `{r.name}`, `{o.name | holds(a:agent, o:object)}`
//! and lists `[{...}]`, whose separators are rules too. Reading follows TextWorld where it shows: white space at the
//! start of a text is dropped, and a text ends without a word at the first place that cannot be read.
//!
//! Grammars come from outside: nesting, expansions and the length of what is written are bounded ([`RenderLimits`]).
//!
//! | module | what it does |
//! |---|---|
//! | `document` | the blocks of a grammar file |
//! | `text` | symbols within a text |
//! | `expression` | `{o.indefinite + ' ' + o.name}` |
//! | `condition` | `holds(a:agent, o:object) & not_open(r:box)`: reading and matching |
//! | `compile` | a grammar joined with a task |
//! | `render` | writing |

mod compile;
mod condition;
mod document;
mod error;
mod expression;
mod render;
mod text;

pub use compile::Grammar;
pub use document::Document;
pub use error::{GrammarError, RenderError};
pub use render::{RenderLimits, World};
