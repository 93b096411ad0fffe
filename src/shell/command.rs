//! The first program that a shell's command string is certain to start: POSIX XCU 2.9.1, "Simple Commands".
//!
//! Does not follow lists in which the failure of the first command may be passed over, nor anything that a shell may
//! have within itself.

use super::lexer::{ShellToken, ShellWord, tokenize};
use super::script::{are_safe_options, enables_nounset, is_sensitive_variable};

/// What it starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ShellCommand {
    /// Where it goes first, an absolute path.
    pub(crate) directory: Option<Vec<u8>>,
    /// The program and its arguments, as far as they are written out.
    pub(crate) argv: Vec<Vec<u8>>,
    /// Whether these are all of them.
    pub(crate) is_complete: bool,
    /// Whether some of its streams lead elsewhere, which may swallow what is printed.
    pub(crate) is_redirected: bool,
    /// Whether the shell becomes it.
    pub(crate) is_exec: bool,
}

/// Everything that dash, bash and busybox's ash may take for something other than a program, where no `exec` stands
/// before it: reserved words and builtins.
const RESERVED_WORDS_AND_BUILTINS: &str = " . : [ [[ ]] { } ! alias bg bind break builtin caller case cd chdir command compgen complete \
    compopt continue coproc declare dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi \
    for function getopts hash help history if in jobs kill let local login logout mapfile newgrp popd printf pushd pwd \
    read readarray readonly return select set shift shopt source suspend test then time times trap true type typeset \
    ulimit umask unalias unset until wait while ";

fn is_reserved_or_builtin(name: &[u8]) -> bool {
    RESERVED_WORDS_AND_BUILTINS.split(' ').any(|word| word.as_bytes() == name)
}

/// What a string starts first, with these arguments; nothing, where that is not certain. Where it is `strict`, a variable
/// that is not set ends it.
pub(crate) fn parse_first_command(string: &[u8], arguments: &[Vec<u8>], mut strict: bool) -> Option<ShellCommand> {
    // Blanks and ends of lines around it mean nothing; a carriage return is a part of a word.
    let is_space = |byte: &u8| b" \t\n".contains(byte);
    let first = string.iter().position(|byte| !is_space(byte))?;
    let last = string.iter().rposition(|byte| !is_space(byte))?;
    let string = &string[first..=last];
    if string == b"exec \"$@\"" {
        let is_name = arguments.first().is_some_and(|name| !name.starts_with(b"-"));
        let argv = arguments.to_vec();
        return is_name.then_some(ShellCommand {
            directory: None,
            argv,
            is_complete: true,
            is_redirected: false,
            is_exec: true,
        });
    }
    let tokens = tokenize(string).ok()?;
    let mut rest = tokens.as_slice();
    let mut directory = None;
    let (name, is_exec) = loop {
        let (ShellToken::Word(word), behind) = rest.split_first()? else { return None };
        rest = behind;
        if let Some(name) = &word.assigned_variable {
            // What is set for one command only is set before this one; without a command it ends the following.
            if is_sensitive_variable(name) || !matches!(rest.first(), Some(ShellToken::Word(_))) {
                return None;
            }
            continue;
        }
        match word.literal.as_deref()? {
            b"set" => {
                let (behind, is_strict) = skip_set_options(rest)?;
                (rest, strict) = (behind, strict || is_strict);
            }
            b"cd" if directory.is_none() => match rest {
                [ShellToken::Word(ShellWord { literal: Some(path), .. }), ShellToken::And, behind @ ..]
                    if path.starts_with(b"/") =>
                {
                    (directory, rest) = (Some(path.clone()), behind);
                }
                _ => return None,
            },
            b"exec" => {
                let (ShellToken::Word(word), behind) = rest.split_first()? else { return None };
                rest = behind;
                break (word.literal.clone().filter(|name| !name.starts_with(b"-"))?, true);
            }
            name => break (Some(name.to_vec()).filter(|name| !is_reserved_or_builtin(name))?, false),
        }
    };
    // Some shells would take it for an assignment of their own kind.
    if name.contains(&b'=') {
        return None;
    }
    let mut command = ShellCommand { directory, argv: vec![name], is_complete: true, is_redirected: false, is_exec };
    let list_at = rest.iter().position(|token| *token == ShellToken::And).unwrap_or(rest.len());
    if !is_safe_remainder(rest) {
        return None;
    }
    for token in &rest[..list_at] {
        match token {
            ShellToken::Word(ShellWord { literal: Some(word), .. }) if command.is_complete => {
                command.argv.push(word.clone())
            }
            ShellToken::Word(_) => command.is_complete = false,
            _ => (command.is_complete, command.is_redirected) = (false, true),
        }
    }
    let expands = |token: &ShellToken| matches!(token, ShellToken::Word(ShellWord { literal: None, .. }));
    (!strict || !tokens.iter().any(expands)).then_some(command)
}

