//! Gates: judges what is about to be deployed, and stops it if it certainly does not start.
//!
//! A gate never stops anything because of an error of its own, or because something is unknown.

mod finding;
mod judge;
mod decision;
mod hook_request;
mod hook_answer;
mod cloudformation;
mod deployment;
mod ecs_hook;
mod ecs;

pub use cloudformation::{answer_hook, pass_hook};
pub use decision::GateDecision;
pub use deployment::DeploymentReader;
pub use ecs::answer_ecs_hook;
pub use ecs_hook::EcsHookAnswer;
pub use finding::{GateFinding, GateOutcome};
pub use hook_answer::HookAnswer;
pub use judge::GateJudge;
