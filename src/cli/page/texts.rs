//! The texts of the page for what the results only name.

use crate::event::IgnoreReason;
use crate::intent::DeclarationSource;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// The longest name of a repository, a tag or a platform, in characters. ECR's longest have 256.
const MAX_NAME_CHARS: usize = 300;

/// The longest sentence, in characters: evidence, and the error that a runtime shows.
const MAX_SENTENCE_CHARS: usize = 2_000;

/// The longest command, in characters. It names up to 32 platforms, and must not be truncated.
const MAX_COMMAND_CHARS: usize = 8_000;

/// The texts of a verdict.
#[derive(Debug)]
pub(super) struct VerdictText {
    pub(super) verdict: Verdict,
    pub(super) phrase: &'static str,
    pub(super) explanation: &'static str,
}

/// Every verdict, the worst first.
pub(super) const VERDICTS: [VerdictText; 5] = [
    verdict_text(Verdict::Fails, "will not start", "It does not start where it is meant to run."),
    verdict_text(Verdict::Unknown, "unknown", "It is unknown whether it starts; each image shows the reason."),
    verdict_text(
        Verdict::Runs,
        "will start",
        "Nothing that was checked keeps it from starting where it is meant to run.",
    ),
    verdict_text(Verdict::Undeclared, "not declared", "No runtime is declared for it."),
    verdict_text(Verdict::Ignored, "not checked", "It is not a container image, or not one to check."),
];

const fn verdict_text(verdict: Verdict, phrase: &'static str, explanation: &'static str) -> VerdictText {
    VerdictText { verdict, phrase, explanation }
}

/// What each fault means. The README has the same table.
pub(super) const FAULT_MEANINGS: [(&str, &str); 15] = [
    ("wrong-architecture", "a single image for another architecture"),
    ("platform-missing", "an index without the platform"),
    ("wrong-os", "an image for another operating system"),
    ("index-refused", "an index where the service takes none: Lambda"),
    ("layer-format-refused", "layers that the service does not take"),
    ("platform-mismatch", "the label says one architecture, and a program that the image starts is for another"),
    ("descriptor-mismatch", "an index entry that contradicts the config of its child"),
    ("identical-layers", "two architectures of one index with the same files, of which at most one can start"),
    ("attestation-tagged", "a tag that points at an attestation"),
    ("exec-format", "what is started is nothing that the kernel starts"),
    ("exec-not-found", "the command is not in the image, or in no directory of PATH"),
    ("exec-interpreter-missing", "the first line of a script names what is not in the image"),
    ("exec-permission", "the file, its interpreter or its loader may not be executed by the image's user"),
    ("exec-loader", "the program's loader is missing or not one for it"),
    ("invalid-declaration", "a declaration that names no runtime"),
];

/// What a fault means; empty for one of a later version.
pub(super) fn fault_meaning(code: &str) -> &'static str {
    FAULT_MEANINGS.iter().find(|(name, _)| *name == code).map_or("", |(_, meaning)| meaning)
}

/// Says why an image was not checked; empty for a reason of a later version.
pub(super) fn ignored_reason(name: &str) -> &'static str {
    use IgnoreReason::{Artifact, Attestation, Deleted, NotAnArrival, Superseded, Untagged, VerdictTag};
    let all = [NotAnArrival, Untagged, VerdictTag, Artifact, Attestation, Superseded, Deleted];
    all.into_iter().find(|reason| reason.as_str() == name).map_or("", crate::report::describe_ignored)
}

/// Says where a runtime was declared; empty for a source of a later version.
pub(super) fn format_declaration_source(name: &str) -> String {
    use DeclarationSource::{CommandLine, Default, ImageTag, Label, RepositoryTag};
    let has_name = |source: &DeclarationSource| serde_json::to_value(source).is_ok_and(|value| value == name);
    let source = [ImageTag, RepositoryTag, Label, Default, CommandLine].into_iter().find(has_name);
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
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // So that no text is taken for a placeholder of the document.
            '{' => escaped.push_str("&#123;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Formats a number with separators: `12,345`.
pub(super) fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
