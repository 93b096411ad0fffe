//! Gates: the function's process answers hooks of AWS `CloudFormation`, whose documented payloads are in `events/gates`.

mod answers;
mod call_failures;
mod hook;
mod malformed;
mod random_definitions;
mod time_limits;

use super::REPOSITORY;
use crate::support::aws::FakeAws;
use crate::support::layout::Builder;

/// The registry of the sample payloads.
pub const REGISTRY: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com";

/// Stops what certainly does not start.
pub const STOPPING: (&str, &str) = ("PREFLIGHT_GATES", "fail");

/// An AWS with the arm64 image `team/app:v1`.
pub fn aws_with_arm64_image() -> FakeAws {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    layout.tag("v1", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    aws
}
