//! Runtimes, declarations and images, and the verdict on each combination.

mod consumers;
mod rules;
