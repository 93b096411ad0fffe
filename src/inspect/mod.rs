//! What an image does when it is started: its layers are read from the top down until that is known.
//!
//! Nothing is executed, and nothing is judged. If the answer is unknown, the result holds the reason; the only errors
//! are those of the registry.

mod deadline;
mod inspection;
mod plan;
mod cache;
mod layers;
mod probe;
mod inspector;

pub use inspection::{Inspection, InspectionOutcome, InspectionTarget};
pub use inspector::Inspector;
