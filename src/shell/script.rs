//! Scans a shell script for an end like `exec "$@"`, which runs the script's arguments unchanged, or `exec PROGRAM`.
//!
//! The lines before it must be among the few that certainly change nothing. Any other line makes the result unknown,
//! except one at which dash stops.

use super::bash_feature::BashFeature;
use super::harmless_line::{is_harmless_line, split_words, trim_blanks};
use super::options::{enables_nounset, sets_errexit};
use super::script_ending::{ScriptEnding, begins_with_exec, find_ending, find_exec_of_program};
use crate::path::split_parent;

/// Scripts that are longer or have longer lines are not followed.
const MAX_LINE_BYTES: usize = 1024;
const MAX_SCRIPT_BYTES: usize = 16 * 1024;

/// Scans a script that arrives in chunks. Only the current line is kept, with the lines that it continues.
#[derive(Debug, Default)]
pub(crate) struct ScriptScanner {
    line: Vec<u8>,
    bytes_read: usize,
    /// Whether option `errexit` is on.
    has_errexit: bool,
    /// Whether option `nounset` was turned on.
    has_nounset: bool,
    state: ScriptState,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum ScriptState {
    /// In the first line.
    #[default]
    Shebang,
    /// In a shell script whose lines so far change nothing.
    Body {
        is_bash: bool,
    },
    Ends(ScriptEnding),
    /// After the last command of a script, which only comments may follow.
    AfterCall,
    Unknown,
}

impl ScriptScanner {
    /// Processes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if matches!(self.state, ScriptState::Ends(_) | ScriptState::Unknown) {
                return;
            }
            self.bytes_read += 1;
            match byte {
                b'\n' if self.is_continued() => self.line.push(*byte),
                b'\n' => self.end_line(),
                // Any other file is given up at its first bytes.
                _ if self.state == ScriptState::Shebang
                    && self.bytes_read <= 2
                    && *byte != b"#!"[self.bytes_read - 1] =>
                {
                    self.give_up();
                }
                _ if self.line.len() == MAX_LINE_BYTES || self.bytes_read > MAX_SCRIPT_BYTES => self.give_up(),
                _ => self.line.push(*byte),
            }
        }
    }

    fn give_up(&mut self) {
        (self.state, self.line) = (ScriptState::Unknown, Vec::new());
    }

    /// Returns whether the next line continues a line that begins with `exec`.
    fn is_continued(&self) -> bool {
        matches!(self.state, ScriptState::Body { .. }) && self.line.ends_with(b"\\") && begins_with_exec(&self.line)
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.state = match std::mem::take(&mut self.state) {
            ScriptState::Shebang => parse_shell_name(&line)
                .map_or(ScriptState::Unknown, |name| ScriptState::Body { is_bash: name == b"bash" }),
            ScriptState::Body { .. } if let Some(ending) = find_ending(&line) => match ending {
                ScriptEnding::Call => ScriptState::AfterCall,
                _ => ScriptState::Ends(ending),
            },
            ScriptState::Body { .. } if let Some(ending) = find_exec_of_program(&line, self.has_nounset) => {
                ScriptState::Ends(ending)
            }
            ScriptState::Body { is_bash } if is_harmless_line(&line, is_bash) => {
                self.has_errexit = sets_errexit(&line).unwrap_or(self.has_errexit);
                let words: Vec<&[u8]> = split_words(&line).collect();
                self.has_nounset |= matches!(words.as_slice(), [b"set", options @ ..] if enables_nounset(options));
                ScriptState::Body { is_bash }
            }
            ScriptState::Body { .. } if let Some(feature) = BashFeature::find(&line, self.has_errexit) => {
                ScriptState::Ends(ScriptEnding::StopsInDash(feature))
            }
            ScriptState::AfterCall if matches!(trim_blanks(&line), [] | [b'#', ..]) => ScriptState::AfterCall,
            ScriptState::Ends(ending) => ScriptState::Ends(ending),
            _ => ScriptState::Unknown,
        };
    }

    /// Ends the file and returns how the script certainly runs its arguments, if it does.
    pub(crate) fn finish(mut self) -> Option<ScriptEnding> {
        self.end_line();
        match self.state {
            ScriptState::Ends(ending) => Some(ending),
            ScriptState::AfterCall => Some(ScriptEnding::Call),
            _ => None,
        }
    }
}

/// Returns whether the first line of a script names bash.
pub(crate) fn names_bash(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    parse_shell_name(line) == Some(b"bash")
}

