//! Finds the first program that a shell's command string certainly starts: POSIX XCU 2.9.1, "Simple Commands".
//!
//! Lists that may continue after a failed first command are not followed, nor are words that may be builtins.

use super::lexer::{ShellToken, ShellWord, tokenize};
use super::options::{are_safe_options, enables_nounset, is_sensitive_assignment};

/// The first command of a string.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is an independent fact about the command")]
pub(crate) struct ShellCommand {
    /// The absolute path of a preceding `cd`.
    pub(crate) directory: Option<Vec<u8>>,
    /// The program and its arguments before the first that is not literal.
    pub(crate) argv: Vec<Vec<u8>>,
    /// Whether `argv` contains all arguments.
    pub(crate) is_complete: bool,
    /// Whether the shell runs further commands afterwards.
    pub(crate) has_more_commands: bool,
    /// Whether a stream is redirected, which may hide error messages.
    pub(crate) is_redirected: bool,
    /// Whether the shell replaces itself with the program.
    pub(crate) is_exec: bool,
}

impl ShellCommand {
    /// Creates a command of which all arguments are known.
    pub(super) fn new(argv: Vec<Vec<u8>>, is_exec: bool) -> Self {
        Self { directory: None, argv, is_complete: true, has_more_commands: false, is_redirected: false, is_exec }
    }
}

/// Words that begin or end a compound command: POSIX XCU 2.4, and those of bash.
const RESERVED_WORDS: &str =
    "{ } ! [[ case coproc do done elif else esac fi for function if in select then time until while";

/// Builtins of dash, bash and busybox's ash, which run instead of a program unless `exec` precedes them.
const BUILTINS: &str = ". : [ ]] alias bg bind break builtin caller cd chdir command compgen complete compopt continue \
    declare dirs disown echo enable eval exec exit export false fc fg getopts hash help history jobs kill let local login \
    logout mapfile newgrp popd printf pushd pwd read readarray readonly return set shift shopt source suspend test times \
    trap true type typeset ulimit umask unalias unset wait";

/// Returns whether a word is reserved. The empty word counts too: it never names a program.
fn is_reserved(word: &[u8]) -> bool {
    word.is_empty() || is_listed(word, RESERVED_WORDS)
}

/// Returns whether a shell runs this word itself instead of a program.
pub(crate) fn is_builtin(word: &[u8]) -> bool {
    is_reserved(word) || is_listed(word, BUILTINS)
}

fn is_listed(word: &[u8], list: &str) -> bool {
    list.split(' ').any(|listed| listed.as_bytes() == word)
}

