//! The header of the page: what was checked, and how many images have which verdict. It is readable without a script.

use std::fmt::Write as _;

use super::texts::{PageState, escape_html, fault_meaning, group_digits, page_states};
use crate::cli::report_counts::ReportCounts;
use crate::verdict::Verdict;

/// What the header shows in addition to the results.
#[derive(Debug, Default)]
pub(in crate::cli) struct PageHeading<'a> {
    /// When the images were checked, as text; `None` if that is unknown.
    pub(in crate::cli) checked_at: Option<&'a str>,
    /// Which images were checked with which settings: names and values, in the order of the page.
    pub(in crate::cli) settings: &'a [(String, String)],
    /// What is missing in the results, a sentence each.
    pub(in crate::cli) notes: &'a [String],
    /// The key of the resource tag and label that declare runtimes; empty for the default.
    pub(in crate::cli) declaration_key: &'a str,
    /// The address of the page with the fault table, if it is known.
    pub(in crate::cli) docs_url: Option<&'a str>,
}

/// Formats the headline.
pub(super) fn format_headline(counts: &ReportCounts, heading: &PageHeading<'_>) -> String {
    let [fails, unknown, runs, undeclared] = [Verdict::Fails, Verdict::Unknown, Verdict::Runs, Verdict::Undeclared]
        .map(|verdict| counts.of_verdict(verdict));
    let all = format_image_count(counts.images);
    // Notes say what is missing.
    if !heading.notes.is_empty() && fails + unknown == 0 {
        let headline = if counts.images == 0 {
            "No image was checked"
        } else {
            "No image is known to fail, but not all were checked"
        };
        return headline.to_owned();
    }
    match (counts.images, fails, unknown, runs, undeclared) {
        (0, ..) => "There was no image to check".to_owned(),
        (_, 1.., ..) => format!("{} of {all} will not start", group_digits(fails)),
        (_, 0, 1.., ..) => {
            format!("No image is known to fail, but the verdict of {} of {all} is unknown", group_digits(unknown))
        }
        (_, 0, 0, 1.., _) if counts.unverified > 0 => format!(
            "No image is known to fail, but the start of {} of {all} is not verified",
            group_digits(counts.unverified)
        ),
        (_, 0, 0, 1.., 0) => "Every image starts where it is meant to run".to_owned(),
        (_, 0, 0, 1.., 1..) => "Every image with a declared runtime starts there".to_owned(),
        (_, 0, 0, 0, 1) => "The image has no declared runtime".to_owned(),
        (_, 0, 0, 0, _) if undeclared > 0 => "The images have no declared runtime".to_owned(),
        (_, 0, 0, 0, _) => "There was no container image to check".to_owned(),
    }
}

fn format_image_count(count: u64) -> String {
    format!("{} {}", group_digits(count), if count == 1 { "image" } else { "images" })
}

/// Formats the sentence below the headline.
pub(super) fn format_lead(counts: &ReportCounts, heading: &PageHeading<'_>) -> String {
    let undeclared = counts.of_verdict(Verdict::Undeclared);
    let problems = counts.of_verdict(Verdict::Fails) + counts.of_verdict(Verdict::Unknown);
    match (counts.images, problems, undeclared) {
        (_, 0, _) if !heading.notes.is_empty() => "What is missing is listed below.".to_owned(),
        (0, ..) => "Check the registry and the region, and that there are tagged images.".to_owned(),
        (_, 0, 0) => "There is nothing to fix.".to_owned(),
        (_, 0, 1..) => {
            format!("There is nothing to fix. No runtime is declared for {}.", format_image_count(undeclared))
        }
        _ => "The worst come first. Open an image to see the expected error and the command that fixes it.".to_owned(),
    }
}

/// Renders what was checked, when and how: names and values.
pub(super) fn render_facts(counts: &ReportCounts, heading: &PageHeading<'_>) -> String {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    for (account, region) in &counts.registries {
        add("Registry", format!("{account}, {region}"));
    }
    heading.checked_at.into_iter().for_each(|time| add("Checked", time.to_owned()));
    if counts.repositories() > 0 {
        add("Repositories", group_digits(counts.repositories()));
    }
    add("Images", group_digits(counts.images));
    facts.extend(heading.settings.iter().cloned());
    let fact = |(name, value): &(String, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(name), escape_html(value))
    };
    facts.iter().map(fact).collect()
}

