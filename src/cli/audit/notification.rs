//! One message about an audit: the worst images by name, the others by number.

use std::io;

use serde_json::{Map, Value, json};

use super::results_file::ResultsFile;
use super::summary::{AuditSummary, format_count};
use crate::cli::image_outcome::ImageOutcome;
use crate::cli::stored_report::StoredReport;
use crate::cli::stored_runtime::StoredRuntime;
use crate::lambda::notify::Message;
use crate::report::SUBJECT_PREFIX;
use crate::text::{escape_email, escape_slack, escape_slack_code, sanitize};
use crate::verdict::Verdict;

/// How many images are named: as many as a person reads. The results file has all of them.
const MAX_LISTED_IMAGES: usize = 15;

/// The longest line of an image, in characters: all of them fit into half of a card's description, which holds 8000.
const MAX_LINE_CHARS: usize = 250;

/// Builds the message; `None` if every image was checked and none is failing or unknown.
///
/// # Errors
/// The results cannot be read.
pub(super) fn build_message(results: &mut ResultsFile, summary: &AuditSummary<'_>) -> io::Result<Option<Message>> {
    let found = results.index.offsets_worst_first(ImageOutcome::is_problem);
    if found.is_empty() && summary.is_complete() {
        return Ok(None);
    }
    let listed = found.iter().take(MAX_LISTED_IMAGES).map(|offset| results.read_report(*offset));
    let reports = listed.collect::<io::Result<Vec<StoredReport>>>()?;
    let counts = &results.index.counts;
    let (fails, unknown) = (counts.of_outcome(ImageOutcome::Fails), counts.of_outcome(ImageOutcome::Unknown));
    let failing = format!("{} will not start", format_count(fails, "image"));
    let headline = match (fails, unknown) {
        (0, 0) => "Audit: incomplete".to_owned(),
        (0, _) => format!("Audit: the verdict of {} is unknown", format_count(unknown, "image")),
        (_, 0) => format!("Audit: {failing}"),
        _ => format!("Audit: {failing}, {unknown} unknown"),
    };
    let registry = match counts.registries.iter().collect::<Vec<_>>().as_slice() {
        [(account, region)] => format!(" in {region} of account {account}"),
        _ => String::new(),
    };
    let total = format!("{} checked{}", format_count(counts.images, "image"), registry);
    let faults: Vec<String> = counts.counting_faults().iter().map(|(code, count)| format!("{code} {count}")).collect();
    let more = match found.len().saturating_sub(reports.len()) {
        0 => String::new(),
        more => format!("and {more} more"),
    };
    let plain = |report: &StoredReport| format_image(report, &report.subject(), escape_email);
    let slack = |report: &StoredReport| {
        let subject = escape_slack_code(&sanitize(&report.subject(), MAX_LINE_CHARS));
        format_image(report, &format!("`{subject}`"), escape_slack)
    };
    let facts = [vec![total], summary.gap_sentences()].concat();
    let escaped: Vec<String> = facts.iter().map(|sentence| escape_slack(sentence)).collect();
    let text = join_paragraphs(&[vec![headline.clone()], facts].concat(), reports.iter().map(plain), &more, &faults);
    let description = join_paragraphs(&escaped, reports.iter().map(slack), &more, &faults);
    let verdict = if fails > 0 { Verdict::Fails } else { Verdict::Unknown };
    let codes: Vec<&str> = counts.counting_faults().into_iter().map(|(code, _)| code).collect();
    let mut attributes = vec![
        ("verdict", vec![verdict.as_str().to_owned()]),
        ("fault", codes.iter().map(|code| (*code).to_owned()).collect()),
    ];
    attributes.retain(|(_, values): &(_, Vec<String>)| !values.is_empty());
    let json = build_json(results, summary, &reports).to_string();
    let bodies = vec![
        ("default", text.clone()),
        ("email", text),
        ("https", build_card(&headline, &description, verdict, &codes).to_string()),
        ("lambda", json.clone()),
        ("sms", headline.clone()),
        ("sqs", json),
    ];
    let subject = format!("{SUBJECT_PREFIX}{headline}");
    Ok(Some(Message { subject, bodies, attributes }))
}

