//! Splits a shell's command string into words and operators: POSIX XCU 2.3, "Token Recognition".
//!
//! Nothing is expanded. Syntax that runs another command or begins a compound command is unsupported.

use super::options::{is_sensitive_variable, is_variable_name};

/// A word or operator.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ShellToken {
    Word(ShellWord),
    And,
    Semicolon,
    /// `>` or `>>` before the name of a file, or `>&` before the number of a stream.
    Redirection {
        to_file: bool,
    },
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ShellWord {
    /// The value, unless the word contains an expansion.
    pub(super) literal: Option<Vec<u8>>,
    /// The variable that the word assigns when it precedes a command.
    pub(super) assigned_variable: Option<Vec<u8>>,
}

const WORD_DELIMITERS: &[u8] = b" \t\n;|&<>()";

/// Splits a command string into its tokens. Returns `None` for unsupported syntax.
pub(super) fn tokenize(mut rest: &[u8]) -> Option<Vec<ShellToken>> {
    let mut tokens = Vec::new();
    while let Some(first) = rest.first() {
        let (token, length) = match (first, rest.get(1)) {
            (b' ' | b'\t', _) => {
                rest = &rest[1..];
                continue;
            }
            // A continued line: POSIX XCU 2.2.1. In a word it is unsupported.
            (b'\\', Some(b'\n')) => {
                rest = &rest[2..];
                continue;
            }
            (b'&', Some(b'&')) => (ShellToken::And, 2),
            // The end of a `case` branch, an input file that may be missing, and process substitution.
            (b';', Some(b';')) | (b'<', _) | (b'>', Some(b'(')) => return None,
            (b';', _) => (ShellToken::Semicolon, 1),
            (b'>', Some(b'&')) => (ShellToken::Redirection { to_file: false }, 2),
            (b'>', Some(b'>' | b'|')) => (ShellToken::Redirection { to_file: true }, 2),
            (b'>', _) => (ShellToken::Redirection { to_file: true }, 1),
            // The number directly before a redirection is part of it.
            (b'0'..=b'9', _) if redirection_number_length(rest) > 0 => {
                rest = &rest[redirection_number_length(rest)..];
                continue;
            }
            _ if WORD_DELIMITERS.contains(first) || *first == b'#' => return None,
            _ => read_word(rest).map(|(word, length)| (ShellToken::Word(word), length))?,
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    Some(tokens)
}

/// Returns the length of a number that a redirection follows directly, or 0.
fn redirection_number_length(rest: &[u8]) -> usize {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if matches!(rest.get(length), Some(b'<' | b'>')) { length } else { 0 }
}

/// Reads a word, and returns it with its length in the text.
fn read_word(text: &[u8]) -> Option<(ShellWord, usize)> {
    let (mut literal, mut is_literal, mut assigned_variable) = (Vec::new(), true, None);
    let (mut at, mut in_double, mut has_quotes) = (0, false, false);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            _ if !in_double && WORD_DELIMITERS.contains(byte) => {
                at -= 1;
                break;
            }
            b'`' => return None,
            b'"' => (in_double, has_quotes) = (!in_double, true),
            b'\'' if !in_double => {
                let length = text[at..].iter().position(|byte| *byte == b'\'')?;
                literal.extend_from_slice(&text[at..at + length]);
                (at, has_quotes) = (at + length + 1, true);
            }
            b'\\' => {
                (at, is_literal) = (at + 1, false);
                if matches!(text.get(at - 1), None | Some(b'\n')) {
                    return None;
                }
            }
            b'$' => {
                is_literal = false;
                at += expansion_length(&text[at..])?;
            }
            b'*' | b'?' | b'[' | b']' | b'~' | b'{' | b'}' | b'!' | b'^' if !in_double => is_literal = false,
            b'=' if assigned_variable.is_none() && is_literal && !has_quotes && is_variable_name(&literal) => {
                assigned_variable = Some(literal.clone());
                literal.push(b'=');
            }
            byte => literal.push(*byte),
        }
    }
    if in_double {
        return None;
    }
    Some((ShellWord { literal: is_literal.then_some(literal), assigned_variable }, at))
}

