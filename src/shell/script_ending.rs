//! The lines with which a script runs its arguments or a program.

use super::bash_feature::BashFeature;
use super::command::{ShellCommand, is_builtin, parse_first_command};
use super::harmless_line::{is_literal, split_words, trim_blanks};
use super::options::is_blank;

/// How a script runs its arguments or a program at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScriptEnding {
    /// With `exec` (POSIX XCU 2.14), and each argument as one word.
    Exec,
    /// With `exec`, and split into words.
    ExecSplit,
    /// As the last command, and each argument as one word.
    Call,
    /// With `exec` and the name of a program, which this line states. It may be continued on further lines.
    Program(Box<[u8]>),
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
    /// Returns the number of bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        if let Self::Program(line) = self { line.len() } else { 0 }
    }

    /// Returns the command that a script with these arguments certainly ends with. Arguments must run unchanged as a
    /// program: the first is not an option of `exec` or a builtin, and none is split or expanded. With `has_nounset`, the
    /// shell exits at an unset variable.
    pub(crate) fn find_command(&self, arguments: &[Vec<u8>], has_nounset: bool) -> Option<ShellCommand> {
        let is_plain = |word: &Vec<u8>| !word.is_empty() && word.iter().all(|byte| is_literal(*byte));
        let is_option = |name: &Vec<u8>| name.starts_with(b"-");
        let name = arguments.first();
        let runs_unchanged = match self {
            Self::Exec => !is_option(name?),
            Self::ExecSplit => !is_option(name?) && arguments.iter().all(is_plain),
            Self::Call => !is_builtin(name?),
            Self::Program(line) => return parse_first_command(line, arguments, has_nounset),
            Self::StopsInDash(_) => false,
        };
        runs_unchanged.then(|| ShellCommand::new(arguments.to_vec(), *self != Self::Call))
    }
}

/// Returns how a line runs the script's arguments, if it does, and ends its commands.
pub(super) fn find_ending(line: &[u8]) -> Option<ScriptEnding> {
    let line = trim_blanks(line);
    let (rest, ending) = ENDINGS.iter().find_map(|(text, ending)| Some((line.strip_prefix(*text)?, ending.clone())))?;
    let is_end = match trim_blanks(rest) {
        b"" | b";" => true,
        comment => comment.starts_with(b"#") && rest.first().copied().is_some_and(is_blank),
    };
    is_end.then_some(ending)
}

/// Returns whether a line begins with the command `exec`.
pub(super) fn begins_with_exec(line: &[u8]) -> bool {
    split_words(line).next() == Some(b"exec")
}

/// Returns the ending of a line that begins with `exec`, if it certainly replaces the shell with a program, whose name
/// does not depend on a variable. Arguments may.
pub(super) fn find_exec_of_program(line: &[u8], has_nounset: bool) -> Option<ScriptEnding> {
    parse_first_command(line, &[], has_nounset)?;
    (begins_with_exec(line) && !line.contains(&0)).then(|| ScriptEnding::Program(trim_blanks(line).into()))
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
            let found = [Exec, ExecSplit, Call].map(|ending| ending.find_command(&arguments, false).is_some());
            assert_eq!(found, endings, "{line}");
        }
        assert_eq!(Exec.find_command(&[], false), None);
    }

    #[test]
    fn exec_of_a_program_needs_its_name() {
        for (line, expected) in [
            ("exec /app", Some("/app")),
            ("  exec\tapp  x ", Some("app|x")),
            ("exec nginx -g 'daemon off;'", Some("nginx|-g|daemon off;")),
            ("exec \"java\" -jar /app.jar", Some("java|-jar|/app.jar")),
            ("exec java $JAVA_OPTS -jar /app.jar", Some("java ...")),
            ("exec app \"$@\"", Some("app ...")),
            ("exec app 2>&1", Some("app ...")),
            ("exec gunicorn \\\n  -b :80 \\\n  app", Some("gunicorn|-b|:80|app")),
            ("exec app\r", Some("app\r")),
            ("exec \"$JAVA_HOME/bin/java\"", None),
            ("exec $APP", None),
            ("exec > /log", None),
            ("exec >/dev/null", None),
            ("exec 3<&0", None),
            ("exec 2>&1", None),
            ("exec -a name app", None),
            ("exec", None),
            ("exec app &", None),
            ("exec app | tee /log", None),
            ("exec app || app", None),
            ("exec app; x", None),
            ("exec app >/log", None),
            ("exec app $(id)", None),
            ("exec app 'x", None),
            ("exec app # x", None),
            ("exec app \\", None),
            ("exec app\\\nx", None),
            ("exec app\0", None),
            ("app", None),
            ("A=1 exec app", None),
            ("executor x", None),
        ] {
            let ending = find_exec_of_program(line.as_bytes(), false);
            let command = ending.and_then(|ending| ending.find_command(&[], false));
            let found = command.map(|command| {
                assert!(command.is_exec && command.directory.is_none() && !command.has_more_commands, "{line}");
                let more = if command.is_complete { "" } else { " ..." };
                String::from_utf8_lossy(&command.argv.join(b"|".as_slice())).into_owned() + more
            });
            assert_eq!(found.as_deref(), expected, "{line}");
        }
        let variable = find_exec_of_program(b"exec app $X", false).unwrap();
        assert!(variable.find_command(&[], false).is_some() && variable.find_command(&[], true).is_none());
        assert_eq!(find_exec_of_program(b"exec app $X", true), None);
    }
}
