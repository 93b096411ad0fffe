//! How a change of a declaration is shown and confirmed.

use std::io::{BufRead, IsTerminal, Read, Write, stdin};

use crate::cli::error::CliError;
use crate::cli::terminal::StyledOutput;
use crate::declare::find_conflict;
use crate::runtime::Runtime;
use crate::text::sanitize;

/// The most bytes of the answer to the confirmation that are read.
const MAX_ANSWER_BYTES: u64 = 64;

/// Asks the question, and returns whether the answer is yes. Fails without a terminal.
pub(super) fn confirm<E: Write>(
    question: &str,
    out: &mut impl Write,
    err: &mut StyledOutput<E>,
) -> Result<bool, CliError> {
    if !stdin().is_terminal() {
        return Err(CliError::NoTerminal);
    }
    out.flush()?;
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let is_confirmed = read_confirmation(&mut stdin().lock())?;
    if !is_confirmed {
        writeln!(err, "nothing was written")?;
    }
    Ok(is_confirmed)
}

/// Returns the text of a note if no image can satisfy all these runtimes.
pub(super) fn conflict_note(runtimes: &[Runtime]) -> Option<String> {
    let (one, other) = find_conflict(runtimes)?;
    Some(format!(
        "no image runs on both {one} and {other}, because Lambda does not accept an index and a single image has \
         one architecture; every image of this repository will fail, unless its own tag declares a runtime"
    ))
}

/// Quotes and sanitizes a tag's value.
pub(super) fn format_tag_value(value: Option<&str>) -> String {
    value.map_or_else(|| "not set".to_owned(), |value| format!("\"{}\"", sanitize(value, usize::MAX)))
}

fn read_confirmation(input: &mut impl BufRead) -> std::io::Result<bool> {
    let mut line = String::new();
    input.take(MAX_ANSWER_BYTES).read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_confirms() {
        for (answer, yes) in
            [("y\n", true), (" Yes \n", true), ("", false), ("\n", false), ("yep\n", false), ("n", false)]
        {
            assert_eq!(read_confirmation(&mut answer.as_bytes()).unwrap(), yes, "{answer:?}");
        }
    }
}
