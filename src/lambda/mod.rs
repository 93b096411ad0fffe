//! The Lambda function: handles one event, from parsing it to the message, the verdict tags and the log line.

pub mod log;
pub mod verdict_tag;
pub mod notify;
pub mod handler;
