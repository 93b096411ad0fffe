//! Why an image has its verdict, in a few words: for tables.

use super::stored_report::StoredReport;
use crate::text::sanitize;

/// How many platforms a cause names. An index has up to dozens.
const MAX_CAUSE_PLATFORMS: usize = 2;

/// How many hexadecimal digits of a digest are shown.
const SHORT_DIGEST: usize = 12;

/// The longest cause, in characters.
const MAX_CAUSE_CHARS: usize = 120;

/// The cause in a few words: the fault and the platform or the program, or the beginning of the reason. The evidence is in
/// the results, the CSV file and the page.
pub(super) fn describe_cause(report: &StoredReport) -> String {
    let codes = report.fault_codes();
    let text = match codes.as_slice() {
        [code] if code.starts_with("exec-") => {
            let path = report.exec.iter().filter(|start| start.errno.is_some()).find_map(|start| start.path.as_ref());
            path.map_or_else(|| (*code).to_owned(), |path| format!("{code}: {path}"))
        }
        [code @ ("wrong-architecture" | "wrong-os")] => {
            let platforms = &report.image.platforms;
            let named = platforms.iter().take(MAX_CAUSE_PLATFORMS).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if platforms.len() > MAX_CAUSE_PLATFORMS { ", \u{2026}" } else { "" };
            if named.is_empty() { (*code).to_owned() } else { format!("{code}: {named}{more}") }
        }
        [] => {
            let runtimes = || report.runtimes.iter();
            let unknown = runtimes().flat_map(|runtime| &runtime.unknown).next();
            let not_verified = runtimes().find_map(|runtime| runtime.not_verified.as_deref());
            match (unknown, not_verified) {
                (Some(reason), _) => first_clause(reason).to_owned(),
                (None, Some(reason)) => format!("not verified: {}", first_clause(reason)),
                (None, None) => report.ignored.clone().unwrap_or_default(),
            }
        }
        codes => codes.join(", "),
    };
    sanitize(&shorten_digests(&text), MAX_CAUSE_CHARS)
}

/// The part of a sentence before a colon or semicolon that is not in parentheses.
fn first_clause(sentence: &str) -> &str {
    let ends = [": ", "; "].into_iter().filter_map(|separator| sentence.find(separator));
    match ends.min() {
        Some(end) if !sentence[..end].contains('(') => &sentence[..end],
        _ => sentence,
    }
}

/// Shortens digests to their first characters, as `docker images` does.
fn shorten_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let before = parts.next().unwrap_or_default();
    let shorten = |part: &str| {
        let end = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len());
        let (hex, rest) = part.split_at(end);
        let more = if hex.len() > SHORT_DIGEST { "\u{2026}" } else { "" };
        format!("{}{more}{rest}", &hex[..hex.len().min(SHORT_DIGEST)])
    };
    [before.to_owned()].into_iter().chain(parts.map(shorten)).collect::<Vec<_>>().join("sha256:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_ends_before_the_details() {
        for (sentence, clause) in [
            ("the image declares linux/arm/v7: a 32-bit arm image starts only", "the image declares linux/arm/v7"),
            ("ECR refused the manifest (Denied: message)", "ECR refused the manifest (Denied: message)"),
            ("a volume hides /app; start it once", "a volume hides /app"),
            ("plain", "plain"),
        ] {
            assert_eq!(first_clause(sentence), clause);
        }
    }

    #[test]
    fn digests_are_shortened() {
        let digest = format!("sha256:{}", "3c".repeat(32));
        for (text, short) in [
            (format!("{digest} is not in the repository"), "sha256:3c3c3c3c3c3c\u{2026} is not in the repository"),
            (format!("a {digest}: {digest}"), "a sha256:3c3c3c3c3c3c\u{2026}: sha256:3c3c3c3c3c3c\u{2026}"),
            ("sha256:é sha256:12".to_owned(), "sha256:é sha256:12"),
        ] {
            assert_eq!(shorten_digests(&text), short);
        }
    }
}
