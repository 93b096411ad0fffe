//! Gates: judges what is about to be deployed, and stops it if it certainly does not start.
//!
//! A gate never stops anything because of an error of its own, or because something is unknown.

mod finding;
mod judge;

pub use finding::{GateFinding, GateOutcome};
pub use judge::GateJudge;
