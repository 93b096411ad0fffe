//! The head of the page: what was looked at, and how many images there are of what.
//!
//! Does not need a script to be read.

use std::fmt::Write as _;

use super::PageHeading;
use super::document::escape_html;
use super::statistics::PageStatistics;
use super::texts::{VERDICTS, fault_meaning, group_digits};
use crate::report::verdict_symbol;
use crate::verdict::Verdict;

/// What there is to say in one line.
pub(super) fn format_headline(tally: &PageStatistics, heading: &PageHeading<'_>) -> String {
    let [fails, unknown, runs, undeclared] = [Verdict::Fails, Verdict::Unknown, Verdict::Runs, Verdict::Undeclared]
        .map(|verdict| tally.verdict_count(verdict));
    let all = format_image_count(tally.images);
    // Notes say what is not here.
    if !heading.notes.is_empty() && fails + unknown == 0 {
        let said = if tally.images == 0 {
            "Nothing was looked at"
        } else {
            "Nothing is known to fail, but not everything was looked at"
        };
        return said.to_owned();
    }
    match (tally.images, fails, unknown, runs, undeclared) {
        (0, ..) => "There was no image to look at".to_owned(),
        (_, 1.., ..) => format!("{} of {all} will not start", group_digits(fails)),
        (_, 0, 1.., ..) => {
            format!("Nothing is known to fail, but {} of {all} could not be told", group_digits(unknown))
        }
        (_, 0, 0, 1.., 0) => "Every image starts where it is meant to run".to_owned(),
        (_, 0, 0, 1.., 1..) => "Every image with a declared runtime starts there".to_owned(),
        (_, 0, 0, 0, 1..) => {
            format!("Where {} may run is not declared", if undeclared == 1 { "the image" } else { "they" })
        }
        (_, 0, 0, 0, 0) => "None of this is an image to check".to_owned(),
    }
}

fn format_image_count(count: u64) -> String {
    format!("{} {}", group_digits(count), if count == 1 { "image" } else { "images" })
}

/// A sentence below it, where there is more to say.
pub(super) fn format_lead(tally: &PageStatistics, heading: &PageHeading<'_>) -> String {
    let undeclared = tally.verdict_count(Verdict::Undeclared);
    let worst = tally.verdict_count(Verdict::Fails) + tally.verdict_count(Verdict::Unknown);
    match (tally.images, worst, undeclared) {
        (_, 0, _) if !heading.notes.is_empty() => "What is missing stands below.".to_owned(),
        (0, ..) => "Is it the right registry and region, and are there tagged images in it?".to_owned(),
        (_, 0, 0) => "Nothing to mend. Have a good day.".to_owned(),
        (_, 0, 1..) => {
            format!("Nothing to mend. For {} nobody has declared where to run.", format_image_count(undeclared))
        }
        _ => "The worst stand first; open one to see what you would meet, and the command that mends it.".to_owned(),
    }
}

/// Names and values: what was looked at, when, and how.
pub(super) fn render_facts(tally: &PageStatistics, heading: &PageHeading<'_>) -> String {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    for (account, region) in &tally.registries {
        add("Registry", format!("{account}, {region}"));
    }
    heading.checked_at.into_iter().for_each(|when| add("Looked at", when.to_owned()));
    if tally.repository_count() > 0 {
        add("Repositories", group_digits(tally.repository_count() as u64));
    }
    add("Images", group_digits(tally.images));
    facts.extend(heading.settings.iter().cloned());
    let fact = |(name, value): &(String, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(name), escape_html(value))
    };
    facts.iter().map(fact).collect()
}

/// Further sentences, each a paragraph.
pub(super) fn render_notes(heading: &PageHeading<'_>) -> String {
    let note = |note: &String| format!("<p class=\"note\">{}</p>", escape_html(note));
    heading.notes.iter().map(note).collect()
}

/// One bar for all images, a part for each verdict. Drawn as the attributes of shapes, since the policy of the page allows
/// no styles but its own.
pub(super) fn render_verdict_bar(tally: &PageStatistics) -> String {
    /// In units of the drawing; what there is, is seen.
    const WIDTH: f64 = 1000.0;
    const GAP: f64 = 3.0;
    const LEAST: f64 = 5.0;
    let counted: Vec<(&str, &str, u64)> = VERDICTS
        .iter()
        .map(|words| (words.verdict.as_str(), words.phrase, tally.verdict_count(words.verdict)))
        .filter(|(.., count)| *count > 0)
        .collect();
    let spare = WIDTH - (LEAST + GAP) * fraction(counted.len() as u64, 1) + GAP;
    let mut at = 0.0;
    let mut parts = String::new();
    for (name, _, count) in &counted {
        let width = LEAST + spare * fraction(*count, tally.images);
        write!(parts, "<rect class=\"{name}\" x=\"{at:.1}\" width=\"{width:.1}\" height=\"10\"/>")
            .expect("a String takes every write");
        at += width + GAP;
    }
    let said: Vec<String> = counted.iter().map(|(_, says, count)| format!("{} {says}", group_digits(*count))).collect();
    format!(
        "<svg class=\"bar\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\">{parts}</svg>",
        escape_html(&said.join(", "))
    )
}

#[allow(clippy::cast_precision_loss, reason = "it is drawn, on a thousand points at most")]
fn fraction(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The verdicts as buttons that filter.
pub(super) fn render_verdict_filters(tally: &PageStatistics) -> String {
    let tile = |words: &super::texts::VerdictText| {
        let (name, count) = (words.verdict.as_str(), tally.verdict_count(words.verdict));
        let none = if count == 0 { " disabled" } else { "" };
        format!(
            "<li><button type=\"button\" class=\"tile {name}\" data-verdict=\"{name}\" aria-pressed=\"false\" title=\"{}\"{none}>\
             <span class=\"count\">{}</span> <span class=\"says\"><span class=\"sign\" aria-hidden=\"true\">{}</span> {}</span>\
             </button></li>",
            escape_html(words.explanation),
            group_digits(count),
            verdict_symbol(words.verdict),
            escape_html(words.phrase),
        )
    };
    format!("<ul class=\"tiles\">{}</ul>", VERDICTS.iter().map(tile).collect::<String>())
}

/// The faults as buttons that filter, the most frequent first; empty where there are none.
pub(super) fn render_fault_filters(tally: &PageStatistics) -> String {
    let faults = tally.faults_by_count();
    let item = |(code, count): &(&str, u64)| {
        format!(
            "<li><button type=\"button\" class=\"fault\" data-fault=\"{0}\" aria-pressed=\"false\">\
             <span class=\"count\">{1}</span> <code>{0}</code> <span class=\"means\">{2}</span></button></li>",
            escape_html(code),
            group_digits(*count),
            escape_html(fault_meaning(code)),
        )
    };
    let items: String = faults.iter().map(item).collect();
    if items.is_empty() {
        return items;
    }
    format!(
        "<h2 id=\"faults-title\">What is wrong</h2><ul class=\"faults\" aria-labelledby=\"faults-title\">{items}</ul>"
    )
}
