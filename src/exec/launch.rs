//! The chain of starts: the runtime's own, and what each program that starts is certain to start in its turn.
//!
//! Does not know the environment but for `PATH`: where an image sets what shells or loaders run or read first
//! (`BASH_ENV`, `ENV`, `LD_PRELOAD`), only the first start is to be believed.

use super::errno::Errno;
use super::execve::Answer;
use super::follow::{By, Next, Process, next};
use super::host::Host;
use super::recognise::Kind;
use super::resolve::View;
use super::search::look;
use super::start::{DEFAULT_PATH, Start, start};
use super::words::words;

/// So many starts are followed; wrappers may wrap themselves without an end.
pub const MOST_LAUNCHES: usize = 8;

/// One start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Who starts it.
    pub by: By,
    /// What is started, as far as its arguments are known.
    pub argv: Vec<Vec<u8>>,
    /// What comes of it.
    pub start: Start,
}

/// What comes of starting these arguments, and of all that is certain to be started next; `search` is the image's
/// `PATH`. At least one, and never more than [`MOST_LAUNCHES`].
///
/// The last is where it ends: it fails, cannot be told, or starts something that is not followed. A start that follows
/// another is told only if no guess is needed: where it cannot start, the container surely does not do what it is for.
#[must_use]
pub fn launches(view: &View<'_>, host: Host, argv: &[Vec<u8>], search: Option<&[u8]>) -> Vec<Launch> {
    let first = Launch { by: By::Runtime, argv: argv.to_vec(), start: start(view, host, argv, search) };
    let search = Some(search.unwrap_or(DEFAULT_PATH).to_vec());
    let mut process = Process { view: view.clone(), search, argv: argv.to_vec() };
    let mut launches = vec![first];
    while launches.len() < MOST_LAUNCHES {
        let Some(Answer::Starts { chain }) = launches.last().map(|launch| &launch.start.answer) else { break };
        let Some(next) = next(&process, chain) else { break };
        let Some(start) = started(host, &next) else { break };
        launches.push(Launch { by: next.by, argv: next.process.argv.clone(), start });
        if !next.is_whole {
            break;
        }
        process = next.process;
    }
    launches
}

/// What comes of it, if that is certain.
fn started(host: Host, next: &Next<'_>) -> Option<Start> {
    let Process { view, search, argv } = &next.process;
    let name = argv.first()?;
    let start = if next.voice.kind == Kind::Gosu && !next.is_other_user {
        // Where PATH leads to the working directory, older releases of Go start what newer ones refuse.
        let search = search.as_deref().unwrap_or_default();
        let is_relative = search.split(|byte| *byte == b':').any(|directory| !directory.starts_with(b"/"));
        if !name.contains(&b'/') && is_relative {
            return None;
        }
        go(start(view, host, argv, Some(search)))
    } else {
        let looked = look(view, host, name, search.as_deref())?;
        let words = if looked.is_plain { words(next.voice, name, &looked.answer) } else { None };
        Start { answer: looked.answer, words }
    };
    match (next.is_other_user, &start.answer) {
        (false, _) | (true, Answer::Unknown { .. }) => Some(start),
        // What root cannot start nobody can, if perhaps for another reason.
        (true, Answer::Fails { .. }) => Some(Start { words: None, ..start }),
        (true, Answer::Starts { .. }) => None,
    }
}

/// gosu looks programs up with the same part of Go as runtimes do, and prints it in its own way: `main.go`.
fn go(Start { answer, words }: Start) -> Start {
    let said = |errno: &Errno, words: String| {
        let asked = !words.starts_with("exec: \"");
        if asked { format!("error: exec failed: {}", errno.words()) } else { format!("error: {words}") }
    };
    let words = match &answer {
        Answer::Fails { errno, .. } => words.map(|words| said(errno, words)),
        _ => None,
    };
    Start { answer, words }
}
