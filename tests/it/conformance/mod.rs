//! Predictions against the real kernel, runc and umoci. Ignored by default: `make test-kernel`, `make test-layers` and
//! `make test-real` run them.

mod containerd_layers;
pub mod kernel;
mod real_programs;
mod umoci;
