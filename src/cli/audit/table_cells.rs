//! The cells of the table of an audit: complete for a file or a pipe, or cut to a width.

use anstyle::{AnsiColor, Style};

use super::results_file::ResultsFile;
use crate::cli::cause::describe_cause;
use crate::cli::image_outcome::ImageOutcome;
use crate::cli::stored_report::StoredReport;
use crate::report::{UNVERIFIED_SYMBOL, verdict_symbol};
use crate::text::{escape_terminal, sanitize};

/// The width of a date, in columns.
pub(super) const DATE_WIDTH: usize = 10;

/// How many consumers of an image a terminal shows.
const MAX_CONSUMERS: usize = 3;

/// What is shown if no consumer was found, but one may exist.
const UNKNOWN_USE: &str = "?";

/// The columns of a file or a pipe.
pub(super) const HEADER: [&str; 7] = ["VERDICT", "REPOSITORY", "TAGS", "PUSHED", "RUNTIME", USE_TITLE, "CAUSE"];

/// The column for the consumers of an image.
pub(super) const USE_TITLE: &str = "IN USE BY";

/// The cells of a file or a pipe: nothing is cut off, only the last one contains spaces, and an empty one is `-`.
pub(super) fn line_cells(report: &StoredReport, results: &ResultsFile) -> [String; 7] {
    let unverified = if report.is_unverified_pass() { UNVERIFIED_SYMBOL } else { "" };
    let tags = [&report.arrival.tag].into_iter().chain(&report.arrival.also_tagged);
    let runtimes: Vec<&str> = all_affected_runtimes(report).collect();
    let in_use = report.in_use.as_ref().map(|in_use| in_use.join_names(",", UNKNOWN_USE));
    let [verdict, repository, tags, pushed, runtimes, in_use] = [
        format!("{}{unverified}", report.outcome().as_str()),
        repository_name(report, results),
        tags.map(String::as_str).collect::<Vec<_>>().join(","),
        push_date(report),
        runtimes.join(","),
        in_use.unwrap_or_default(),
    ]
    .map(|cell| match sanitize(&cell, usize::MAX).replace(' ', "\u{fffd}") {
        cell if cell.is_empty() => "-".to_owned(),
        cell => cell,
    });
    let cause = escape_terminal(&marked_cause(report, results));
    [verdict, repository, tags, pushed, runtimes, in_use, if cause.is_empty() { "-".to_owned() } else { cause }]
}

/// The name of the repository; its URI if the results are of several registries.
pub(super) fn repository_name(report: &StoredReport, results: &ResultsFile) -> String {
    let name = &report.arrival.repository;
    if results.index.counts.registries.len() < 2 {
        return name.clone();
    }
    report.repository().map_or_else(|| name.clone(), |repository| repository.to_string())
}

pub(super) fn short_tags(report: &StoredReport) -> String {
    match report.arrival.also_tagged.len() {
        0 => report.arrival.tag.clone(),
        more => format!("{} +{more}", report.arrival.tag),
    }
}

pub(super) fn push_date(report: &StoredReport) -> String {
    let pushed = &report.arrival.pushed_at;
    sanitize(pushed.get(..DATE_WIDTH).unwrap_or(pushed), DATE_WIDTH)
}

/// The runtimes that have the verdict of the image.
fn all_affected_runtimes(report: &StoredReport) -> impl Iterator<Item = &str> {
    let affected = report.runtimes.iter().filter(|runtime| runtime.verdict() == report.verdict());
    affected.map(|runtime| runtime.runtime.as_str())
}

/// The first runtime that has the verdict of the image, and how many more have it.
pub(super) fn affected_runtimes(report: &StoredReport) -> String {
    let mut affected = all_affected_runtimes(report);
    let Some(first) = affected.next() else { return String::new() };
    match affected.count() {
        0 => first.to_owned(),
        more => format!("{first} +{more}"),
    }
}

/// The first consumers that fit, and how many more there are; `?` if there may be some.
pub(super) fn short_use(report: &StoredReport, width: usize) -> String {
    let Some(in_use) = &report.in_use else { return String::new() };
    if in_use.is_unknown() {
        return UNKNOWN_USE.to_owned();
    }
    let names = in_use.names();
    let shorten = |count: usize| match names.len().saturating_sub(count) {
        0 => names.join(", "),
        more => format!("{} +{more}", names[..count].join(", ")),
    };
    let fitting = (1..=names.len().min(MAX_CONSUMERS)).rev().map(shorten).find(|text| text.chars().count() <= width);
    // The number is kept if the first name is cut.
    fitting.unwrap_or_else(|| match names.as_slice() {
        [] => String::new(),
        [only] => truncate_start(only, width),
        [first, rest @ ..] => {
            let more = format!(" +{}", rest.len());
            format!("{}{more}", truncate_start(first, width.saturating_sub(more.len()).max(1)))
        }
    })
}

/// The cause, after a word that marks what is new, known or waived.
pub(super) fn marked_cause(report: &StoredReport, results: &ResultsFile) -> String {
    let cause = describe_cause(report);
    match report.outcome() {
        outcome if outcome.is_problem() && results.filter.has_baseline() => format!("new: {cause}"),
        outcome @ (ImageOutcome::Known | ImageOutcome::Waived) => format!("{}: {cause}", outcome.as_str()),
        _ => cause,
    }
}

pub(super) fn symbol_and_style(report: &StoredReport) -> (&'static str, Style) {
    let style = match report.outcome() {
        _ if report.is_unverified_pass() => return (UNVERIFIED_SYMBOL, Style::new()),
        ImageOutcome::Fails => AnsiColor::Red.on_default(),
        ImageOutcome::Unknown => AnsiColor::Yellow.on_default(),
        ImageOutcome::Runs => AnsiColor::Green.on_default(),
        ImageOutcome::Known | ImageOutcome::Waived => Style::new().dimmed(),
        ImageOutcome::Undeclared | ImageOutcome::Ignored => Style::new(),
    };
    (verdict_symbol(report.verdict()), style)
}

/// Cuts off the end of a text that is too long.
pub(super) fn truncate_end(text: &str, width: usize) -> String {
    let text = escape_terminal(&sanitize(text, width.saturating_add(1)));
    let is_short = text.chars().count() <= width;
    if is_short { text } else { text.chars().take(width.saturating_sub(1)).chain(['\u{2026}']).collect() }
}

/// Cuts off the beginning of a name that is too long, because its end differs more.
pub(super) fn truncate_start(text: &str, width: usize) -> String {
    let text = escape_terminal(&sanitize(text, usize::MAX));
    let count = text.chars().count();
    if count <= width { text } else { ['\u{2026}'].into_iter().chain(text.chars().skip(count - width + 1)).collect() }
}
