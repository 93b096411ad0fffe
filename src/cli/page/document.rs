//! The page around the rows: its document, style, script and the policy that lets it load nothing.
//!
//! Does not know an image. Whatever is put in is escaped here, for the place where it is put.

use aws_smithy_types::base64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::statistics::PageStatistics;
use super::texts::{VERDICTS, fault_links};
use super::{PageHeading, header};
use crate::report::verdict_symbol;

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page before its rows, and after them.
pub(super) fn render_frame(tally: &PageStatistics, heading: &PageHeading<'_>) -> (String, String) {
    let headline = header::format_headline(tally, heading);
    let option = |(name, title)| format!("<option value=\"{name}\">{title}</option>");
    let options: String = tally.used_runtimes().map(option).collect();
    let page = [
        // The style and the script first: they have no place for anything else.
        ("style", STYLE.to_owned()),
        ("script", SCRIPT.to_owned()),
        ("policy", content_security_policy()),
        ("title", escape_html(&headline)),
        ("headline", escape_html(&headline)),
        ("lead", escape_html(&header::format_lead(tally, heading))),
        ("facts", header::render_facts(tally, heading)),
        ("notes", header::render_notes(heading)),
        ("bar", if tally.images == 0 { String::new() } else { header::render_verdict_bar(tally) }),
        ("tiles", if tally.images == 0 { String::new() } else { header::render_verdict_filters(tally) }),
        ("faults", header::render_fault_filters(tally)),
        ("runtimes", options),
        ("words", escape_script_json(&build_script_texts(heading))),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let filled = |part: &str| {
        page.iter().fold(part.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
    };
    let (before, after) = DOCUMENT.split_once("{{rows}}").expect("the document has a place for the rows");
    (filled(before), filled(after))
}

/// What the script says of verdicts.
fn build_script_texts(heading: &PageHeading<'_>) -> Value {
    let verdicts = VERDICTS.iter().map(
        |words| json!({"name": words.verdict.as_str(), "sign": verdict_symbol(words.verdict), "says": words.phrase}),
    );
    let example = format!(
        "Declare where it runs: tag the repository, or label the image, `{}=ecs/arm64` for example.",
        if heading.key.is_empty() { "intended-runtime" } else { heading.key }
    );
    json!({"verdicts": verdicts.collect::<Vec<_>>(), "undeclared": example, "faultDocs": fault_links(heading.docs_url)})
}

/// Nothing is loaded, and of what stands in the page only its own style and script, known by their hashes, have effect.
fn content_security_policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", base64::encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// A text as the content of an element or the value of an attribute.
pub(super) fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // What is put in later is not looked for in what was put in before.
            '{' => escaped.push_str("&#123;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// JSON as the content of a `script` element: nothing in it ends the element or begins a comment.
pub(super) fn escape_script_json(value: &Value) -> String {
    let text = value.to_string();
    let escapes =
        [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    escapes.iter().fold(text, |text, (c, escape)| text.replace(*c, escape))
}