/// Returns the length of an expansion after its dollar sign, or `None` if it may run a command.
fn expansion_length(text: &[u8]) -> Option<usize> {
    match text.first() {
        Some(b'(' | b'\'' | b'"' | b'[') => None,
        Some(b'{') => {
            let length = text.iter().position(|byte| *byte == b'}')?;
            is_known_expansion(&text[1..length]).then_some(length + 1)
        }
        _ => Some(0),
    }
}

/// Returns whether every shell expands what is between the braces, without an error: a parameter, its length, or a
/// parameter with a plain default or replacement (POSIX XCU 2.6.2). Anything else is a bad substitution in some shell.
fn is_known_expansion(inside: &[u8]) -> bool {
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = inside.iter().position(|byte| !is_name_byte(byte)).unwrap_or(inside.len());
    let (parameter, rest) = inside.split_at(length);
    let is_variable = is_variable_name(parameter);
    if inside == b"@" || inside == b"*" || inside == b"#" || inside.strip_prefix(b"#").is_some_and(is_variable_name) {
        return true;
    }
    if !is_variable && (parameter.is_empty() || !parameter.iter().all(u8::is_ascii_digit)) {
        return false;
    }
    let plain = match rest.strip_prefix(b":").unwrap_or(rest) {
        [] => return rest.is_empty(),
        [b'-' | b'+', plain @ ..] => plain,
        // Only a variable can be assigned, and some affect what is run.
        [b'=', plain @ ..] if is_variable && !is_sensitive_variable(parameter) => plain,
        _ => return false,
    };
    plain.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_:-+=./,@#*".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansions_that_every_shell_knows() {
        for known in ["A", "_a1", "1", "10", "@", "*", "#", "#A", "A:-d", "A-", "A:=x.y", "1:-x", "A+/b:c"] {
            assert!(is_known_expansion(known.as_bytes()), "{known}");
        }
        for other in [
            "", "=", "a.b", "A,,", "A@Q", "A/a/b", "A:0:1", "0.x", "1:=x", "A:", "1a", "PATH:=/x", "A:?", "#1x",
            "A:-$B",
        ] {
            assert!(!is_known_expansion(other.as_bytes()), "{other}");
        }
    }

    fn tokens(string: &str) -> Option<String> {
        let word = |token: &ShellToken| match token {
            ShellToken::And => "&&".to_owned(),
            ShellToken::Semicolon => ";".to_owned(),
            ShellToken::Redirection { .. } => ">".to_owned(),
            ShellToken::Word(ShellWord { literal: None, .. }) => "?".to_owned(),
            ShellToken::Word(ShellWord { literal: Some(literal), assigned_variable }) => {
                format!("{}{}", String::from_utf8_lossy(literal), if assigned_variable.is_some() { "!" } else { "" })
            }
        };
        tokenize(string.as_bytes()).map(|tokens| tokens.iter().map(word).collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn words_and_operators_are_split() {
        for (string, expected) in [
            ("/app  --flag=x\ty", "/app|--flag=x|y"),
            ("'a b'\"c d\"e", "a bc de"),
            ("A=1 B='x y' C=\"$D\" \"E=\"1", "A=1!|B=x y!|?|E=1"),
            ("a $B ${C:-d} \"x$@\" \\$ * ~ {} $", "a|?|?|?|?|?|?|?|?"),
            ("a >x 2>&1 2>>y >|w", "a|>|x|>|1|>|y|>|w"),
            ("a2>x", "a2|>|x"),
            ("a&&b; c", "a|&&|b|;|c"),
            ("a#b", "a#b"),
            ("a \\\n  b \\\n", "a|b"),
            ("", ""),
        ] {
            assert_eq!(tokens(string).as_deref(), Some(expected), "{string}");
        }
    }

    #[test]
    fn other_syntax_is_unsupported() {
        for string in [
            "a | b", "a || b", "a & b", "a &", "(a)", "a $(b)", "a `b`", "a \"$(b)\"", "a <<E", "a <b", "a <(b)",
            "a \\", "a\\\nb", "a 'x'\\\n", "a\nb", "a 'b", "a \"b", "a # b", "a ${b", "a ${b:-$(c)}", "a $'b'",
            "a &>b", "a ;; b", "f() b",
        ] {
            assert_eq!(tokens(string), None, "{string}");
        }
    }
}
