//! Gates: judges what is about to be deployed, and stops it if it certainly does not start.
//!
//! A gate never stops anything because of an error of its own, or because something is unknown.

mod finding;
mod judge;
mod decision;
mod deployment;
mod ecs_hook;
mod ecs;

pub use decision::{GateDecision, GateResult};
pub use deployment::DeploymentReader;
pub use ecs::EcsGate;
pub use ecs_hook::{EcsHookAnswer, EcsHookPayload};
pub use finding::{GateFinding, GateOutcome};
pub use judge::GateJudge;