/// Returns the command that a string with these arguments starts first, or `None` if that is not certain. With
/// `has_nounset`, the shell exits at an unset variable.
pub(crate) fn parse_first_command(string: &[u8], arguments: &[Vec<u8>], mut has_nounset: bool) -> Option<ShellCommand> {
    // Surrounding blanks and newlines have no meaning. A carriage return is part of a word.
    let is_text = |byte: &u8| !b" \t\n".contains(byte);
    let string = &string[string.iter().position(is_text)?..=string.iter().rposition(is_text)?];
    if string == b"exec \"$@\"" {
        let is_name = arguments.first().is_some_and(|name| !name.starts_with(b"-"));
        return is_name.then(|| ShellCommand::new(arguments.to_vec(), true));
    }
    if let Some(name) = parse_quoted_list(string) {
        return Some(ShellCommand { is_complete: false, ..ShellCommand::new(vec![name], false) });
    }
    let tokens = tokenize(string)?;
    let mut rest = tokens.as_slice();
    let mut directory = None;
    let (name, is_exec) = loop {
        let (ShellToken::Word(word), after) = rest.split_first()? else { return None };
        rest = after;
        if let Some(name) = &word.assigned_variable {
            // An assignment affects only the command after it. Without one it persists, and is not followed.
            let value = word.literal.as_ref().map(|assignment| &assignment[name.len() + 1..]);
            if is_sensitive_assignment(name, value) || !matches!(rest.first(), Some(ShellToken::Word(_))) {
                return None;
            }
            continue;
        }
        match word.literal.as_deref()? {
            b"set" => {
                let (after, sets_nounset) = skip_set_options(rest)?;
                (rest, has_nounset) = (after, has_nounset || sets_nounset);
            }
            b"cd" if directory.is_none() => match rest {
                [ShellToken::Word(ShellWord { literal: Some(path), .. }), ShellToken::And, after @ ..]
                    if path.starts_with(b"/") =>
                {
                    (directory, rest) = (Some(path.clone()), after);
                }
                _ => return None,
            },
            b"exec" => {
                let (ShellToken::Word(word), after) = rest.split_first()? else { return None };
                rest = after;
                break (word.literal.clone().filter(|name| !name.starts_with(b"-"))?, true);
            }
            name if is_builtin(name) => return None,
            name => break (name.to_vec(), false),
        }
    };
    // Some shells parse such a name as an assignment.
    if name.contains(&b'=') || !is_safe_remainder(rest) {
        return None;
    }
    let has_more_commands = !is_exec && rest.contains(&ShellToken::And);
    let mut command = ShellCommand { directory, has_more_commands, ..ShellCommand::new(vec![name], is_exec) };
    for token in rest.iter().take_while(|token| **token != ShellToken::And) {
        match token {
            ShellToken::Word(ShellWord { literal: Some(word), .. }) if command.is_complete => {
                command.argv.push(word.clone());
            }
            ShellToken::Word(_) => command.is_complete = false,
            _ => (command.is_complete, command.is_redirected) = (false, true),
        }
    }
    let is_expanded = |token: &ShellToken| matches!(token, ShellToken::Word(ShellWord { literal: None, .. }));
    (!has_nounset || !tokens.iter().any(is_expanded)).then_some(command)
}

/// Returns the name of the command in a list with single quotes: `['node', 'app.js']`. Because that is not JSON,
/// Dockerfile builders pass it to a shell, which takes `[node,` for the name (Dockerfile reference, "Exec form").
fn parse_quoted_list(string: &[u8]) -> Option<Vec<u8>> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:@%+=, -".contains(byte);
    let inner = string.strip_prefix(b"['")?.strip_suffix(b"']")?;
    let items: Vec<&[u8]> = inner.split(|byte| *byte == b'\'').collect();
    // Every second part is between two items.
    let is_list = items.len() % 2 == 1 && items.iter().all(|item| item.iter().all(is_plain));
    let first = items.first().filter(|item| is_list && !item.is_empty() && !item.contains(&b' '))?;
    match items.get(1) {
        None => Some([b"[", *first, b"]"].concat()),
        Some(separator) if separator.starts_with(b", ") => Some([b"[", *first, b","].concat()),
        Some(_) => None,
    }
}

/// Returns whether the tokens after a command's name are certainly valid and cause no error before the command starts:
/// redirections to streams or devices, and further commands after `&&`. After `;` the shell would continue in any case.
fn is_safe_remainder(rest: &[ShellToken]) -> bool {
    const DEVICES: [&[u8]; 3] = [b"/dev/null", b"/dev/stdout", b"/dev/stderr"];
    const STREAMS: [&[u8]; 2] = [b"1", b"2"];
    rest.iter().enumerate().all(|(at, token)| {
        let next = rest.get(at + 1).and_then(literal);
        match token {
            ShellToken::Word(_) => true,
            ShellToken::Semicolon => false,
            ShellToken::And => next.is_some_and(|word| !is_reserved(word)),
            ShellToken::Redirection { to_file: true } => next.is_some_and(|word| DEVICES.contains(&word)),
            ShellToken::Redirection { to_file: false } => next.is_some_and(|word| STREAMS.contains(&word)),
        }
    })
}

fn literal(token: &ShellToken) -> Option<&[u8]> {
    if let ShellToken::Word(word) = token { word.literal.as_deref() } else { None }
}

