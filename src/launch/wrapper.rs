//! Parses the arguments of wrappers as their sources do. A program with an option that is not listed here, or with which
//! it starts nothing, is not followed.

use super::program_kind::Wrapper;

/// The options of a wrapper that do not affect what it starts: short and long ones, without and with a value.
struct WrapperOptions {
    flags: &'static [u8],
    valued_flags: &'static [u8],
    long_flags: &'static [&'static [u8]],
    long_valued_flags: &'static [&'static [u8]],
    /// Whether options end at the first operand in every libc. After it, glibc's getopt(3) continues unless the option
    /// string begins with `+`, and musl's never does.
    stops_at_operand: bool,
}

const NO_OPTIONS: WrapperOptions =
    WrapperOptions { flags: b"", valued_flags: b"", long_flags: &[], long_valued_flags: &[], stops_at_operand: false };

/// `OPT_STRING` in `src/tini.c`. With `-h`, `-l` and `--version` nothing is started.
const TINI: WrapperOptions = WrapperOptions { flags: b"svwg", valued_flags: b"pe", ..NO_OPTIONS };

/// `parse_command` in `dumb-init.c`.
const DUMB_INIT: WrapperOptions = WrapperOptions {
    flags: b"cv",
    valued_flags: b"r",
    long_flags: &[b"--single-child", b"--verbose"],
    long_valued_flags: &[b"--rewrite"],
    stops_at_operand: true,
};

/// `main` in `catatonit.c`. With `-P` nothing is started.
const CATATONIT: WrapperOptions = WrapperOptions { flags: b"g", ..NO_OPTIONS };

/// The user that a wrapper starts the command as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetUser {
    Same,
    /// Root by name, which `/etc/passwd` must contain.
    Root,
    Other,
}

/// Parses the arguments of an init, including `argv[0]`. Returns what it starts, if that is certain.
pub(super) fn parse_init_arguments(wrapper: Wrapper, argv: &[Vec<u8>]) -> Option<&[Vec<u8>]> {
    let options = match wrapper {
        Wrapper::Tini => &TINI,
        Wrapper::DumbInit => &DUMB_INIT,
        Wrapper::Catatonit => &CATATONIT,
        Wrapper::Gosu | Wrapper::SuExec | Wrapper::Setpriv => return None,
    };
    skip_options(options, argv.get(1..)?).filter(|command| !command.is_empty())
}

/// Parses the arguments of gosu or su-exec, including `argv[0]`. Returns what it starts as which user.
pub(super) fn parse_gosu_arguments(argv: &[Vec<u8>]) -> Option<(&[Vec<u8>], TargetUser)> {
    let (user, command) = argv.get(1..)?.split_first()?;
    let user = parse_target_user(user)?;
    (!command.is_empty()).then_some((command, user))
}

/// Parses `USER[:GROUP]`: `SetupUser` of gosu, `main` of su-exec.
fn parse_target_user(user: &[u8]) -> Option<TargetUser> {
    match user {
        b"0:0" => Some(TargetUser::Same),
        b"0" | b"root" | b"root:root" | b"root:0" | b"0:root" => Some(TargetUser::Root),
        _ if user.is_empty() || user.starts_with(b"-") || user.starts_with(b":") => None,
        _ => Some(TargetUser::Other),
    }
}

/// Skips short and long options as getopt(3) does.
fn skip_options<'a>(options: &WrapperOptions, mut arguments: &'a [Vec<u8>]) -> Option<&'a [Vec<u8>]> {
    loop {
        let (first, rest) = arguments.split_first()?;
        let (is_long, equals) = (first.starts_with(b"--"), first.iter().position(|byte| *byte == b'='));
        let value_count = match first.as_slice() {
            b"--" => return Some(rest),
            _ if !first.starts_with(b"-") || first == b"-" => break,
            _ if options.long_flags.contains(&first.as_slice()) => 0,
            _ if options.long_valued_flags.contains(&first.as_slice()) => 1,
            _ if is_long => equals.filter(|end| options.long_valued_flags.contains(&&first[..*end])).map(|_| 0)?,
            letters => count_flag_values(options, &letters[1..])?,
        };
        arguments = rest.get(value_count..)?;
    }
    let is_option = |argument: &Vec<u8>| argument.starts_with(b"-") && argument != b"-";
    (options.stops_at_operand || !arguments.iter().any(is_option)).then_some(arguments)
}

/// Returns how many of the next arguments are values of these letters.
fn count_flag_values(options: &WrapperOptions, letters: &[u8]) -> Option<usize> {
    let valued = letters.iter().position(|letter| options.valued_flags.contains(letter));
    let flags = &letters[..valued.unwrap_or(letters.len())];
    let count = usize::from(valued.is_some_and(|at| at + 1 == letters.len()));
    flags.iter().all(|letter| options.flags.contains(letter)).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(Vec::from).collect()
    }

    #[test]
    fn known_options_are_skipped() {
        use Wrapper::{Catatonit, DumbInit, Tini};
        for (wrapper, line, expected) in [
            (Tini, "tini app", "app"),
            (Tini, "tini -- app -x --", "app -x --"),
            (Tini, "tini -g -vvv -sw -p SIGKILL -e 143 -e0 -pSIGTERM -- app", "app"),
            (Tini, "tini -gp SIGKILL app x -", "app x -"),
            (DumbInit, "dumb-init app -x --y", "app -x --y"),
            (DumbInit, "dumb-init -cv -r 15:2 -r15:3 --rewrite 1:2 --rewrite=3:4 --verbose app", "app"),
            (DumbInit, "dumb-init --single-child -- app", "app"),
            (Catatonit, "catatonit -g -- app -x", "app -x"),
            (Catatonit, "catatonit app", "app"),
        ] {
            let (argv, expected) = (words(line), words(expected));
            assert_eq!(parse_init_arguments(wrapper, &argv), Some(expected.as_slice()), "{line}");
        }
    }

    #[test]
    fn user_precedes_the_command() {
        use TargetUser::{Other, Root, Same};
        for (line, expected) in [
            ("gosu 0:0 app -x", Some(("app -x", Same))),
            ("gosu root app", Some(("app", Root))),
            ("su-exec nobody:nogroup app", Some(("app", Other))),
            ("su-exec 1000 app", Some(("app", Other))),
            ("gosu", None),
            ("gosu root", None),
            ("gosu --version app", None),
            ("su-exec :1 app", None),
            ("su-exec  app", None),
        ] {
            let (argv, expected) = (words(line), expected.map(|(command, user)| (words(command), user)));
            let expected = expected.as_ref().map(|(command, user)| (command.as_slice(), *user));
            assert_eq!(parse_gosu_arguments(&argv), expected, "{line}");
        }
    }

    #[test]
    fn other_options_are_not_followed() {
        for (wrapper, arguments) in [
            (
                Wrapper::Tini,
                [" --", " --version", " -h app", " -l -- app", " -p", " -R A -- app", " app -x"].as_slice(),
            ),
            (Wrapper::Tini, &["", " app -- -x"]),
            (Wrapper::DumbInit, &[" -h", " -V app", " --verb app", " --verbose=1 app", " -r"]),
            (Wrapper::Catatonit, &[" -P", " --version app", " app -x"]),
        ] {
            for line in arguments.iter().map(|arguments| wrapper.name().to_owned() + arguments) {
                assert_eq!(parse_init_arguments(wrapper, &words(&line)), None, "{line}");
            }
        }
    }
}
