//! The part of the shell language that can be followed with certainty: `sh -c` with a simple command, and scripts that end
//! with `exec "$@"`.
//!
//! Crates for shell parsing build a syntax tree and leave open what a program's failure or an option does to the commands
//! after it. The question here is the opposite: does this text certainly start this program, in dash, bash and busybox
//! alike? A few rules answer it while the file streams by, and anything that they do not cover is unknown.

mod options;
mod script;
mod lexer;
mod command;
mod arguments;

pub(crate) use arguments::{ShellInvocation, parse_shell_arguments};
pub(crate) use command::parse_first_command;
pub(crate) use script::ScriptScanner;
