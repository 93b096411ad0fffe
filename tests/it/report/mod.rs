//! The report in its output formats: the published message and JSON.

mod matrix;
pub mod messages;
mod remedies;
pub mod schema;
