//! The head of the page: what was looked at, and how many images there are of what.
//!
//! Does not need a script to be read.

use std::fmt::Write as _;

use super::Heading;
use super::frame::escaped;
use super::tally::Tally;
use super::words::{VERDICTS, grouped, meaning};
use crate::report::sign;
use crate::verdict::Verdict;

/// What there is to say in one line.
pub(super) fn headline(tally: &Tally, heading: &Heading<'_>) -> String {
    let [fails, unknown, runs, undeclared] =
        [Verdict::Fails, Verdict::Unknown, Verdict::Runs, Verdict::Undeclared].map(|verdict| tally.of(verdict));
    let all = images(tally.images);
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
        (_, 1.., ..) => format!("{} of {all} will not start", grouped(fails)),
        (_, 0, 1.., ..) => format!("Nothing is known to fail, but {} of {all} could not be told", grouped(unknown)),
        (_, 0, 0, 1.., 0) => "Every image starts where it is meant to run".to_owned(),
        (_, 0, 0, 1.., 1..) => "Every image with a declared runtime starts there".to_owned(),
        (_, 0, 0, 0, 1..) => {
            format!("Where {} may run is not declared", if undeclared == 1 { "the image" } else { "they" })
        }
        (_, 0, 0, 0, 0) => "None of this is an image to check".to_owned(),
    }
}

fn images(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "image" } else { "images" })
}

/// A sentence below it, where there is more to say.
pub(super) fn lead(tally: &Tally, heading: &Heading<'_>) -> String {
    let undeclared = tally.of(Verdict::Undeclared);
    let worst = tally.of(Verdict::Fails) + tally.of(Verdict::Unknown);
    match (tally.images, worst, undeclared) {
        (_, 0, _) if !heading.notes.is_empty() => "What is missing stands below.".to_owned(),
        (0, ..) => "Is it the right registry and region, and are there tagged images in it?".to_owned(),
        (_, 0, 0) => "Nothing to mend. Have a good day.".to_owned(),
        (_, 0, 1..) => format!("Nothing to mend. For {} nobody has declared where to run.", images(undeclared)),
        _ => "The worst stand first; open one to see what you would meet, and the command that mends it.".to_owned(),
    }
}

/// Names and values: what was looked at, when, and how.
pub(super) fn facts(tally: &Tally, heading: &Heading<'_>) -> String {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    for (account, region) in &tally.places {
        add("Registry", format!("{account}, {region}"));
    }
    heading.when.into_iter().for_each(|when| add("Looked at", when.to_owned()));
    if tally.repositories() > 0 {
        add("Repositories", grouped(tally.repositories() as u64));
    }
    add("Images", grouped(tally.images));
    facts.extend(heading.settings.iter().cloned());
    let fact =
        |(name, value): &(String, String)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
    facts.iter().map(fact).collect()
}

/// Further sentences, each a paragraph.
pub(super) fn notes(heading: &Heading<'_>) -> String {
    let note = |note: &String| format!("<p class=\"note\">{}</p>", escaped(note));
    heading.notes.iter().map(note).collect()
}

/// One bar for all images, a part for each verdict. Drawn as the attributes of shapes, since the policy of the page allows
/// no styles but its own.
pub(super) fn bar(tally: &Tally) -> String {
    /// In units of the drawing; what there is, is seen.
    const WIDTH: f64 = 1000.0;
    const GAP: f64 = 3.0;
    const LEAST: f64 = 5.0;
    let counted: Vec<(&str, &str, u64)> = VERDICTS
        .iter()
        .map(|words| (words.verdict.as_str(), words.says, tally.of(words.verdict)))
        .filter(|(.., count)| *count > 0)
        .collect();
    let spare = WIDTH - (LEAST + GAP) * share(counted.len() as u64, 1) + GAP;
    let mut at = 0.0;
    let mut parts = String::new();
    for (name, _, count) in &counted {
        let width = LEAST + spare * share(*count, tally.images);
        write!(parts, "<rect class=\"{name}\" x=\"{at:.1}\" width=\"{width:.1}\" height=\"10\"/>")
            .expect("a String takes every write");
        at += width + GAP;
    }
    let said: Vec<String> = counted.iter().map(|(_, says, count)| format!("{} {says}", grouped(*count))).collect();
    format!(
        "<svg class=\"bar\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\">{parts}</svg>",
        escaped(&said.join(", "))
    )
}

#[allow(clippy::cast_precision_loss, reason = "it is drawn, on a thousand points at most")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The verdicts as buttons that filter.
pub(super) fn tiles(tally: &Tally) -> String {
    let tile = |words: &super::words::Words| {
        let (name, count) = (words.verdict.as_str(), tally.of(words.verdict));
        let none = if count == 0 { " disabled" } else { "" };
        format!(
            "<li><button type=\"button\" class=\"tile {name}\" data-verdict=\"{name}\" aria-pressed=\"false\" title=\"{}\"{none}>\
             <span class=\"count\">{}</span> <span class=\"says\"><span class=\"sign\" aria-hidden=\"true\">{}</span> {}</span>\
             </button></li>",
            escaped(words.means),
            grouped(count),
            sign(words.verdict),
            escaped(words.says),
        )
    };
    format!("<ul class=\"tiles\">{}</ul>", VERDICTS.iter().map(tile).collect::<String>())
}

/// The faults as buttons that filter, the most frequent first; empty where there are none.
pub(super) fn faults(tally: &Tally) -> String {
    let faults = tally.faults();
    let item = |(code, count): &(&str, u64)| {
        format!(
            "<li><button type=\"button\" class=\"fault\" data-fault=\"{0}\" aria-pressed=\"false\">\
             <span class=\"count\">{1}</span> <code>{0}</code> <span class=\"means\">{2}</span></button></li>",
            escaped(code),
            grouped(*count),
            escaped(meaning(code)),
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
