//! Predictions against the real kernel, runc, umoci and containerd. Ignored by default: `make test-kernel`, `make
//! test-layers`, `make test-containerd` and `make test-real` run them.

mod containerd_layers;
pub mod kernel;
mod containerd;
mod real_programs;
pub mod umoci;
