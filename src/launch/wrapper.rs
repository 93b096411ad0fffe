//! Parses the arguments of wrappers as their sources do. A program with an option that is not listed here, or with which
//! it starts nothing, is not followed.

use super::option_value::{ValueCheck, check_rewrite, check_tini_value};
use super::program_kind::Wrapper;

/// The options of a wrapper that do not affect what it starts: short and long ones, without and with a value.
struct WrapperOptions {
    flags: &'static [u8],
    valued_flags: &'static [u8],
    long_flags: &'static [&'static [u8]],
    /// Long options with a value, each with its short form.
    long_valued_flags: &'static [(&'static [u8], u8)],
    /// Checks the value of the short option with this letter.
    check_value: fn(u8, &[u8]) -> ValueCheck,
    /// Whether options end at the first operand in every libc. After it, glibc's getopt(3) continues unless the option
    /// string begins with `+`, and musl's never does.
    stops_at_operand: bool,
}

const NO_OPTIONS: WrapperOptions = WrapperOptions {
    flags: b"",
    valued_flags: b"",
    long_flags: &[],
    long_valued_flags: &[],
    check_value: |_, _| ValueCheck::Unknown,
    stops_at_operand: false,
};

/// `OPT_STRING` in `src/tini.c`. With `-h`, `-l` and `--version` nothing is started.
const TINI: WrapperOptions =
    WrapperOptions { flags: b"svwg", valued_flags: b"pe", check_value: check_tini_value, ..NO_OPTIONS };

/// `parse_command` in `dumb-init.c`.
const DUMB_INIT: WrapperOptions = WrapperOptions {
    flags: b"cv",
    valued_flags: b"r",
    long_flags: &[b"--single-child", b"--verbose"],
    long_valued_flags: &[(b"--rewrite", b'r')],
    check_value: |_, value| check_rewrite(value),
    stops_at_operand: true,
};

/// `main` in `catatonit.c`. With `-P` nothing is started.
const CATATONIT: WrapperOptions = WrapperOptions { flags: b"g", ..NO_OPTIONS };

/// What an init does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InitAction<'a> {
    /// It starts this command.
    Start(&'a [Vec<u8>]),
    /// It exits, because the option with this letter does not accept this value.
    RefuseOption(u8, &'a [u8]),
}

/// The user that a wrapper starts the command as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetUser {
    Same,
    /// Root by name, which `/etc/passwd` must contain.
    Root,
    Other,
}

/// Parses the arguments of an init, including `argv[0]`. Returns what it does, if that is certain.
pub(super) fn parse_init_arguments(wrapper: Wrapper, argv: &[Vec<u8>]) -> Option<InitAction<'_>> {
    let options = match wrapper {
        Wrapper::Tini => &TINI,
        Wrapper::DumbInit => &DUMB_INIT,
        Wrapper::Catatonit => &CATATONIT,
        Wrapper::Gosu | Wrapper::SuExec | Wrapper::Setpriv => return None,
    };
    skip_options(options, argv.get(1..)?).filter(|action| *action != InitAction::Start(&[]))
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
fn skip_options<'a>(options: &WrapperOptions, mut arguments: &'a [Vec<u8>]) -> Option<InitAction<'a>> {
    while let Some((first, rest)) = arguments.split_first().filter(|(first, _)| is_option(first)) {
        arguments = rest;
        if first == b"--" {
            return Some(InitAction::Start(arguments));
        }
        let Some((letter, value)) = find_valued_option(options, first)? else { continue };
        let value = if let Some(value) = value {
            value
        } else {
            let (value, rest) = arguments.split_first()?;
            arguments = rest;
            value
        };
        match (options.check_value)(letter, value) {
            ValueCheck::Accepted => {}
            ValueCheck::Refused => return Some(InitAction::RefuseOption(letter, value)),
            ValueCheck::Unknown => return None,
        }
    }
    let is_certain = options.stops_at_operand || !arguments.iter().any(|argument| is_option(argument));
    is_certain.then_some(InitAction::Start(arguments))
}

fn is_option(argument: &[u8]) -> bool {
    argument.starts_with(b"-") && argument != b"-"
}

/// The letter of an option with a value, and the value if it is in the same argument.
type ValuedOption<'a> = (u8, Option<&'a [u8]>);

/// Returns the option with a value in an argument of known options, or `None` in the place of it if all are flags.
#[allow(clippy::option_option, reason = "the outer one is whether the options are known")]
fn find_valued_option<'a>(options: &WrapperOptions, argument: &'a [u8]) -> Option<Option<ValuedOption<'a>>> {
    if options.long_flags.contains(&argument) {
        return Some(None);
    }
    if argument.starts_with(b"--") {
        let equals = argument.iter().position(|byte| *byte == b'=');
        let (name, value) = equals.map_or((argument, None), |at| (&argument[..at], Some(&argument[at + 1..])));
        let (_, letter) = options.long_valued_flags.iter().find(|(option, _)| *option == name)?;
        return Some(Some((*letter, value)));
    }
    let letters = &argument[1..];
    let valued = letters.iter().position(|letter| options.valued_flags.contains(letter));
    let flags = &letters[..valued.unwrap_or(letters.len())];
    let is_known = flags.iter().all(|letter| options.flags.contains(letter));
    let value = |at: usize| Some(&letters[at + 1..]).filter(|value| !value.is_empty());
    is_known.then(|| valued.map(|at| (letters[at], value(at))))
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
            assert_eq!(parse_init_arguments(wrapper, &argv), Some(InitAction::Start(&expected)), "{line}");
        }
    }

    #[test]
    fn refused_values_end_the_init() {
        use Wrapper::{DumbInit, Tini};
        for (wrapper, line, letter, value) in [
            (Tini, "tini -p BOGUS -- app", b'p', "BOGUS"),
            (Tini, "tini -ge999 -h app", b'e', "999"),
            (Tini, "tini -e 256", b'e', "256"),
            (DumbInit, "dumb-init --rewrite bogus app", b'r', "bogus"),
            (DumbInit, "dumb-init -c --rewrite=15:32 app", b'r', "15:32"),
            (DumbInit, "dumb-init -vr0:1", b'r', "0:1"),
        ] {
            let expected = InitAction::RefuseOption(letter, value.as_bytes());
            assert_eq!(parse_init_arguments(wrapper, &words(line)), Some(expected), "{line}");
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
                [" --", " --version", " -h app", " -h -p BOGUS app", " -l -- app", " -p", " -R A -- app", " app -x"]
                    .as_slice(),
            ),
            (Wrapper::Tini, &["", " app -- -x", " -p SIGIO app"]),
            (Wrapper::DumbInit, &[" -h", " -V app", " --verb app", " --verbose=1 app", " -r"]),
            (Wrapper::Catatonit, &[" -P", " --version app", " app -x"]),
        ] {
            for line in arguments.iter().map(|arguments| wrapper.name().to_owned() + arguments) {
                assert_eq!(parse_init_arguments(wrapper, &words(&line)), None, "{line}");
            }
        }
    }
}
