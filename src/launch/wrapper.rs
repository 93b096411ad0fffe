//! What wrappers start, by their arguments: the options of each, as its own source reads them.
//!
//! Does not guess: an option that is not listed here, or that ends the wrapper, ends the following.

use super::program_kind::LauncherKind;

/// The options that change nothing of what is started: alone, with a value, and those that are words.
struct WrapperOptions {
    flags: &'static [u8],
    valued_flags: &'static [u8],
    long_flags: &'static [&'static [u8]],
    long_valued_flags: &'static [&'static [u8]],
    /// Whether options end at the first operand in every libc. Without a `+`, glibc's getopt(3) goes on behind it, and
    /// musl's does not.
    stops_at_operand: bool,
}

/// `OPT_STRING` in `src/tini.c`; `-h`, `-l` and `--version` start nothing.
const TINI: WrapperOptions = WrapperOptions {
    flags: b"svwg",
    valued_flags: b"pe",
    long_flags: &[],
    long_valued_flags: &[],
    stops_at_operand: false,
};

/// `parse_command` in `dumb-init.c`.
const DUMB_INIT: WrapperOptions = WrapperOptions {
    flags: b"cv",
    valued_flags: b"r",
    long_flags: &[b"--single-child", b"--verbose"],
    long_valued_flags: &[b"--rewrite"],
    stops_at_operand: true,
};

/// `main` in `catatonit.c`; with `-P` nothing is started.
const CATATONIT: WrapperOptions =
    WrapperOptions { flags: b"g", valued_flags: b"", long_flags: &[], long_valued_flags: &[], stops_at_operand: false };

/// What is started next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrappedCommand<'a> {
    pub(super) argv: &'a [Vec<u8>],
    /// The user to become, where it is another than root.
    pub(super) user: TargetUser,
}

/// Whom a wrapper becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetUser {
    Same,
    /// Root by name, which `/etc/passwd` must know.
    Root,
    Other,
}

/// What a wrapper with these arguments, its own name first, starts; nothing, where that is not certain.
pub(super) fn parse_wrapper_arguments(kind: LauncherKind, argv: &[Vec<u8>]) -> Option<WrappedCommand<'_>> {
    let arguments = argv.get(1..)?;
    let (argv, user) = match kind {
        LauncherKind::Tini => (skip_options(&TINI, arguments)?, TargetUser::Same),
        LauncherKind::DumbInit => (skip_options(&DUMB_INIT, arguments)?, TargetUser::Same),
        LauncherKind::Catatonit => (skip_options(&CATATONIT, arguments)?, TargetUser::Same),
        LauncherKind::Gosu | LauncherKind::SuExec => {
            let (user, argv) = arguments.split_first()?;
            (argv, parse_target_user(user)?)
        }
        LauncherKind::Env | LauncherKind::Shell => return None,
    };
    (!argv.is_empty()).then_some(WrappedCommand { argv, user })
}

/// `SetupUser` of gosu and `main` of su-exec take `USER[:GROUP]`.
fn parse_target_user(user: &[u8]) -> Option<TargetUser> {
    match user {
        b"0:0" => Some(TargetUser::Same),
        b"0" | b"root" | b"root:root" | b"root:0" | b"0:root" => Some(TargetUser::Root),
        _ if user.is_empty() || user.starts_with(b"-") || user.starts_with(b":") => None,
        _ => Some(TargetUser::Other),
    }
}

/// getopt(3) and its long form.
fn skip_options<'a>(options: &WrapperOptions, mut arguments: &'a [Vec<u8>]) -> Option<&'a [Vec<u8>]> {
    loop {
        let (first, rest) = arguments.split_first()?;
        let (is_long, equals) = (first.starts_with(b"--"), first.iter().position(|byte| *byte == b'='));
        let takes = match first.as_slice() {
            b"--" => return Some(rest),
            _ if !first.starts_with(b"-") || first == b"-" => break,
            _ if options.long_flags.contains(&first.as_slice()) => 0,
            _ if options.long_valued_flags.contains(&first.as_slice()) => 1,
            _ if is_long => equals.filter(|end| options.long_valued_flags.contains(&&first[..*end])).map(|_| 0)?,
            letters => count_flag_values(options, &letters[1..])?,
        };
        arguments = rest.get(takes..)?;
    }
    let later = |argument: &Vec<u8>| argument.starts_with(b"-") && argument != b"-";
    (options.stops_at_operand || !arguments.iter().any(later)).then_some(arguments)
}

