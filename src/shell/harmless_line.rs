//! Lines of scripts that certainly change nothing that matters.

use super::options::{are_safe_options, is_blank, is_sensitive_assignment, is_variable_name};

/// Splits a line at blanks.
pub(super) fn split_words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty())
}

/// Removes blanks at both ends.
pub(super) fn trim_blanks(line: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !is_blank(*byte);
    let (first, last) = (line.iter().position(is_text), line.iter().rposition(is_text));
    first.zip(last).map_or(&[], |(first, last)| &line[first..=last])
}

/// Returns whether the shell certainly continues with the next line as if this one were absent.
pub(super) fn is_harmless_line(line: &[u8], is_bash: bool) -> bool {
    let line = trim_blanks(line);
    // A carriage return would be part of the last word, a backslash may join lines, a backtick runs a command.
    if line.iter().any(|byte| b"\r\0\\`".contains(byte)) {
        return line.starts_with(b"#") && !line.contains(&0);
    }
    let words: Vec<&[u8]> = split_words(line).collect();
    match words.as_slice() {
        [] | [b":"] => true,
        [first, ..] if first.starts_with(b"#") => true,
        [b"set", options @ ..] => !options.is_empty() && are_safe_options(options, is_bash),
        // Busybox refuses more than 0777.
        [b"umask", mask] => {
            let digits = mask.strip_prefix(b"0").unwrap_or(mask);
            !mask.is_empty() && digits.len() <= 3 && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
        }
        // The option `-v` of printf sets a variable.
        [b"echo", ..] => is_single_command(line),
        [b"printf", format, ..] => {
            // Other conversions fail if an argument is not a number, or in some shells.
            let mut conversions = line.split(|byte| *byte == b'%').skip(1);
            // Bash makes words of braces.
            let is_option = format.iter().find(|byte| !b"'\"".contains(byte)) == Some(&b'-');
            !is_option
                && !line.contains(&b'{')
                && is_single_command(line)
                && conversions.all(|conversion| conversion.starts_with(b"s"))
        }
        [b"export", assignment] | [assignment] => is_harmless_assignment(assignment),
        _ => false,
    }
}

/// Returns whether a byte stands for itself, quoted or not.
pub(super) fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./:,@%+-=".contains(&byte)
}

/// Returns whether this is `NAME=value` with a literal value for a variable that affects no later command.
fn is_harmless_assignment(word: &[u8]) -> bool {
    let Some(equals) = word.iter().position(|byte| *byte == b'=') else { return false };
    let (name, value) = (&word[..equals], &word[equals + 1..]);
    let unquoted = match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    };
    is_variable_name(name)
        && !is_sensitive_assignment(name, Some(unquoted))
        && unquoted.iter().all(|byte| is_literal(*byte))
}

/// Returns whether a line is one command that ends with the line and runs nothing else. It may write to standard error.
pub(super) fn is_single_command(line: &[u8]) -> bool {
    let line = line.strip_suffix(b">&2").unwrap_or(line);
    let mut quote = None;
    for (at, byte) in line.iter().enumerate() {
        match (quote, byte) {
            (Some(b'\''), b'$') => {}
            (_, b'$') => {
                let next = line.get(at + 1).copied().unwrap_or(b' ');
                // With `-u` an unset variable ends the script. These are always set.
                if !b"0*@#?".contains(&next) {
                    return false;
                }
            }
            (None, b'\'' | b'"') => quote = Some(*byte),
            (Some(open), close) if open == *close => quote = None,
            (None, b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')') => return false,
            _ => {}
        }
    }
    quote.is_none()
}
