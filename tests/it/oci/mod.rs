//! Image documents and layers: what kind of image it is, and how its layers are read and stacked.

mod images;
mod layers;
mod stack;