/// How many of the next arguments these letters take.
fn count_flag_values(options: &WrapperOptions, letters: &[u8]) -> Option<usize> {
    let valued = letters.iter().position(|letter| options.valued_flags.contains(letter));
    let alone = &letters[..valued.unwrap_or(letters.len())];
    let takes = usize::from(valued.is_some_and(|at| at + 1 == letters.len()));
    alone.iter().all(|letter| options.flags.contains(letter)).then_some(takes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn options_that_change_nothing_are_passed() {
        use TargetUser::{Other, Root, Same};
        for (kind, line, expected, user) in [
            (LauncherKind::Tini, "tini app", "app", Same),
            (LauncherKind::Tini, "tini -- app -x --", "app -x --", Same),
            (LauncherKind::Tini, "tini -g -vvv -sw -p SIGKILL -e 143 -e0 -pSIGTERM -- app", "app", Same),
            (LauncherKind::Tini, "tini -gp SIGKILL app x -", "app x -", Same),
            (LauncherKind::DumbInit, "dumb-init app -x --y", "app -x --y", Same),
            (
                LauncherKind::DumbInit,
                "dumb-init -cv -r 15:2 -r15:3 --rewrite 1:2 --rewrite=3:4 --verbose app",
                "app",
                Same,
            ),
            (LauncherKind::DumbInit, "dumb-init --single-child -- app", "app", Same),
            (LauncherKind::Catatonit, "catatonit -g -- app -x", "app -x", Same),
            (LauncherKind::Catatonit, "catatonit app", "app", Same),
            (LauncherKind::Gosu, "gosu 0:0 app -x", "app -x", Same),
            (LauncherKind::Gosu, "gosu root app", "app", Root),
            (LauncherKind::SuExec, "su-exec nobody:nogroup app", "app", Other),
            (LauncherKind::SuExec, "su-exec 1000 app", "app", Other),
        ] {
            let (argv, expected) = (words(line), words(expected));
            assert_eq!(parse_wrapper_arguments(kind, &argv), Some(WrappedCommand { argv: &expected, user }), "{line}");
        }
    }

    #[test]
    fn what_is_not_known_or_starts_nothing_is_not_followed() {
        for (kind, line) in [
            (LauncherKind::Tini, "tini"),
            (LauncherKind::Tini, "tini --"),
            (LauncherKind::Tini, "tini --version"),
            (LauncherKind::Tini, "tini -h app"),
            (LauncherKind::Tini, "tini -l -- app"),
            (LauncherKind::Tini, "tini -p"),
            (LauncherKind::Tini, "tini -R A -- app"),
            (LauncherKind::Tini, "tini app -x"),
            (LauncherKind::Tini, "tini app -- -x"),
            (LauncherKind::DumbInit, "dumb-init -h"),
            (LauncherKind::DumbInit, "dumb-init -V app"),
            (LauncherKind::DumbInit, "dumb-init --verb app"),
            (LauncherKind::DumbInit, "dumb-init --verbose=1 app"),
            (LauncherKind::DumbInit, "dumb-init -r"),
            (LauncherKind::Catatonit, "catatonit -P"),
            (LauncherKind::Catatonit, "catatonit --version app"),
            (LauncherKind::Catatonit, "catatonit app -x"),
            (LauncherKind::Gosu, "gosu"),
            (LauncherKind::Gosu, "gosu root"),
            (LauncherKind::Gosu, "gosu --version app"),
            (LauncherKind::SuExec, "su-exec :1 app"),
            (LauncherKind::SuExec, "su-exec  app"),
        ] {
            assert_eq!(parse_wrapper_arguments(kind, &words(line)), None, "{line}");
        }
    }
}
