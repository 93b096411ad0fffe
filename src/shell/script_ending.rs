//! The lines with which a script runs its arguments.

use super::bash_feature::BashFeature;
use super::command::is_builtin;
use super::harmless_line::{is_literal, trim_blanks};
use super::options::is_blank;

/// How a script runs its arguments at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScriptEnding {
    /// With `exec` (POSIX XCU 2.14), and each argument as one word.
    Exec,
    /// With `exec`, and split into words.
    ExecSplit,
    /// As the last command, and each argument as one word.
    Call,
    /// Not at all in dash, which stops at an earlier line with syntax or a command of bash.
    StopsInDash(BashFeature),
}

/// The lines to find. Only the end of a command may follow them.
const ENDINGS: [(&[u8], ScriptEnding); 6] = [
    (b"exec \"$@\"", ScriptEnding::Exec),
    (b"exec \"${@}\"", ScriptEnding::Exec),
    (b"exec $@", ScriptEnding::ExecSplit),
    (b"exec $*", ScriptEnding::ExecSplit),
    (b"\"$@\"", ScriptEnding::Call),
    (b"\"${@}\"", ScriptEnding::Call),
];

impl ScriptEnding {
    /// Returns whether the shell replaces itself.
    pub(crate) fn is_exec(self) -> bool {
        self != Self::Call
    }

    /// Returns whether these arguments certainly run unchanged as a program: the first is not an option of `exec` or a
    /// builtin, and none is split or expanded.
    pub(crate) fn runs_unchanged(self, arguments: &[Vec<u8>]) -> bool {
        let is_plain = |word: &Vec<u8>| !word.is_empty() && word.iter().all(|byte| is_literal(*byte));
        arguments.first().is_some_and(|name| match self {
            Self::Exec => !name.starts_with(b"-"),
            Self::ExecSplit => !name.starts_with(b"-") && arguments.iter().all(is_plain),
            Self::Call => !is_builtin(name),
            Self::StopsInDash(_) => false,
        })
    }
}

/// Returns how a line runs the script's arguments, if it does, and ends its commands.
pub(super) fn find_ending(line: &[u8]) -> Option<ScriptEnding> {
    let line = trim_blanks(line);
    let (rest, ending) = ENDINGS.iter().find_map(|(text, ending)| Some((line.strip_prefix(*text)?, *ending)))?;
    let is_end = match trim_blanks(rest) {
        b"" | b";" => true,
        comment => comment.starts_with(b"#") && rest.first().copied().is_some_and(is_blank),
    };
    is_end.then_some(ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_must_not_be_split_or_run_by_the_shell() {
        use ScriptEnding::{Call, Exec, ExecSplit};
        for (line, endings) in [
            ("app", [true; 3]),
            ("/app|-x|a=b", [true; 3]),
            ("app|a b", [true, false, true]),
            ("app|*", [true, false, true]),
            ("app||x", [true, false, true]),
            ("echo|x", [true, true, false]),
            ("-x", [false, false, true]),
        ] {
            let arguments: Vec<Vec<u8>> = line.split('|').map(Vec::from).collect();
            assert_eq!([Exec, ExecSplit, Call].map(|ending| ending.runs_unchanged(&arguments)), endings, "{line}");
        }
        assert!(!Exec.runs_unchanged(&[]));
    }
}
