//! The part of the shell language that is certain: `exec "$@"` at the end of a script, and `sh -c` with a simple command.

mod script;
mod lexer;
mod command;
mod arguments;

pub(crate) use arguments::{Told, told};
pub(crate) use command::command;
pub(crate) use script::Scanner;
