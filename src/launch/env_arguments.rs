//! Parses the arguments of env(1) as its sources do.

use crate::oci::{is_node_hook, is_startup_variable};

/// The command that env starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EnvCommand {
    pub(super) argv: Vec<Vec<u8>>,
    /// The new `PATH`; `None` if it is unset, for which each libc has its own default.
    pub(super) search_path: Option<Vec<u8>>,
}

/// Parses the arguments of env(1), including `argv[0]`: `src/env.c` of coreutils, and the options that
/// `coreutils/env.c` of busybox shares. Returns `None` if it is not certain what it starts, for options that change the
/// directory (`-C`) or signals, and for variables with which programs run other code first. `has_split` is whether it
/// supports `-S`, as only env of coreutils does.
pub(super) fn parse_env_arguments(argv: &[Vec<u8>], search: Option<&[u8]>, has_split: bool) -> Option<EnvCommand> {
    let mut rest: Vec<Vec<u8>> = argv.get(1..)?.to_vec();
    let mut search = search.map(<[u8]>::to_vec);
    while rest.first().is_some_and(|first| first.starts_with(b"-")) {
        let first = rest.remove(0);
        let (option, value) = first.split_at(first.len().min(2));
        let mut take_value = || match value {
            b"" => (!rest.is_empty()).then(|| rest.remove(0)),
            _ => Some(value.to_vec()),
        };
        match (option, first.as_slice()) {
            (_, b"--") => break,
            (_, b"-" | b"-i" | b"--ignore-environment") => search = None,
            (b"-u", _) => {
                let name = take_value()?;
                search = search.filter(|_| name != b"PATH");
            }
            (b"-S", _) if has_split => {
                let words = split_string(&take_value()?)?;
                rest.splice(..0, words);
            }
            _ => return None,
        }
    }
    let operands = rest.iter().take_while(|word| word.contains(&b'=')).count();
    for assignment in rest.drain(..operands) {
        if let Some(value) = assignment.strip_prefix(b"PATH=") {
            search = Some(value.to_vec());
        }
        let loads_code = |variable: &str| is_startup_variable(variable) || is_node_hook(variable);
        if std::str::from_utf8(&assignment).map_or(true, loads_code) {
            return None;
        }
    }
    (!rest.is_empty()).then_some(EnvCommand { argv: rest, search_path: search })
}

/// Splits a string as `build_argv` does, unless it contains quotes, escapes, variables or comments.
fn split_string(string: &[u8]) -> Option<Vec<Vec<u8>>> {
    if string.iter().any(|byte| b"\"'\\$#\r\x0b\x0c".contains(byte)) {
        return None;
    }
    let words = string.split(|byte| b" \t\n".contains(byte)).filter(|word| !word.is_empty());
    Some(words.map(<[u8]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a line at commas, and parses it as the arguments of env with `PATH=/bin`.
    fn parse_env(line: &str, has_split: bool) -> Option<EnvCommand> {
        let argv: Vec<Vec<u8>> = ["env"].into_iter().chain(line.split_terminator(',')).map(Vec::from).collect();
        parse_env_arguments(&argv, Some(b"/bin"), has_split)
    }

    #[test]
    fn command_of_env_follows_options_and_variables() {
        for (line, expected, search) in [
            ("app,-x,A=1", "app,-x,A=1", Some("/bin")),
            ("A=1,B=,app", "app", Some("/bin")),
            ("--,A=1,app", "app", Some("/bin")),
            ("PATH=/x,app", "app", Some("/x")),
            ("NODE_OPTIONS=--no-warnings,ENV=test,LD_PRELOAD=,app", "app", Some("/bin")),
            ("-i,app", "app", None),
            ("-,PATH=/x,app", "app", Some("/x")),
            ("-u,A,-uB,app", "app", Some("/bin")),
            ("-u,PATH,app", "app", None),
            ("-S node  --flag,/script", "node,--flag,/script", Some("/bin")),
            ("-S,-i PATH=/y node,/script", "node,/script", Some("/y")),
            ("node --flag,/script", "node --flag,/script", Some("/bin")),
        ] {
            let argv = expected.split(',').map(Vec::from).collect();
            let search_path = search.map(Vec::from);
            assert_eq!(parse_env(line, true), Some(EnvCommand { argv, search_path }), "{line}");
        }
    }

    #[test]
    fn other_options_of_env_are_not_followed() {
        for line in [
            "", "A=1", "-u", "-C,/,app", "-0,app", "-iu,A,app", "--unset=A,app", "-S,node '--flag'", "-S,node ${A}",
            "-S,node \\c", "-S", "--version", "NODE_OPTIONS=--import=tsx,node", "-S,NODE_OPTIONS=-rtsx node",
            "LD_PRELOAD=/x.so,app", "BASH_ENV=/x,bash",
        ] {
            assert_eq!(parse_env(line, true), None, "{line}");
        }
        assert_eq!(parse_env("-S,node", false), None);
    }
}
