//! The words of the page, where the results have only names.
//!
//! Does not know any image. What people read of an image elsewhere is worded by [`report`](crate::report).

use std::collections::BTreeMap;

use crate::event::IgnoreReason;
use crate::intent::DeclarationSource;
use crate::verdict::{FaultCode, Verdict};

/// The most characters of a name: of a repository, a tag, a platform. ECR's longest have 256.
pub(super) const MAX_NAME_CHARS: usize = 300;

/// The most characters of a sentence: what was seen, the words that a runtime shows.
pub(super) const MAX_SENTENCE_CHARS: usize = 2_000;

/// The most characters of a command. It names up to 32 platforms, and must not be cut.
pub(super) const MAX_COMMAND_CHARS: usize = 8_000;

/// A verdict, in the order of the page, and what it says of an image.
#[derive(Debug)]
pub(super) struct VerdictText {
    pub(super) verdict: Verdict,
    pub(super) phrase: &'static str,
    pub(super) explanation: &'static str,
}

/// Every verdict, the worst first.
pub(super) const VERDICTS: [VerdictText; 5] = [
    verdict_text(Verdict::Fails, "will not start", "It does not start where it is meant to run."),
    verdict_text(Verdict::Unknown, "could not be told", "It may start or not; the reason stands beside it."),
    verdict_text(Verdict::Runs, "will start", "It starts wherever it is meant to run, as far as was looked."),
    verdict_text(Verdict::Undeclared, "not declared", "Nobody has declared where it is to run."),
    verdict_text(Verdict::Ignored, "not checked", "It is not an image, or not one to judge."),
];

const fn verdict_text(verdict: Verdict, says: &'static str, means: &'static str) -> VerdictText {
    VerdictText { verdict, phrase: says, explanation: means }
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

/// A verdict by its stable spelling. What a later version may call by another name is not known here.
pub(super) fn parse_verdict(name: &str) -> Verdict {
    VERDICTS.iter().map(|words| words.verdict).find(|verdict| verdict.as_str() == name).unwrap_or(Verdict::Unknown)
}

/// Why an image was not checked.
pub(super) fn ignored_reason(name: &str) -> &'static str {
    use IgnoreReason::{Artifact, Attestation, Deleted, NotAnArrival, Superseded, Untagged, VerdictTag};
    let all = [NotAnArrival, Untagged, VerdictTag, Artifact, Attestation, Superseded, Deleted];
    all.into_iter().find(|why| why.as_str() == name).map_or("", crate::report::describe_ignored)
}

/// Who declared a runtime, in brackets.
pub(super) fn format_declaration_source(name: &str) -> String {
    let all = [
        DeclarationSource::ImageTag,
        DeclarationSource::RepositoryTag,
        DeclarationSource::Label,
        DeclarationSource::Default,
        DeclarationSource::CommandLine,
    ];
    let spelt = |source: &DeclarationSource| serde_json::to_value(source).is_ok_and(|value| value == name);
    all.iter().find(|source| spelt(source)).map(|source| format!("declared by {}", source.title())).unwrap_or_default()
}

/// A text of somebody else's, fit to be shown: no control characters, nothing that turns the direction of writing, and no
/// longer than this.
pub(super) fn sanitize(text: &str, most: usize) -> String {
    let cut = crate::text::sanitize(text, most);
    if text.chars().nth(most).is_some() { format!("{cut}\u{2026}") } else { cut }
}

/// A number as people read it: `12,345`.
pub(super) fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
