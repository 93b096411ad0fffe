//! The list of declarations as a table for people, within 80 columns.
//!
//! Does not print it.

use std::fmt::Write as _;

use super::list::DeclarationRow;
use crate::text::sanitize;

/// The columns of a terminal that nobody has widened.
const TABLE_WIDTH: usize = 80;

/// The widest column of names. A longer name has a line of its own, so that what is declared still has room.
const MAX_NAME_WIDTH: usize = 44;

/// The rows, and what they come to.
pub(super) fn format_table(rows: &[DeclarationRow], region: &str, key: &str) -> String {
    let names = rows.iter().map(|row| row.repository.name().len()).filter(|length| *length <= MAX_NAME_WIDTH);
    let width = names.max().unwrap_or_default().max("REPOSITORY".len());
    let mut text = format!("{:width$}  {}\n", "REPOSITORY", sanitize(&key.to_uppercase(), TABLE_WIDTH));
    let (mut declaring, mut without, mut unreadable, mut failed) = (0, 0, 0, 0);
    for row in rows {
        let wrong = row.invalid_words();
        let told = match &row.declared {
            Ok(None) => "-".to_owned(),
            Ok(Some(value)) if wrong.is_empty() => sanitize(value, usize::MAX),
            Ok(Some(value)) => format!("✗ \"{}\"", sanitize(value, usize::MAX)),
            Err(_) => "? its tags could not be read".to_owned(),
        };
        *match (&row.declared, wrong.is_empty()) {
            (Err(_), _) => &mut failed,
            (Ok(None), _) => &mut without,
            (Ok(Some(_)), true) => &mut declaring,
            (Ok(Some(_)), false) => &mut unreadable,
        } += 1;
        let mut name = row.repository.name();
        if name.len() > width {
            writeln!(text, "{name}").expect("a String takes every write");
            name = "";
        }
        for line in wrap_words(&told, TABLE_WIDTH - width - 2) {
            writeln!(text, "{name:width$}  {line}").expect("a String takes every write");
            name = "";
        }
        for error in wrong {
            for line in wrap_words(&error.to_string(), TABLE_WIDTH - 4) {
                writeln!(text, "    {line}").expect("a String takes every write");
            }
        }
    }
    let total = rows.len();
    let ies = if total == 1 { "y" } else { "ies" };
    let counts = [
        (declaring, "declared"),
        (without, "without a declaration"),
        (unreadable, "with one that cannot be read"),
        (failed, "whose tags could not be read"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    text.push('\n');
    for line in wrap_words(&format!("{total} repositor{ies} in {region}: {}", counts.join(", ")), TABLE_WIDTH) {
        writeln!(text, "{line}").expect("a String takes every write");
    }
    text
}

/// The text in lines of at most so many characters, broken between words; a longer word is left whole.
fn wrap_words(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= most {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
