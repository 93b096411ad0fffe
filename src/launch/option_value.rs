//! Checks the values of options as the sources of inits do.

/// Whether a program accepts the value of an option. If it does not, it exits with code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueCheck {
    Accepted,
    Refused,
    /// Releases may differ.
    Unknown,
}

impl ValueCheck {
    fn of(is_accepted: bool) -> Self {
        if is_accepted { Self::Accepted } else { Self::Refused }
    }
}

/// `signal_names` in `src/tini.c`, version 0.19.
const TINI_SIGNALS: [&[u8]; 28] = [
    b"SIGHUP", b"SIGINT", b"SIGQUIT", b"SIGILL", b"SIGTRAP", b"SIGABRT", b"SIGBUS", b"SIGFPE", b"SIGKILL", b"SIGUSR1",
    b"SIGSEGV", b"SIGUSR2", b"SIGPIPE", b"SIGALRM", b"SIGTERM", b"SIGCHLD", b"SIGCONT", b"SIGSTOP", b"SIGTSTP",
    b"SIGTTIN", b"SIGTTOU", b"SIGURG", b"SIGXCPU", b"SIGXFSZ", b"SIGVTALRM", b"SIGPROF", b"SIGWINCH", b"SIGSYS",
];

/// Checks a value of tini: for `-p` the name of a signal, for `-e` a number from 0 to 255 (`set_pdeathsig` and
/// `add_expect_status` in `src/tini.c`). Measured with tini 0.19.0.
pub(super) fn check_tini_value(letter: u8, value: &[u8]) -> ValueCheck {
    match letter {
        b'p' if TINI_SIGNALS.contains(&value) => ValueCheck::Accepted,
        // Another release may know more names.
        b'p' if value.starts_with(b"SIG") => ValueCheck::Unknown,
        b'p' => ValueCheck::Refused,
        // strtol(3) reads the empty text as 0.
        b'e' if value.is_empty() => ValueCheck::Accepted,
        b'e' => ValueCheck::of(matches!(read_number(value), Some((number, b""))
            if number.is_some_and(|number| (0..=255).contains(&number)))),
        _ => ValueCheck::Unknown,
    }
}

/// Checks a value of dumb-init's option `--rewrite`: `%d:%d` of sscanf(3), a signal and its replacement, which may be 0
/// (`parse_rewrite_signum` in `dumb-init.c`). Measured with dumb-init 1.2.5.
pub(super) fn check_rewrite(value: &[u8]) -> ValueCheck {
    const MAXSIG: i64 = 31;
    let pair = read_number(value).and_then(|(signal, rest)| Some((signal, read_number(rest.strip_prefix(b":")?)?.0)));
    match pair {
        None => ValueCheck::Refused,
        Some((Some(signal), Some(replacement))) => {
            ValueCheck::of((1..=MAXSIG).contains(&signal) && (0..=MAXSIG).contains(&replacement))
        }
        // What sscanf(3) does with larger numbers is undefined.
        Some(_) => ValueCheck::Unknown,
    }
}

/// Reads a decimal number as strtol(3): blanks, a sign and digits. Returns it with the rest of the text. A number that
/// does not fit into 32 bits is `None`.
pub(super) fn read_number(text: &[u8]) -> Option<(Option<i64>, &[u8])> {
    // `isspace` in the C locale.
    let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count();
    let text = &text[blanks..];
    let digits_at = usize::from(text.starts_with(b"-") || text.starts_with(b"+"));
    let count = text[digits_at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits_at + count);
    let number = std::str::from_utf8(number).ok()?.parse::<i32>().ok().map(i64::from);
    (count > 0).then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::ValueCheck::{Accepted, Refused, Unknown};
    use super::*;

    #[test]
    fn tini_checks_signals_and_exit_codes() {
        for (letter, value, expected) in [
            (b'p', "SIGKILL", Accepted),
            (b'p', "KILL", Refused),
            (b'p', "9", Refused),
            (b'p', "sigkill", Refused),
            (b'p', "SIGRTMIN", Unknown),
            (b'e', "0", Accepted),
            (b'e', "255", Accepted),
            (b'e', "+5", Accepted),
            (b'e', " 5", Accepted),
            (b'e', "", Accepted),
            (b'e', "256", Refused),
            (b'e', "-1", Refused),
            (b'e', "99999999999", Refused),
            (b'e', "12x", Refused),
            (b'e', "0x10", Refused),
            (b'e', "+", Refused),
            (b'e', " ", Refused),
        ] {
            assert_eq!(check_tini_value(letter, value.as_bytes()), expected, "-{} {value}", char::from(letter));
        }
    }

    #[test]
    fn dumb_init_checks_pairs_of_signals() {
        for (value, expected) in [
            ("15:2", Accepted),
            ("31:0", Accepted),
            ("15:2:3", Accepted),
            ("15:2x", Accepted),
            (" +15: +2", Accepted),
            ("15:32", Refused),
            ("0:2", Refused),
            ("32:2", Refused),
            ("15:-1", Refused),
            ("15", Refused),
            ("15 :2", Refused),
            ("15:", Refused),
            ("SIGTERM:SIGINT", Refused),
            ("", Refused),
            ("4294967311:2", Unknown),
        ] {
            assert_eq!(check_rewrite(value.as_bytes()), expected, "{value}");
        }
    }
}
