//! The Lambda function that knows what runs images: it takes the census, handles changes and stopped tasks, and answers gates.

pub mod payload;
pub mod response;
mod announce;
pub mod take_census;
pub mod handle_change;
mod handle_stopped;
pub mod respond;
