//! The results as a page for a browser: one table, with what the page needs in it.
//!
//! Does not let anything of an image become markup, nor load anything.

use std::io::{self, Write};

use super::results::Results;
use super::row::Row;
use crate::reference::printable;

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<title>ecr-preflight audit</title>
<style>
  body { font: 14px sans-serif; margin: 2em } td, th { text-align: left; vertical-align: top; padding: .2em 1em .2em 0 }
  .fails { color: #b00 } .unknown { color: #860 } code { white-space: pre-wrap }
</style>
<h1>ecr-preflight audit</h1>
<table>
<tr><th>verdict<th>image<th>pushed<th>where<th>why<th>what to do
";

/// The longest text of one cell, in characters.
const LONGEST: usize = 2000;

/// Writes the page of all results, the worst first.
///
/// # Errors
/// Where the results cannot be read again, or the page cannot be written.
pub(super) fn write(results: &mut Results, out: &mut impl Write) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    for at in results.tally.worst_first(|_| true) {
        row(&results.row(at)?, out)?;
    }
    writeln!(out, "</table>")
}

fn row(row: &Row, out: &mut impl Write) -> io::Result<()> {
    let verdict = row.verdict.as_str();
    let tags: Vec<&str> = [&row.tag].into_iter().chain(&row.also_tagged).map(String::as_str).collect();
    let image = format!("{}/{}/{}:{}", row.account, row.region, row.repository, tags.join(" "));
    let places: Vec<&str> = row.answers.iter().map(|answer| answer.runtime.as_str()).collect();
    let faults = || row.answers.iter().flat_map(|answer| &answer.faults);
    let mut reasons: Vec<String> = faults().map(|fault| format!("{}: {}", fault.code, fault.evidence)).collect();
    reasons.extend(row.answers.iter().flat_map(|answer| answer.unknown.clone()).chain(row.ignored.clone()));
    let remedies: Vec<&str> = faults().flat_map(|fault| &fault.remedy).map(String::as_str).collect();
    writeln!(
        out,
        "<tr><td class=\"{verdict}\">{verdict}<td title=\"{}\">{}<td>{}<td>{}<td>{}<td><code>{}</code>",
        escaped(&row.digest),
        escaped(&image),
        escaped(row.pushed_at.as_deref().unwrap_or_default()),
        escaped(&places.join(", ")),
        escaped(&reasons.join("; ")),
        remedies.iter().map(|remedy| escaped(remedy)).collect::<Vec<_>>().join("\n"),
    )
}

fn escaped(text: &str) -> String {
    let text = printable(text, LONGEST).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