/// Formats one image as one line.
fn format_image(report: &StoredReport, subject: &str, escape: impl Fn(&str) -> String) -> String {
    let symbol = if report.outcome() == ImageOutcome::Fails { '\u{2717}' } else { '?' };
    let also = report.arrival.also_tagged.len();
    let also = if also == 0 { String::new() } else { format!(" +{also}") };
    let reason = |runtime: &StoredRuntime| {
        let faults = runtime.faults.iter().map(|fault| format!("{}: {}", fault.code, fault.evidence));
        let reasons: Vec<String> = faults.chain(runtime.unknown.iter().cloned()).collect();
        format!("{} {}", runtime.runtime, reasons.join(", "))
    };
    let affected = report.runtimes.iter().filter(|runtime| runtime.verdict() == report.verdict());
    let reasons: Vec<String> = affected.map(reason).collect();
    format!("{symbol} {subject}{also}: {}", escape(&sanitize(&reasons.join("; "), MAX_LINE_CHARS)))
}

fn join_paragraphs(head: &[String], lines: impl Iterator<Item = String>, more: &str, faults: &[String]) -> String {
    let lines: Vec<String> = lines.chain([more.to_owned()]).filter(|line| !line.is_empty()).collect();
    let mut paragraphs = vec![head.join("\n"), lines.join("\n")];
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    if !faults.is_empty() {
        paragraphs.push(format!("by fault: {}", faults.join(", ")));
    }
    format!("{}\n", paragraphs.join("\n\n"))
}

/// Builds the message for queues and functions.
fn build_json(results: &ResultsFile, summary: &AuditSummary<'_>, reports: &[StoredReport]) -> Value {
    let counts = &results.index.counts;
    let count = |outcome: ImageOutcome| (outcome.as_str().to_owned(), counts.of_outcome(outcome).into());
    // Most audits have neither waivers nor a baseline.
    let is_shown = |outcome: &ImageOutcome| {
        !matches!(outcome, ImageOutcome::Known | ImageOutcome::Waived) || counts.of_outcome(*outcome) > 0
    };
    let verdicts = ImageOutcome::ALL.into_iter().filter(is_shown).map(count);
    let faults = counts.counting_faults().into_iter().map(|(code, count)| (code.to_owned(), count.into()));
    let finding = |report: &StoredReport| {
        let [account, region, repository, digest, tag] = report.identity();
        let intended: Vec<&str> = report.intended.iter().map(|intent| intent.runtime.as_str()).collect();
        let owner = Some(sanitize(&report.owner, MAX_LINE_CHARS)).filter(|owner| !owner.is_empty());
        let mut finding = json!({
            "account": account, "region": region, "repository": repository, "tag": tag, "digest": digest,
            "verdict": report.verdict(), "intended": intended, "faults": report.counting_codes(),
        });
        if let Some(owner) = owner {
            finding["owner"] = owner.into();
        }
        finding
    };
    json!({
        "schema": "ecr-preflight/audit/1",
        "images": counts.images,
        "unreadImages": summary.totals.unread_images,
        "unlistedRepositories": summary.totals.unlisted_repositories,
        "complete": summary.is_complete(),
        "verdicts": verdicts.collect::<Map<_, _>>(),
        "faults": faults.collect::<Map<_, _>>(),
        "worst": reports.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// Builds a custom notification of Amazon Q Developer in chat applications, with the layout of a single report.
fn build_card(headline: &str, description: &str, verdict: Verdict, codes: &[&str]) -> Value {
    let emoji = if verdict == Verdict::Fails { ":x:" } else { ":grey_question:" };
    json!({
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": format!("{emoji} {}", escape_slack(headline)),
            "description": description,
            "keywords": codes,
        },
        "metadata": {
            "threadId": "ecr-preflight-audit",
            "summary": escape_slack(headline),
            "eventType": verdict.as_str(),
            "enableCustomActions": false,
        },
    })
}
