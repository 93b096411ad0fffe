//! The Lambda function that knows what runs images. It answers gates.

pub mod payload;
pub mod response;
pub mod take_census;
pub mod respond;
