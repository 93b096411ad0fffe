//! The texts of the page for what the results only name.

use std::collections::BTreeMap;

use crate::cli::report_counts::ReportCounts;
use crate::event::IgnoreReason;
use crate::intent::DeclarationSource;
use crate::report::{UNVERIFIED_SYMBOL, verdict_symbol};
use crate::text::sanitize;
use crate::verdict::{FaultCode, Verdict};

/// The longest name of a repository, a tag or a platform, in characters. ECR's longest have 256.
const MAX_NAME_CHARS: usize = 300;

/// The longest sentence, in characters: evidence, and the error that a runtime shows.
const MAX_SENTENCE_CHARS: usize = 2_000;

/// The longest command, in characters. It names up to 32 platforms, and must not be truncated.
const MAX_COMMAND_CHARS: usize = 8_000;

/// A verdict as the page shows it; a pass that is not verified is a state of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageState {
    pub(super) name: &'static str,
    pub(super) symbol: &'static str,
    /// The end of a sentence about an image or a runtime.
    pub(super) phrase: &'static str,
    pub(super) explanation: &'static str,
    verdict: Verdict,
    is_unverified: bool,
}

/// Every state, the worst first.
pub(super) fn page_states() -> [PageState; 6] {
    let of = |verdict: Verdict, phrase, explanation| PageState {
        name: verdict.as_str(),
        symbol: verdict_symbol(verdict),
        phrase,
        explanation,
        verdict,
        is_unverified: false,
    };
    [
        of(Verdict::Fails, "will not start", "It does not start where it is meant to run."),
        of(Verdict::Unknown, "unknown", "It is unknown whether it starts; each image shows the reason."),
        PageState {
            name: UNVERIFIED,
            symbol: UNVERIFIED_SYMBOL,
            is_unverified: true,
            ..of(
                Verdict::Runs,
                "not verified",
                "It has the right architecture; whether its program starts is not verified.",
            )
        },
        of(Verdict::Runs, "will start", "Nothing that was checked keeps it from starting where it is meant to run."),
        of(Verdict::Undeclared, "not declared", "No runtime is declared for it."),
        of(Verdict::Ignored, "not checked", "It is not a container image, or not one to check."),
    ]
}

/// The name of the state of a pass that is not verified. It is not a verdict.
const UNVERIFIED: &str = "unverified";

/// The name of the state of an image or a runtime.
pub(super) fn state_name(verdict: Verdict, is_unverified_pass: bool) -> &'static str {
    if is_unverified_pass { UNVERIFIED } else { verdict.as_str() }
}

impl PageState {
    /// The number of images in this state.
    pub(super) fn count(self, counts: &ReportCounts) -> u64 {
        match (self.is_unverified, self.verdict) {
            (true, _) => counts.unverified,
            (false, Verdict::Runs) => counts.of_verdict(Verdict::Runs) - counts.unverified,
            (false, verdict) => counts.of_verdict(verdict),
        }
    }
}

/// What a fault is; empty for a code of a later version.
pub(super) fn fault_meaning(code: &str) -> &'static str {
    FaultCode::from_name(code).map_or("", |code| code.info().title)
}

/// The documentation of each fault, by its code; empty if its address is unknown.
pub(super) fn fault_links(docs_url: Option<&str>) -> BTreeMap<&'static str, String> {
    let link = |url: &str| FaultCode::ALL.iter().map(|code| (code.as_str(), code.docs_link(url))).collect();
    docs_url.map(link).unwrap_or_default()
}

/// Says why an image was not checked; empty for a reason of a later version.
pub(super) fn ignored_reason(name: &str) -> &'static str {
    use IgnoreReason::{Artifact, Attestation, Deleted, NotAnArrival, Superseded, Untagged, VerdictTag};
    let all = [NotAnArrival, Untagged, VerdictTag, Artifact, Attestation, Superseded, Deleted];
    all.into_iter().find(|reason| reason.as_str() == name).map_or("", crate::report::describe_ignored)
}

/// Says where a runtime was declared; empty for a source of a later version.
pub(super) fn format_declaration_source(name: &str) -> String {
    use DeclarationSource::{CommandLine, Consumer, Default, ImageTag, Label, RepositoryTag};
    let has_name = |source: &DeclarationSource| serde_json::to_value(source).is_ok_and(|value| value == name);
    let source = [ImageTag, RepositoryTag, Label, Default, CommandLine, Consumer].into_iter().find(has_name);
    source.map(|source| format!("declared by {}", source.title())).unwrap_or_default()
}

/// Sanitizes and truncates a name.
pub(super) fn sanitize_name(text: &str) -> String {
    truncate(text, MAX_NAME_CHARS)
}

/// Sanitizes and truncates a sentence.
pub(super) fn sanitize_sentence(text: &str) -> String {
    truncate(text, MAX_SENTENCE_CHARS)
}

/// Sanitizes and truncates a command, or the advice in its place.
pub(super) fn sanitize_command(text: &str) -> String {
    truncate(text, MAX_COMMAND_CHARS)
}

fn truncate(text: &str, max_chars: usize) -> String {
    let truncated = sanitize(text, max_chars);
    if text.chars().nth(max_chars).is_some() { format!("{truncated}\u{2026}") } else { truncated }
}

/// Escapes a text for the content of an element or the value of an attribute.
pub(super) fn escape_html(text: &str) -> String {
    // The brace, so that no text is taken for a placeholder of the document. The ampersand is first: the others add some.
    let escapes = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;"), ('{', "&#123;")];
    replace_characters(text, &escapes)
}

/// Replaces characters, those of the first pair first.
pub(super) fn replace_characters(text: &str, escapes: &[(char, &str)]) -> String {
    escapes.iter().fold(text.to_owned(), |text, (c, escape)| text.replace(*c, escape))
}

/// Formats a number with separators: `12,345`.
pub(super) fn group_digits(number: u64) -> String {
    match (number / 1000, number % 1000) {
        (0, last) => last.to_string(),
        (rest, last) => format!("{},{last:03}", group_digits(rest)),
    }
}
