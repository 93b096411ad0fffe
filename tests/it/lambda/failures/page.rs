//! The Markdown page.

use std::fmt::Write;
use std::time::Duration;

use ecr_preflight::aws::ClientTimeouts;

use super::Row;
use super::faults::{Failure, describe};
use super::invocation::Answer;
use super::sections::Section;

/// Its path, from the root of the repository.
pub const PATH: &str = "docs/failures.md";

const HEAD: &str = "\
# How the function handles failures

Every call that the function makes, every way in which it can fail, and the result. A test writes this page,
`tests/it/lambda/failures`: it runs each row with the real clients against a fake AWS on the same machine, and fails if a
row is no longer true. `UPDATE_EXPECT=1 make test` updates the page.

The columns:

- **failure**: what happens to the call, each time that it is made for the subject of the section, a child or a layer for
  example, and never for anything else; or, if it says *once*, the first time only.
- **result**: a verdict, `fails`, `runs` or `unknown`, with its reasons; `ignored`, with the reason; or an error, `Err`.
  A verdict is final, and its reasons are in the message. After an error, Lambda invokes the function twice more, after
  one and two minutes. Then the event goes to the failure queue, and an alarm is raised. The text of the error is in the
  log and in the queue.
- **requests**: how many requests of this call, for this subject, the function made in one invocation. A missing part is
  requested twice. The rows are run without the pauses between attempts, which have random lengths: if a timeout expires,
  there may be one request fewer.
- **messages**: how many messages the topic accepted. Two or more are the same message again, because its response was
  lost.
- **verdict tag**: which verdict tag the image has afterwards, with `PREFLIGHT_VERDICT_TAGS=all`.

`ARN` and `TOPIC` stand for those of the repository and the topic, `DIGEST` and `SHORT` for digests, `TIME` for a timeout,
and `service message` for the message of the service.

The test also checks that the failure happens in every row; that only images are ignored that were deleted or superseded,
or whose repository was deleted; that people are notified of a part that stays missing; that every row ends; that a
verdict after a failure has a reason; that no image has a passing verdict tag if it could not be read; that no redirect is
followed; and that no query of a presigned URL, no key and no token is in an error, in a message or in the log, not even
in the most verbose one.
";

/// The function's timeouts.
fn bounds() -> String {
    let ClientTimeouts { connect, read, attempt, call, blob_transfer: storage } = ClientTimeouts::default();
    let rows: [(&str, Duration); 6] = [
        ("a connection", connect),
        ("the first byte of a response", read),
        ("one attempt of an API call", attempt),
        ("an API call with its attempts, at most four, and the pauses between them", call),
        ("the transfer of a config, which is attempted twice", storage.whole),
        ("from one chunk of a layer to the next; its transfer is attempted twice", storage.piece),
    ];
    let rows = rows.map(|(what, bound)| format!("| {what} | {} |\n", bound.as_secs()));
    format!(
        "\nTimeouts, in seconds. `make test` runs the rows with a timeout with all of them divided by three, and \
         `make test-faults`\nwith these.\n\n| for | at most |\n|---|--:|\n{}",
        rows.concat()
    )
}

/// One row.
pub fn row(failure: Failure, answer: &Answer) -> String {
    let plain = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    let marks = if answer.marks.is_empty() { "–".to_owned() } else { answer.marks.join(", ") };
    let messages = if answer.messages == 0 { "–".to_owned() } else { answer.messages.to_string() };
    let failure = describe(failure).replace('|', "\\|");
    format!("| {failure} | {} | {} | {messages} | {marks} |\n", plain(&answer.text), answer.requests)
}

/// The text of a section in an existing page.
pub fn section<'a>(page: &'a str, section: &Section) -> &'a str {
    let mut texts = page.split("\n## ");
    texts.find(|text| text.lines().next() == Some(section.title)).unwrap_or_default()
}

/// The whole page.
pub fn page(rows: &[Row<'_>], answers: &[Answer]) -> String {
    let mut page = format!("{HEAD}{}", bounds());
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
