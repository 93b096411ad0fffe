//! The Lambda function: what it does with one event.

pub mod verdict_tag;
pub mod notify;
pub mod metrics_log;
pub mod log;
pub mod handler;
