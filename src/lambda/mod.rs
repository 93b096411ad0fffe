//! The Lambda function: handles an event, from parsing it to the verdict tags, the message and the log line.

pub mod payload;
pub mod log;
pub mod response;
pub mod verdict_tag;
mod shorten;
mod certainty;
pub mod notify;
pub mod recent;
pub mod image_table;
pub mod stopped_task;
mod event_ledger;
mod event_case;
mod publish;
pub mod handler;
pub mod respond;
#[cfg(feature = "consumers")]
pub mod gate;
#[cfg(feature = "consumers")]
pub mod consumers;
