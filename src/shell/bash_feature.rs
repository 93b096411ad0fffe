//! Syntax and commands of bash at which dash stops, as measured with dash 0.5.12. bash and busybox accept most of them.

use super::harmless_line::{is_single_command, split_words, trim_blanks};
use super::options::is_variable_name;

/// Syntax or a command of bash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BashFeature {
    /// A parenthesis of an array or a function: `Syntax error: "(" unexpected`. The commands before it run.
    Parenthesis,
    /// A command, by its place in [`BASH_COMMANDS`], while option `errexit` is on: `source: not found`.
    Command(u8),
}

/// Reserved words and builtins of bash for which dash looks up a program.
const BASH_COMMANDS: [&str; 10] =
    ["source", "[[", "function", "shopt", "declare", "typeset", "mapfile", "readarray", "pushd", "popd"];

impl BashFeature {
    /// Finds the feature in a line that is the first command after lines that change nothing.
    pub(super) fn find(line: &[u8], has_errexit: bool) -> Option<Self> {
        let line = trim_blanks(line);
        // A backslash may join lines, a carriage return is part of a word, and a backtick runs a command.
        if line.iter().any(|byte| b"\r\0\\`".contains(byte)) {
            return None;
        }
        if is_array(line) || is_function(line) {
            return Some(Self::Parenthesis);
        }
        let name = split_words(line).next()?;
        let place = BASH_COMMANDS.iter().position(|command| command.as_bytes() == name)?;
        (has_errexit && is_single_command(line)).then_some(Self::Command(u8::try_from(place).ok()?))
    }

    /// Returns the character or the command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Parenthesis => "(",
            Self::Command(place) => BASH_COMMANDS[usize::from(place)],
        }
    }
}

/// Returns whether a line begins with `NAME=(`.
fn is_array(line: &[u8]) -> bool {
    line.windows(2).position(|bytes| bytes == b"=(").is_some_and(|equals| is_variable_name(&line[..equals]))
}

/// Returns whether a line begins with `function NAME(` or `function NAME (`.
fn is_function(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"function").filter(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"))
    else {
        return false;
    };
    let rest = trim_blanks(rest);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let length = rest.iter().take_while(|byte| is_name(byte)).count();
    length > 0 && trim_blanks(&rest[length..]).starts_with(b"(")
}
