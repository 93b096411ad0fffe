//! The part of the shell language that is certain: `exec "$@"` at the end of a script, and `sh -c` with a simple command.

mod script;
mod lexer;
mod command;
mod arguments;

pub(crate) use arguments::{ShellInvocation, parse_shell_arguments};
pub(crate) use command::parse_first_command;
pub(crate) use script::ScriptScanner;