/// Returns the tokens after `set` with safe options, and whether these enable `nounset`.
fn skip_set_options(rest: &[ShellToken]) -> Option<(&[ShellToken], bool)> {
    let end = rest.iter().position(|token| matches!(token, ShellToken::And | ShellToken::Semicolon))?;
    let words: Vec<&[u8]> = rest[..end].iter().map(literal).collect::<Option<_>>()?;
    let are_known = !words.is_empty() && are_safe_options(&words, false);
    are_known.then_some((&rest[end + 1..], enables_nounset(&words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe_command(string: &str) -> Option<String> {
        let arguments = [b"given".to_vec(), b"-x".to_vec()];
        parse_first_command(string.as_bytes(), &arguments, false).map(|command| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let directory = command.directory.as_deref().map_or(String::new(), |path| text(path) + ": ");
            let exec = if command.is_exec { "exec " } else { "" };
            let more = if command.is_complete { "" } else { " ..." };
            format!("{directory}{exec}{}{more}", text(&command.argv.join(b"|".as_slice())))
        })
    }

    #[test]
    fn first_command_is_certain() {
        for (string, expected) in [
            ("/app", "/app"),
            (" node server.js \n", "node|server.js"),
            ("exec node server.js", "exec node|server.js"),
            ("exec echo x", "exec echo|x"),
            ("'/my app' \"x y\"", "/my app|x y"),
            ("/app $PORT x", "/app ..."),
            ("/app x >/dev/null 2>&1", "/app|x ..."),
            ("/app && echo done", "/app"),
            ("A=1 B=\"$C\" /app x", "/app|x"),
            ("A=1 exec /app", "exec /app"),
            ("cd /srv && ./app", "/srv: ./app"),
            ("cd '/srv' && exec ./app -x", "/srv: exec ./app|-x"),
            ("set -e; /app", "/app"),
            ("set -eu -x && exec /app", "exec /app"),
            ("set -e; cd /srv && ./app", "/srv: ./app"),
            ("exec \"$@\"", "exec given|-x"),
            ("/app\r\n", "/app\r"),
            ("/app a=b", "/app|a=b"),
            ("NODE_OPTIONS='--max-old-space-size=512 --no-warnings' node x.js", "node|x.js"),
            ("['app']", "[app] ..."),
            ("['node', 'app.js', '-x']", "[node, ..."),
        ] {
            assert_eq!(describe_command(string).as_deref(), Some(expected), "{string}");
        }
    }

    #[test]
    fn first_command_is_uncertain() {
        for string in [
            "", " ", "$APP", "/app; echo", "/app;", "/app || true", "/app | cat", "/app &", "(/app)", "{ /app; }",
            "! /app", "if /app; then :; fi", "while :; do /app; done", "echo x", "test -f /x && /app", "[ x ] && /app",
            ". /env && /app", "cd /srv; ./app", "cd srv && ./app", "cd $X && ./app", "cd /a && cd /b && ./c",
            "cd /srv", "export A=1 && /app", "PATH=/x app", "A=1", "A=1 && /app", "A=$(x) /app", "exec", "exec >/log",
            "exec >/log /app", ">/log /app", "exec -a x /app", "exec $APP", "set -- x; /app", "set -n; /app",
            "set -eu; /app $X", "set -o nounset && A=$B /app", "set; /app", "set -o pipefail; /app", "/a*", "~/app",
            "/a\\pp", "\\app", "command /app", "time /app", "/app $(id)", "/app `id`", "/app\n/other", "/app # x",
            "['app','x']", "['a b']", "['$x']", "['a' ; 'b']", "['']", "[ 'app' ]", "f() { /app; }", "/app &&",
            "alias x=y && x", "&& /app", "/app >/log", "/app >", "/app >&x", "/app </in", "/app && }", "/app && if x",
            "/app && && x", "A+=1 /app",
        ] {
            assert_eq!(describe_command(string), None, "{string}");
        }
        for value in ["--import=tsx", "$X", "'--no-warnings -r tsx'"] {
            assert_eq!(describe_command(&format!("NODE_OPTIONS={value} node x.js")), None, "{value}");
        }
    }
}
