//! The API over HTTP/1.1.
//!
//! | module | holds |
//! |---|---|
//! | [`app`] | [`App`]: what handlers share |
//! | [`agents`], [`episodes`], [`models`], [`health`], [`observe`] | the handlers |
//! | [`page`] | the page at `/` |
//! | [`stream`] | steps as server-sent events |
//! | [`body`] | JSON in and out, bounded in size and time |
//! | [`query`] | query strings |
//! | [`error`] | [`ApiError`]: every refusal has a status, a code and a sentence |
//! | [`guard`] | who may ask, and how often |
//! | [`router`] | the routes, and the OpenAPI document made from them |
//! | [`listen`], [`given`], [`tls`], [`serve`] | sockets, those that systemd hands over, TLS, and the connections on them |

pub mod agents;
pub mod app;
pub mod body;
pub mod episodes;
pub mod error;
pub mod given;
pub mod guard;
pub mod health;
pub mod listen;
pub mod models;
pub mod observe;
pub mod openai;
pub mod page;
pub mod query;
pub mod router;
pub mod serve;
pub mod stream;
pub mod tls;

pub use app::App;
pub use error::ApiError;