/// Words that begin or end something else than a simple command: POSIX XCU 2.4, and those of bash.
const RESERVED_WORDS: &str =
    " { } ! [[ case coproc do done elif else esac fi for function if in select then time until while ";

/// Whether what stands behind a command's name is surely read and set up without an error: streams that lead to other
/// streams or to devices, and further commands behind `&&`. Behind `;` the shell would go on whatever happened.
fn is_safe_remainder(rest: &[ShellToken]) -> bool {
    const DEVICES: [&[u8]; 3] = [b"/dev/null", b"/dev/stdout", b"/dev/stderr"];
    const STREAMS: [&[u8]; 2] = [b"1", b"2"];
    let literal = |token: Option<&ShellToken>| match token {
        Some(ShellToken::Word(word)) => word.literal.clone(),
        _ => None,
    };
    let is_reserved = |word: &[u8]| RESERVED_WORDS.split(' ').any(|reserved| reserved.as_bytes() == word);
    rest.iter().enumerate().all(|(at, token)| match token {
        ShellToken::Word(_) => true,
        ShellToken::Semicolon => false,
        ShellToken::And => literal(rest.get(at + 1)).is_some_and(|word| !is_reserved(&word)),
        ShellToken::Redirection { to_file } => {
            let targets = if *to_file { DEVICES.as_slice() } else { &STREAMS };
            literal(rest.get(at + 1)).is_some_and(|word| targets.contains(&word.as_slice()))
        }
    })
}

/// What follows `set` with options that let it go on, and whether they are strict.
fn skip_set_options(rest: &[ShellToken]) -> Option<(&[ShellToken], bool)> {
    let end = rest.iter().position(|token| matches!(token, ShellToken::And | ShellToken::Semicolon))?;
    let word = |token: &ShellToken| match token {
        ShellToken::Word(ShellWord { literal, .. }) => literal.clone(),
        _ => None,
    };
    let words: Vec<Vec<u8>> = rest[..end].iter().map(word).collect::<Option<_>>()?;
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let are_known = !words.is_empty() && are_safe_options(&words, false);
    are_known.then_some((&rest[end + 1..], enables_nounset(&words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(string: &str) -> Option<String> {
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
    fn strings_that_start_one_program_first() {
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
        ] {
            assert_eq!(told(string).as_deref(), Some(expected), "{string}");
        }
    }

    #[test]
    fn strings_of_which_it_is_not_certain() {
        for string in [
            "",
            " ",
            "$APP",
            "/app; echo",
            "/app;",
            "/app || true",
            "/app | cat",
            "/app &",
            "(/app)",
            "{ /app; }",
            "! /app",
            "if /app; then :; fi",
            "while :; do /app; done",
            "echo x",
            "test -f /x && /app",
            "[ x ] && /app",
            ". /env && /app",
            "cd /srv; ./app",
            "cd srv && ./app",
            "cd $X && ./app",
            "cd /a && cd /b && ./c",
            "cd /srv",
            "export A=1 && /app",
            "PATH=/x app",
            "A=1",
            "A=1 && /app",
            "A=$(x) /app",
            "exec",
            "exec >/log",
            "exec >/log /app",
            ">/log /app",
            "exec -a x /app",
            "exec $APP",
            "set -- x; /app",
            "set -n; /app",
            "set -eu; /app $X",
            "set -o nounset && A=$B /app",
            "set; /app",
            "set -o pipefail; /app",
            "/a*",
            "~/app",
            "/a\\pp",
            "\\app",
            "command /app",
            "time /app",
            "/app $(id)",
            "/app `id`",
            "/app\n/other",
            "/app # x",
            "f() { /app; }",
            "/app &&",
            "alias x=y && x",
            "&& /app",
            "/app >/log",
            "/app >",
            "/app >&x",
            "/app </in",
            "/app && }",
            "/app && if x",
            "/app && && x",
            "A+=1 /app",
        ] {
            assert_eq!(told(string), None, "{string}");
        }
    }
}