/// Returns the shell that a first line names, directly or through `env`.
fn parse_shell_name(line: &[u8]) -> Option<&[u8]> {
    let words: Vec<&[u8]> = split_words(line.strip_prefix(b"#!")?).collect();
    let name = match words.as_slice() {
        [env, name] if split_parent(env).1 == b"env" => name,
        [path, ..] => split_parent(path).1,
        [] => return None,
    };
    [b"sh".as_slice(), b"bash", b"dash", b"ash"].contains(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_ending(script: &str, step: usize) -> Option<ScriptEnding> {
        let mut scanner = ScriptScanner::default();
        script.as_bytes().chunks(step).for_each(|chunk| scanner.push(chunk));
        scanner.finish()
    }

    fn execs_arguments(script: &str, step: usize) -> bool {
        find_ending(script, step) == Some(ScriptEnding::Exec)
    }

    #[test]
    fn other_endings_run_the_arguments_too() {
        for (lines, ending) in [
            ("exec \"${@}\"", Some(ScriptEnding::Exec)),
            ("exec $@\nfi", Some(ScriptEnding::ExecSplit)),
            ("exec $* # all", Some(ScriptEnding::ExecSplit)),
            ("\"$@\"", Some(ScriptEnding::Call)),
            ("set -e\n\"$@\"\n\n# end\n", Some(ScriptEnding::Call)),
            ("\"$@\"\nexit 0", None),
            ("\"$@\"\n:", None),
            ("\"$@\" &", None),
            ("$@", None),
            ("exec $@$@", None),
            ("exec \"$*\"", None),
        ] {
            assert_eq!(find_ending(&format!("#!/bin/sh\n{lines}"), 4096), ending, "{lines}");
        }
    }

    #[test]
    fn scripts_that_execute_their_arguments() {
        for script in [
            "#!/bin/sh\nexec \"$@\"\n",
            "#!/bin/sh\nexec \"$@\"",
            "#! /bin/sh -e\n\n# a comment \\\n\t # another; `x`\r\n  exec \"$@\" ; \nif\n",
            "#!/usr/bin/env bash\nset -Eeuo pipefail\nexec \"$@\" # the command\n",
            "#!/bin/dash\nset -e -u +x\nset -o nounset\numask 0027\n:\nexec \"$@\"",
            "#!/bin/sh\nA=1\nexport B='x'\nC=\"a:b\"\nD=\nexec \"$@\"",
            "#!/bin/sh\nexport NODE_OPTIONS=--max-old-space-size=512\nexec \"$@\"",
            "#!/bin/sh\necho \"start; of $0 with $*\" >&2\necho 'it (costs) $( | 1'\nprintf '%s' x\nexec \"$@\"",
        ] {
            for step in [1, 3, 4096] {
                assert!(execs_arguments(script, step), "{script}");
            }
        }
    }

    #[test]
    fn other_lines_make_it_unknown() {
        for line in [
            "if true; then", "cd /app", ". /env", "source /env", "shift", "set --", "set -- x", "set", "set -n",
            "set -o", "set -o pipefail", "set -E", "set -", "exit 1", "exec tini \"$@\"", "exec \"$@\" || true",
            "exec \"$@\"x", "exec \"$@\"#", "exec \"$*\"", "exec \"$@\"\r", "PATH=/x", "export PATH=/x", "export PATH",
            "BASH_ENV=/x", "LD_PRELOAD=/x", "A=$(id)", "A=$B", "A=1 exit", "A=(1)", "A+=1", "1=2", "export A=1 PATH=2",
            "echo x; exit", "echo `exit`", "echo $(exit)", "echo ${A:?}", "echo $A", "echo $1", "echo x > /proc/x",
            "echo \"open", "echo x \\", "echo x | cat", "echo() {", "echo x &", "printf -v PATH x", "printf",
            ": ${A:?}", "umask x", "cat <<E", "\0", "#\0", "alias x=y", "trap x EXIT", "ulimit -n 1",
            "export NODE_OPTIONS=--import=tsx", "NODE_OPTIONS='-r/x.js'", "OPTIND=x", "umask 1000", "umask",
            "printf %d abc", "printf '-v' PATH x", "printf {-v,PATH,x}", "printf '%s %q' x y",
        ] {
            assert!(!execs_arguments(&format!("#!/bin/sh\n{line}\nexec \"$@\"\n"), 4096), "{line}");
        }
    }

    #[test]
    fn other_files_and_long_scripts_are_not_followed() {
        let comments = "# long\n".repeat(MAX_SCRIPT_BYTES / 7 + 1);
        let longest = format!("#{}\n", "x".repeat(MAX_LINE_BYTES - 1));
        assert!(execs_arguments(&format!("#!/bin/sh\n{longest}exec \"$@\""), 4096));
        for lines in [
            "",
            "#!/usr/bin/python3\n",
            "#!/bin/sh\r\n",
            "#!/usr/bin/env -S bash -e\n",
            "#!\n",
            &format!("#!/bin/sh\n{comments}"),
            &format!("#!/bin/sh\n#{longest}"),
        ] {
            assert!(!execs_arguments(&format!("{lines}exec \"$@\"\n"), 4096), "{lines}");
        }
        for script in ["", "#!/bin/sh", "#!/bin/sh\n"] {
            assert!(!execs_arguments(script, 4096), "{script}");
        }
    }

    #[test]
    fn bash_features_stop_dash() {
        let feature = |lines: &str| match find_ending(&format!("#!/bin/sh\n{lines}\nexec \"$@\"\n"), 4096) {
            Some(ScriptEnding::StopsInDash(feature)) => Some(feature.name()),
            _ => None,
        };
        for (lines, expected) in [
            ("echo x\nA=(1 2)", Some("(")),
            ("function f() {", Some("(")),
            ("set -e\nsource /env", Some("source")),
            ("set -o errexit -u\n# x\n[[ -f /x ]]", Some("[[")),
            ("set -e\nfunction f {", Some("function")),
            ("source /env", None),
            ("set -e\nset +e\nsource /env", None),
            ("set -e\nsource /env || true", None),
            ("set -e\n[[ -f /x ]] && echo x", None),
            ("if true; then\nA=(1)", None),
            ("exec \"$@\"\nA=(1)", None),
            (". /env\nA=(1)", None),
            ("cat <<E\nA=(1)", None),
            ("f() {", None),
            ("A=$(id)", None),
            ("echo (", None),
            ("function_x (1)", None),
        ] {
            assert_eq!(feature(lines), expected, "{lines}");
        }
    }
}
