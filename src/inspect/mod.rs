//! Inspects what an image starts: reads its layers from the top down until that is known. Nothing is executed or
//! judged.
//!
//! If the answer is unknown, the result contains the reason. Only the registry causes errors.

mod deadline;
mod inspection;
mod plan;
mod cache;
mod limits_met;
mod layer_reader;
mod layer_fetcher;
mod setup;
mod extensions;
mod probe;
mod inspector;

pub use inspection::{Inspection, InspectionOutcome, InspectionTarget};
pub use inspector::Inspector;
