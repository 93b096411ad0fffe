//! Writes the Markdown page.

use std::fmt::Write;
use std::time::Duration;

use ecr_preflight::aws::ClientTimeouts;

use super::Row;
use super::faults::{Failure, describe};
use super::invocation::Answer;
use super::sections::Section;

/// The path of the page, from the root of the repository.
pub const PATH: &str = "docs/failures.md";

const HEAD: &str = "\
# How the function handles failures

This page lists every call that the function makes, every way in which it can fail, and the result. It is written by a
test, `tests/it/lambda/failures`, which runs each row with the real clients against a fake AWS on the same machine, and
fails if a row is no longer true. `UPDATE_EXPECT=1 make test` updates the page.

The columns:

- **failure**: what happens to each of the calls that the section names, and to no other call; with *once*, only to the
  first of them.
- **result**: a verdict (`fails`, `runs` or `unknown`) with its reasons, `ignored` with the reason, or an error (`Err`).
  A verdict is final, and its reasons are in the message. After an error, the event stays in the queue, and is received
  twice more, each time after half an hour. Then it goes to the failure queue, and an alarm is raised. The text of the
  error is in the log.
- **requests**: how many requests of these calls the function made in one invocation. A missing part is requested twice.
  The rows are run without the pauses between attempts, which have random lengths; with them, a call that reaches its
  timeout may make one request fewer.
- **messages**: how many messages the topic accepted. Two or more are copies of one message, sent again because a response
  was lost.
- **verdict tag**: the verdict tag that the image has afterwards, with `PREFLIGHT_VERDICT_TAGS=all`.

`ARN` and `TOPIC` are the ARNs of the repository and the topic, `TABLE` is the name of the table, `DIGEST` and `SHORT` are
digests, `TIME` is a timeout, and `service message` is the message of the service.

For every row the test also checks that

- the failure occurred, and the invocation ended
- an image is ignored only if it was deleted or superseded, or its repository was deleted
- a message reports a part that stays missing
- a verdict after a failure has a reason
- an image that could not be read has no `pass` tag
- no redirect is followed
- no query of a presigned URL, no key and no token is in an error, a message or the log, even at its most verbose level
";

/// The table of the function's timeouts.
fn timeouts() -> String {
    let ClientTimeouts { connect, read, attempt, call, blob, chunk } = ClientTimeouts::default();
    let rows: [(&str, Duration); 6] = [
        ("a connection", connect),
        ("the first byte of a response", read),
        ("one attempt of an API call", attempt),
        ("an API call: at most four attempts, and the pauses between them", call),
        ("the transfer of a config, for each of two attempts", blob),
        ("the time between two chunks of a layer, for each of two attempts", chunk),
    ];
    let rows = rows.map(|(what, timeout)| format!("| {what} | {} |\n", timeout.as_secs()));
    format!(
        "\nThese are the timeouts, in seconds. `make test` divides them by three to run the rows that reach a timeout;\n\
         `make test-faults` uses them as they are.\n\n| for | at most |\n|---|--:|\n{}",
        rows.concat()
    )
}

/// Formats one row.
pub fn row(failure: Failure, answer: &Answer) -> String {
    let escape = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    let tags = if answer.verdict_tags.is_empty() { "–".to_owned() } else { answer.verdict_tags.join(", ") };
    let messages = if answer.messages == 0 { "–".to_owned() } else { answer.messages.to_string() };
    let failure = describe(failure).replace('|', "\\|");
    format!("| {failure} | {} | {} | {messages} | {tags} |\n", escape(&answer.text), answer.requests)
}

/// Finds the text of a section in an existing page.
pub fn section<'a>(page: &'a str, section: &Section) -> &'a str {
    let mut texts = page.split("\n## ");
    texts.find(|text| text.lines().next() == Some(section.title)).unwrap_or_default()
}

/// Formats the whole page.
pub fn page(rows: &[Row<'_>], answers: &[Answer]) -> String {
    let mut page = format!("{HEAD}{}", timeouts());
    let mut last = "";
    for ((section, failure), answer) in rows.iter().zip(answers) {
        if section.title != last {
            last = section.title;
            let head = "| failure | result | requests | messages | verdict tag |\n|---|---|--:|--:|---|\n";
            write!(page, "\n## {}\n\n{}\n\n{head}", section.title, section.about).unwrap();
        }
        page += &row(*failure, answer);
    }
    page
}
