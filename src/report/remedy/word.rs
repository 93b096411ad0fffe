//! Remedies for single words of a command: several words in one, variables that nothing expands, and accounts that the
//! image does not define.

use crate::exec::{AccountKind, Defect, FileRole};
use crate::launch::Launcher;
use crate::oci::ProcessConfig;
use crate::report::model::{FaultCase, Remedy};
use crate::verdict::FailedProgram;

/// The maximum number of words of an instruction in a remedy. Longer ones are only described.
const MAX_WORDS: usize = 16;

/// What to write instead of one word with blanks.
const EACH_WORD: &str =
    "Write each argument as a JSON string of its own, because neither quotes nor the exec form split words";

impl FaultCase<'_> {
    /// Suggests what fixes a program's name that should be several words, or contains a variable; `None` if it is an
    /// ordinary name.
    pub(super) fn word_remedies(&self, program: &FailedProgram) -> Option<Vec<Remedy>> {
        let name = std::str::from_utf8(&program.cause.path).ok()?;
        if program.cause.defect != Defect::Missing {
            return None;
        }
        match program.cause.role {
            FileRole::Interpreter if program.launcher == Launcher::Wrapper("env") && name.contains(' ') => {
                Some(split_env_remedies(name))
            }
            FileRole::Program => self.exec_form_remedy(program, name).map(|remedy| vec![remedy]),
            FileRole::Interpreter | FileRole::Loader | FileRole::Argument => None,
        }
    }

    fn exec_form_remedy(&self, program: &FailedProgram, name: &str) -> Option<Remedy> {
        let process = &self.platform_image()?.process;
        let quoted = |word: &String| word.trim_matches(['"', '\'']) == name;
        let (at, replaced) = match process.argv.iter().position(|word| word == name) {
            Some(at) => (at, 1),
            // `CMD "app -x"` is the shell form: the shell takes what is in quotes for a name.
            None => match process.argv.as_slice() {
                [_, flag, command] if flag == "-c" && quoted(command) => (2, 3),
                _ => return None,
            },
        };
        let instruction = if at < process.entrypoint_words { "ENTRYPOINT" } else { "CMD" };
        if name.contains('$') && replaced == 1 {
            return Some(Remedy::advice_only(format!(
                "The exec form expands no variables: write the program's path, or use the shell form, in which a shell \
                 expands them: `{instruction} exec …`"
            )));
        }
        let first = name.split_ascii_whitespace().next().filter(|first| first.len() < name.len())?;
        // Without such a program, the name may be that of a file with blanks.
        let similar = program.cause.similar.as_deref()?;
        let is_first = similar == first.as_bytes() || !first.contains('/') && similar.ends_with(first.as_bytes());
        is_first.then(|| match split_word(process, at, replaced, name) {
            Some(words) => Remedy::with_command(EACH_WORD, format!("{instruction} [{words}]")),
            None => Remedy::advice_only(format!("In {instruction}, write each argument as a JSON string of its own")),
        })
    }
}

/// Returns the instruction's words as JSON strings, with those of `name` for the `replaced` words that end at `at`;
/// `None` if they are not all plain.
fn split_word(process: &ProcessConfig, at: usize, replaced: usize, name: &str) -> Option<String> {
    let argv = process.argv.as_slice();
    let (start, end) = if at < process.entrypoint_words {
        (0, process.entrypoint_words)
    } else {
        (process.entrypoint_words, argv.len())
    };
    let before = argv.get(start..(at + 1).checked_sub(replaced)?)?.iter().map(String::as_str);
    let after = argv.get(at + 1..end)?.iter().map(String::as_str);
    let words: Vec<&str> = before.chain(name.split_ascii_whitespace()).chain(after).take(MAX_WORDS + 1).collect();
    let is_plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-=:,@+%".contains(c));
    let is_short = words.len() <= MAX_WORDS;
    (is_short && words.iter().all(is_plain))
        .then(|| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
}

/// Suggests what fixes `#!/usr/bin/env python3 -u`: the kernel passes everything after the interpreter as one argument
/// (`load_script` in `fs/binfmt_script.c`).
fn split_env_remedies(words: &str) -> Vec<Remedy> {
    let is_plain = words.chars().all(|c| c.is_ascii_alphanumeric() || "/._-= ".contains(c));
    let line = format!("#!/usr/bin/env -S {}", if is_plain { words } else { "PROGRAM ARGUMENTS" });
    vec![
        Remedy::with_command("Let env of GNU coreutils split the words of the script's first line", line),
        Remedy::advice_only(
            "Or name the interpreter by its path, with at most one argument: env of BusyBox has no `-S`",
        ),
    ]
}

/// Suggests what fixes an unknown user or group in the arguments of a program that changes the user.
pub(super) fn account_remedies(kind: AccountKind, program: &FailedProgram) -> Vec<Remedy> {
    let ((noun, _), file, number) = (kind.words(), kind.file(), account_number(&program.path));
    let Launcher::Wrapper(wrapper) = program.launcher else { return Vec::new() };
    let command = match (wrapper, kind) {
        ("setpriv", AccountKind::User) => format!("setpriv --reuid={number} --clear-groups …"),
        ("setpriv", AccountKind::Group) => format!("setpriv --regid={number} --clear-groups …"),
        _ => format!("{wrapper} {number}:{number} …"),
    };
    vec![
        Remedy::advice_only(format!("Name the {noun} by its number, which needs no entry in {file}: `{command}`")),
        Remedy::advice_only(format!("Or create the {noun} in the last stage of the Dockerfile")),
    ]
}

/// Returns the number to suggest for an account: that of root, or one that is not privileged.
pub(super) fn account_number(name: &str) -> u32 {
    if name == "root" { 0 } else { 1000 }
}
