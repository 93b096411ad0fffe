//! Image documents and layers: what kind of image it is, and how its layers are read and stacked.

mod ambiguous_json;
mod image_kinds;
mod layer_stack;
mod layers;
mod refusals;
