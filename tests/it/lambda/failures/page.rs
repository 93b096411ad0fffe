//! The table as a page of Markdown.
//!
//! Does not walk.

use std::fmt::Write;
use std::time::Duration;

use ecr_preflight::aws::ClientTimeouts;

use super::Row;
use super::cell::Cell;
use super::faults::{Failure, words};
use super::stages::Stage;

/// Where it is kept, from the root of the repository.
pub const PATH: &str = "docs/failures.md";

const HEAD: &str = "\
# What the function makes of every failure

Each call that the function makes, each way in which it can fail, and what comes of it. The page is written by a test,
`tests/it/lambda/failures`, which walks each row with the real clients against a small AWS on the same machine, and which
fails where a row is no longer true. `UPDATE_EXPECT=1 make test` writes it anew.

How to read a row:

- **failure**: what happens to the call, each time that it is made for what the section is about, a child or a layer, and
  never for anything else; or, where it says *once*, the first time only.
- **answer**: a verdict, `fails`, `runs` or `unknown`, with its reasons; `ignored`, with the reason; or an error, `Err`.
  A verdict is final, and its reasons are in the message. An error makes Lambda invoke the function again, twice, after
  one and two minutes; then the event is sent to the failure queue, and an alarm goes off. The error's words are in the log
  and in the queue.
- **requests**: how many requests of this very call, for this very thing, the function made in one invocation. A missing
  part is looked for twice. The rows are walked without the pauses between attempts, which are drawn by lot: where time
  runs out, there may be one request fewer.
- **messages**: how many messages the topic took. Two or more are the same message again, because its receipt was lost.
- **mark**: which mark the image has afterwards, with `PREFLIGHT_VERDICT_TAGS=all`.

`ARN` and `TOPIC` are the repository's and the topic's, `DIGEST` and `SHORT` digests, `TIME` a bound in time, and `as said`
is the service's own message.

The test also holds that the failure is met in every row; that nothing is ignored but an image that was deleted or
superseded, or whose repository was deleted; that of a part that stays missing people are told; that no row is without an
end; that a verdict after a failure has a reason; that nothing is marked as passing whose reading failed; that no redirect
is followed; and that no query of a presigned address, no key and no token is in an error, a message or the log, not even
in the most talkative one.
";

/// The bounds, as the function has them.
fn bounds() -> String {
    let ClientTimeouts { connect, read, attempt, call, blob_transfer: storage } = ClientTimeouts::default();
    let rows: [(&str, Duration); 6] = [
        ("a connection", connect),
        ("the first byte of an answer", read),
        ("one attempt of a call of the API", attempt),
        ("one call of the API, with its attempts, four at most, and the pauses between them", call),
        ("the transfer of a config, which is tried twice", storage.whole),
        ("from one piece of a layer to the next; its transfer is tried twice", storage.piece),
    ];
    let rows = rows.map(|(what, bound)| format!("| {what} | {} |\n", bound.as_secs()));
    format!(
        "\nBounds in time, in seconds. `make test` walks the rows that run into one with all of them a third as long, and \
         `make test-faults`\nas long as they are.\n\n| of what | at most |\n|---|--:|\n{}",
        rows.concat()
    )
}

/// One row.
pub fn row(failure: Failure, cell: &Cell) -> String {
    let plain = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    let marks = if cell.marks.is_empty() { "–".to_owned() } else { cell.marks.join(", ") };
    let messages = if cell.messages == 0 { "–".to_owned() } else { cell.messages.to_string() };
    let failure = words(failure).replace('|', "\\|");
    format!("| {failure} | {} | {} | {messages} | {marks} |\n", plain(&cell.answer), cell.requests)
}

/// The section of a stage in a page that was written before.
pub fn section<'a>(page: &'a str, stage: &Stage) -> &'a str {
    let sections = page.split("\n## ");
    sections.into_iter().find(|section| section.lines().next() == Some(stage.title)).unwrap_or_default()
}

/// All of it.
pub fn page(rows: &[Row<'_>], cells: &[Cell]) -> String {
    let mut page = format!("{HEAD}{}", bounds());
    let mut last = "";
    for ((stage, failure), cell) in rows.iter().zip(cells) {
        if stage.title != last {
            last = stage.title;
            let head = "| failure | answer | requests | messages | mark |\n|---|---|--:|--:|---|\n";
            write!(page, "\n## {}\n\n{}\n\n{head}", stage.title, stage.about).unwrap();
        }
        page += &row(*failure, cell);
    }
    page
}
