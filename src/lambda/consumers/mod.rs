//! The Lambda function that knows what runs images. It answers gates.

pub mod payload;
pub mod response;
mod announce;
pub mod take_census;
pub mod handle_change;
pub mod respond;
