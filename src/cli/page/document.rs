//! The page around the rows: its document, style, script and content security policy.

use aws_smithy_types::base64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::header::{self, PageHeading};
use super::texts::{escape_html, fault_links, page_states, replace_characters};
use crate::cli::report_counts::ReportCounts;

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Renders the page before its rows, and after them.
pub(super) fn render_frame(counts: &ReportCounts, heading: &PageHeading<'_>) -> (String, String) {
    let headline = escape_html(&header::format_headline(counts, heading));
    let option = |(name, title)| format!("<option value=\"{name}\">{title}</option>");
    let options: String = counts.used_runtimes().map(option).collect();
    let parts = [
        // The style and the script come first, because they contain no placeholders.
        ("style", STYLE.to_owned()),
        ("script", SCRIPT.to_owned()),
        ("policy", content_security_policy()),
        ("title", headline.clone()),
        ("headline", headline),
        ("lead", escape_html(&header::format_lead(counts, heading))),
        ("facts", header::render_facts(counts, heading)),
        ("notes", header::render_notes(counts, heading)),
        ("bar", header::render_verdict_bar(counts)),
        ("tiles", header::render_verdict_filters(counts)),
        ("faults", header::render_fault_filters(counts)),
        ("runtimes", options),
        ("use", header::render_use_filter(counts)),
        ("texts", escape_script_json(&build_script_texts(heading))),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let fill = |template: &str| {
        parts.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
    };
    let (before, after) = DOCUMENT.split_once("{{rows}}").expect("the document has a placeholder for the rows");
    (fill(before), fill(after))
}

/// Builds the texts that the script needs.
fn build_script_texts(heading: &PageHeading<'_>) -> Value {
    let verdicts =
        page_states().map(|state| json!({"name": state.name, "symbol": state.symbol, "phrase": state.phrase}));
    let key = if heading.declaration_key.is_empty() { "intended-runtime" } else { heading.declaration_key };
    let advice = format!(
        "Declare where it runs: add the resource tag `{key}=ecs/arm64`, for example, to the repository, or the same label to \
         the image."
    );
    json!({"verdicts": verdicts, "undeclared": advice, "faultDocs": fault_links(heading.docs_url)})
}

/// Allows only the page's own style and script, known by their hashes, and no requests.
fn content_security_policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", base64::encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// Escapes JSON for a `script` element, so that nothing in it ends the element or begins a comment.
fn escape_script_json(value: &Value) -> String {
    let escapes =
        [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    replace_characters(&value.to_string(), &escapes)
}
