//! Shell options and variables that do not change which program starts.

use crate::oci::is_node_hook;

/// Variables that affect where programs are found or which files shells read first, or that are read-only in bash.
const SENSITIVE_VARIABLES: [&[u8]; 10] =
    [b"PATH", b"ENV", b"IFS", b"OPTIND", b"UID", b"EUID", b"PPID", b"SHELLOPTS", b"GROUPS", b"POSIXLY_CORRECT"];
const SENSITIVE_PREFIXES: [&[u8]; 2] = [b"BASH", b"LD_"];

/// Returns whether a byte separates words.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Returns whether all options are known and do not stop a script: POSIX XCU 2.14, "set"; bash's `pipefail` and `-E`.
pub(super) fn are_safe_options(words: &[&[u8]], is_bash: bool) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (Some(b'-' | b'+'), Some(letters)) = (word.first(), word.get(1..)) else { return false };
        let has_name = letters.last() == Some(&b'o');
        let letters = if has_name { &letters[..letters.len() - 1] } else { letters };
        let is_known = |letter: &u8| b"eux".contains(letter) || (is_bash && *letter == b'E');
        let is_known_name = |name: &&[u8]| {
            [b"errexit".as_slice(), b"nounset", b"xtrace"].contains(name) || (is_bash && *name == b"pipefail")
        };
        let is_empty = letters.is_empty() && !has_name;
        if is_empty || !letters.iter().all(is_known) || (has_name && !words.next().is_some_and(is_known_name)) {
            return false;
        }
    }
    true
}

/// Returns whether these options make the shell exit at an unset variable.
pub(super) fn enables_nounset(words: &[&[u8]]) -> bool {
    words.iter().any(|word| *word == b"nounset" || (word.starts_with(b"-") && word.contains(&b'u')))
}

/// Returns whether a line that sets options turns `errexit` on or off, `None` if it does neither.
pub(super) fn sets_errexit(line: &[u8]) -> Option<bool> {
    let mut words = line.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty());
    words.next().filter(|word| *word == b"set")?;
    let (mut result, mut is_on) = (None, false);
    for word in words {
        if let Some(sign @ (b'-' | b'+')) = word.first() {
            is_on = *sign == b'-';
        }
        if word == b"errexit" || (word.contains(&b'e') && matches!(word.first(), Some(b'-' | b'+'))) {
            result = Some(is_on);
        }
    }
    result
}

/// Returns whether a variable affects how later commands are found or run.
pub(super) fn is_sensitive_variable(name: &[u8]) -> bool {
    SENSITIVE_VARIABLES.contains(&name) || SENSITIVE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns whether an assignment affects how later commands are found or run. The value is `None` if it is not known.
pub(super) fn is_sensitive_assignment(name: &[u8], value: Option<&[u8]>) -> bool {
    let loads_nothing =
        |value: &[u8]| std::str::from_utf8(value).is_ok_and(|value| !is_node_hook(&format!("NODE_OPTIONS={value}")));
    is_sensitive_variable(name) || (name == b"NODE_OPTIONS" && !value.is_some_and(loads_nothing))
}

/// Returns whether this is a valid variable name: POSIX XBD 3.231.
pub(super) fn is_variable_name(name: &[u8]) -> bool {
    let is_word = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_word && name.first().is_some_and(|first| !first.is_ascii_digit())
}
