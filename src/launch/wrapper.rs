//! What wrappers start, by their arguments: the options of each, as its own source reads them.
//!
//! Does not guess: an option that is not listed here, or that ends the wrapper, ends the following.

use super::recognise::Kind;

/// The options that change nothing of what is started: alone, with a value, and those that are words.
struct Options {
    alone: &'static [u8],
    valued: &'static [u8],
    long: &'static [&'static [u8]],
    long_valued: &'static [&'static [u8]],
    /// Whether options end at the first operand in every libc. Without a `+`, glibc's getopt(3) goes on behind it, and
    /// musl's does not.
    ends: bool,
}

/// `OPT_STRING` in `src/tini.c`; `-h`, `-l` and `--version` start nothing.
const TINI: Options = Options { alone: b"svwg", valued: b"pe", long: &[], long_valued: &[], ends: false };

/// `parse_command` in `dumb-init.c`.
const DUMB_INIT: Options = Options {
    alone: b"cv",
    valued: b"r",
    long: &[b"--single-child", b"--verbose"],
    long_valued: &[b"--rewrite"],
    ends: true,
};

/// `main` in `catatonit.c`; with `-P` nothing is started.
const CATATONIT: Options = Options { alone: b"g", valued: b"", long: &[], long_valued: &[], ends: false };

/// What is started next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrapped<'a> {
    pub(super) argv: &'a [Vec<u8>],
    /// The user to become, where it is another than root.
    pub(super) user: Became,
}

/// Whom a wrapper becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    Same,
    /// Root by name, which `/etc/passwd` must know.
    Root,
    Other,
}

/// What a wrapper with these arguments, its own name first, starts; nothing, where that is not certain.
pub(super) fn wrapped(kind: Kind, argv: &[Vec<u8>]) -> Option<Wrapped<'_>> {
    let arguments = argv.get(1..)?;
    let (argv, user) = match kind {
        Kind::Tini => (operands(&TINI, arguments)?, Became::Same),
        Kind::DumbInit => (operands(&DUMB_INIT, arguments)?, Became::Same),
        Kind::Catatonit => (operands(&CATATONIT, arguments)?, Became::Same),
        Kind::Gosu | Kind::SuExec => {
            let (user, argv) = arguments.split_first()?;
            (argv, became(user)?)
        }
        Kind::Env | Kind::Shell => return None,
    };
    (!argv.is_empty()).then_some(Wrapped { argv, user })
}

/// `SetupUser` of gosu and `main` of su-exec take `USER[:GROUP]`.
fn became(user: &[u8]) -> Option<Became> {
    match user {
        b"0:0" => Some(Became::Same),
        b"0" | b"root" | b"root:root" | b"root:0" | b"0:root" => Some(Became::Root),
        _ if user.is_empty() || user.starts_with(b"-") || user.starts_with(b":") => None,
        _ => Some(Became::Other),
    }
}

/// getopt(3) and its long form.
fn operands<'a>(options: &Options, mut arguments: &'a [Vec<u8>]) -> Option<&'a [Vec<u8>]> {
    loop {
        let (first, rest) = arguments.split_first()?;
        let (is_long, equals) = (first.starts_with(b"--"), first.iter().position(|byte| *byte == b'='));
        let takes = match first.as_slice() {
            b"--" => return Some(rest),
            _ if !first.starts_with(b"-") || first == b"-" => break,
            _ if options.long.contains(&first.as_slice()) => 0,
            _ if options.long_valued.contains(&first.as_slice()) => 1,
            _ if is_long => equals.filter(|end| options.long_valued.contains(&&first[..*end])).map(|_| 0)?,
            letters => short(options, &letters[1..])?,
        };
        arguments = rest.get(takes..)?;
    }
    let later = |argument: &Vec<u8>| argument.starts_with(b"-") && argument != b"-";
    (options.ends || !arguments.iter().any(later)).then_some(arguments)
}

/// How many of the next arguments these letters take.
fn short(options: &Options, letters: &[u8]) -> Option<usize> {
    let valued = letters.iter().position(|letter| options.valued.contains(letter));
    let alone = &letters[..valued.unwrap_or(letters.len())];
    let takes = usize::from(valued.is_some_and(|at| at + 1 == letters.len()));
    alone.iter().all(|letter| options.alone.contains(letter)).then_some(takes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn options_that_change_nothing_are_passed() {
        use Became::{Other, Root, Same};
        for (kind, line, expected, user) in [
            (Kind::Tini, "tini app", "app", Same),
            (Kind::Tini, "tini -- app -x --", "app -x --", Same),
            (Kind::Tini, "tini -g -vvv -sw -p SIGKILL -e 143 -e0 -pSIGTERM -- app", "app", Same),
            (Kind::Tini, "tini -gp SIGKILL app x -", "app x -", Same),
            (Kind::DumbInit, "dumb-init app -x --y", "app -x --y", Same),
            (Kind::DumbInit, "dumb-init -cv -r 15:2 -r15:3 --rewrite 1:2 --rewrite=3:4 --verbose app", "app", Same),
            (Kind::DumbInit, "dumb-init --single-child -- app", "app", Same),
            (Kind::Catatonit, "catatonit -g -- app -x", "app -x", Same),
            (Kind::Catatonit, "catatonit app", "app", Same),
            (Kind::Gosu, "gosu 0:0 app -x", "app -x", Same),
            (Kind::Gosu, "gosu root app", "app", Root),
            (Kind::SuExec, "su-exec nobody:nogroup app", "app", Other),
            (Kind::SuExec, "su-exec 1000 app", "app", Other),
        ] {
            let (argv, expected) = (words(line), words(expected));
            assert_eq!(wrapped(kind, &argv), Some(Wrapped { argv: &expected, user }), "{line}");
        }
    }

    #[test]
    fn what_is_not_known_or_starts_nothing_is_not_followed() {
        for (kind, line) in [
            (Kind::Tini, "tini"),
            (Kind::Tini, "tini --"),
            (Kind::Tini, "tini --version"),
            (Kind::Tini, "tini -h app"),
            (Kind::Tini, "tini -l -- app"),
            (Kind::Tini, "tini -p"),
            (Kind::Tini, "tini -R A -- app"),
            (Kind::Tini, "tini app -x"),
            (Kind::Tini, "tini app -- -x"),
            (Kind::DumbInit, "dumb-init -h"),
            (Kind::DumbInit, "dumb-init -V app"),
            (Kind::DumbInit, "dumb-init --verb app"),
            (Kind::DumbInit, "dumb-init --verbose=1 app"),
            (Kind::DumbInit, "dumb-init -r"),
            (Kind::Catatonit, "catatonit -P"),
            (Kind::Catatonit, "catatonit --version app"),
            (Kind::Catatonit, "catatonit app -x"),
            (Kind::Gosu, "gosu"),
            (Kind::Gosu, "gosu root"),
            (Kind::Gosu, "gosu --version app"),
            (Kind::SuExec, "su-exec :1 app"),
            (Kind::SuExec, "su-exec  app"),
        ] {
            assert_eq!(wrapped(kind, &words(line)), None, "{line}");
        }
    }
}
