//! The log: one JSON object a line, as Lambda's JSON log format has them, and errors as one line.
//!
//! Does not filter by module, but for one line that says again what was said.

use std::io::Write as _;

use serde_json::Value;

use tracing_subscriber::fmt::writer::MakeWriterExt as _;

/// Where Lambda's runtime logs the error that a handler gave back, without saying which event's it was; the handler
/// has logged it by then.
const DUPLICATE_ERROR_TARGET: &str = "lambda_runtime::layers::panic";

/// Writes log lines of this level and above to standard output. The time is left to the log service, which adds its
/// own.
pub fn init(level: tracing::Level) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .without_time()
        .with_max_level(level)
        .with_writer(std::io::stdout.with_filter(|metadata| metadata.target() != DUPLICATE_ERROR_TARGET))
        .init();
}

/// Writes one line that is JSON already, whatever the level: it holds the metrics.
pub fn write_json_line(line: &Value) {
    // Where even standard output is closed there is nobody to say it to.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