/// Renders the notes, a paragraph each: what is missing, and which consumers are unknown.
pub(super) fn render_notes(counts: &ReportCounts, heading: &PageHeading<'_>) -> String {
    let note = |note: &String| format!("<p class=\"note\">{}</p>", escape_html(note));
    heading.notes.iter().chain(&counts.unread_services.sentences()).map(note).collect()
}

/// Renders the filter for images in use; empty if consumers were not read.
pub(super) fn render_use_filter(counts: &ReportCounts) -> String {
    let field = |count| {
        format!(
            "<div class=\"field check\"><label for=\"in-use\"><input id=\"in-use\" type=\"checkbox\"> In use \
             <span class=\"dim\">{}</span></label></div>\n",
            group_digits(count)
        )
    };
    counts.in_use.map(field).unwrap_or_default()
}

/// Renders a bar with a part for each verdict; empty without images. It is an SVG drawing with attributes, because the
/// policy of the page allows no inline styles.
pub(super) fn render_verdict_bar(counts: &ReportCounts) -> String {
    /// In units of the drawing. Every part is wide enough to be seen.
    const WIDTH: f64 = 1000.0;
    const GAP: f64 = 3.0;
    const MIN_WIDTH: f64 = 5.0;
    let all = page_states().map(|state| (state.name, state.phrase, state.count(counts)));
    let used: Vec<_> = all.into_iter().filter(|(.., count)| *count > 0).collect();
    if used.is_empty() {
        return String::new();
    }
    let spare = WIDTH - (MIN_WIDTH + GAP) * fraction(used.len() as u64, 1) + GAP;
    let (mut x, mut parts) = (0.0, String::new());
    for (name, _, count) in &used {
        let width = MIN_WIDTH + spare * fraction(*count, counts.images);
        write!(parts, "<rect class=\"{name}\" x=\"{x:.1}\" width=\"{width:.1}\" height=\"10\"/>")
            .expect("writing to a String does not fail");
        x += width + GAP;
    }
    let label: Vec<String> =
        used.iter().map(|(_, phrase, count)| format!("{} {phrase}", group_digits(*count))).collect();
    format!(
        "<svg class=\"bar\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\">{parts}</svg>",
        escape_html(&label.join(", "))
    )
}

#[allow(clippy::cast_precision_loss, reason = "it is drawn with a thousand points at most")]
fn fraction(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Renders the verdicts as buttons that filter; empty without images.
pub(super) fn render_verdict_filters(counts: &ReportCounts) -> String {
    if counts.images == 0 {
        return String::new();
    }
    let tile = |state: PageState| {
        let (name, count) = (state.name, state.count(counts));
        let disabled = if count == 0 { " disabled" } else { "" };
        format!(
            "<li><button type=\"button\" class=\"tile {name}\" data-verdict=\"{name}\" aria-pressed=\"false\" title=\"{}\"{disabled}>\
             <span class=\"count\">{}</span> <span class=\"says\"><span class=\"sign\" aria-hidden=\"true\">{}</span> {}</span>\
             </button></li>",
            escape_html(state.explanation),
            group_digits(count),
            state.symbol,
            escape_html(state.phrase),
        )
    };
    format!("<ul class=\"tiles\">{}</ul>", page_states().map(tile).concat())
}

/// Renders the faults as buttons that filter, the most frequent first; empty without faults.
pub(super) fn render_fault_filters(counts: &ReportCounts) -> String {
    let item = |(code, count): (&str, u64)| {
        format!(
            "<li><button type=\"button\" class=\"fault\" data-fault=\"{0}\" aria-pressed=\"false\">\
             <span class=\"count\">{1}</span> <code>{0}</code> <span class=\"means\">{2}</span></button></li>",
            escape_html(code),
            group_digits(count),
            escape_html(fault_meaning(code)),
        )
    };
    let items: String = counts.faults().into_iter().map(item).collect();
    if items.is_empty() {
        return items;
    }
    format!(
        "<h2 id=\"faults-title\">What is wrong</h2><ul class=\"faults\" aria-labelledby=\"faults-title\">{items}</ul>"
    )
}
