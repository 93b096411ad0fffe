//! The subset of the shell language whose effect is certain: `sh -c` with a simple command, and scripts that end with
//! `exec "$@"`.
//!
//! Crates for shell parsing build a syntax tree, but do not say how options or a failing program affect later commands.
//! The question here is narrower: does this text certainly start this program in dash, bash and busybox alike? A few
//! rules answer it while the file is streamed, and anything that they do not cover is unknown.

mod options;
mod script;
mod lexer;
mod command;
mod arguments;

pub(crate) use arguments::{ShellInvocation, parse_shell_arguments};
pub(crate) use command::parse_first_command;
pub(crate) use script::ScriptScanner;
