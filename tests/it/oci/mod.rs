//! Image documents and layers: what kind of image it is, and how its layers are read and stacked.

mod ambiguous_json;
mod image_kinds;
pub mod layer_rules;
mod layer_stack;
mod layers;
mod refusals;
