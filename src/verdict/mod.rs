//! The verdict: for each intended runtime, whether the image runs, fails, or whether that is unknown.
//!
//! Pure functions without clock, environment or registry. [`report`](crate::report) formats the findings for people.

mod fault;
mod finding;
mod exec_faults;
mod rules;
mod judge;

pub use exec_faults::detect_exec_fault;
pub use fault::{FailedProgram, Fault, FaultCode, FaultInfo};
pub use finding::{Finding, FindingSubject, Judgement, Verdict};
pub use judge::{judge, judge_unread};
