//! The verdict: for each intended runtime, whether the image runs, fails, or whether that is unknown.
//!
//! Pure and total: no clock, no environment, no registry. How a finding is worded for people is up to
//! [`report`](crate::report).

mod fault;
mod finding;
mod exec_faults;
mod rules;
mod judge;

pub use exec_faults::detect_exec_fault;
pub use fault::{FailedProgram, Fault, FaultCode, FaultInfo};
pub use finding::{Finding, FindingSubject, Judgement, Verdict};
pub use judge::{judge, judge_unread};
