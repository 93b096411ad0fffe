//! Predicts the chain of launches: the program that the container runtime starts, and those that it certainly starts
//! next.
//!
//! `PATH` is the only environment variable that is considered. If an image sets variables that make shells or loaders
//! run other code first (`BASH_ENV`, `ENV`, `LD_PRELOAD`), only the first launch is reliable.

mod program_kind;
mod option_value;
mod wrapper;
mod env_arguments;
mod search;
mod message;
mod interpreter;
mod next_launch;
mod file_argument;
mod setpriv;
mod switch_user;
mod follow;
mod not_followed;
mod chain;
mod host_programs;
#[cfg(test)]
mod sample;

pub use chain::{Launch, MAX_LAUNCHES, predict_launches};
pub use host_programs::may_be_added_by_host;
pub use next_launch::Launcher;
