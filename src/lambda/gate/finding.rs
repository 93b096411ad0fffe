//! What a gate finds out about the image of a consumer.

use crate::consumer::Consumer;
use crate::report::Report;

/// The result for an image, and the consumers that run it in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFinding {
    /// The consumers, at least one. They have the same image, platform and start.
    pub consumers: Vec<Consumer>,
    /// The result for each of them.
    pub outcome: GateOutcome,
}

/// The result for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateOutcome {
    /// The consumer cannot run the image: a fault is certain and not waived.
    Fails(Box<Report>),
    /// Nothing is wrong, as far as the image was inspected, or what is wrong is waived.
    Passes(Box<Report>),
    /// The image is not judged, or the result is unknown, for this reason.
    Skipped(String),
    /// The time did not suffice. Another attempt may.
    OutOfTime,
}

impl GateOutcome {
    /// Returns whether a fault is certain.
    pub fn fails(&self) -> bool {
        matches!(self, Self::Fails(_))
    }
}
