//! One message of all that an audit found: the worst by name, the rest by number.
//!
//! Does not send it. The card is a custom notification of Amazon Q Developer, as that of a single report.

use std::io;

use serde_json::{Value, json};

use super::missing::AuditGaps;
use super::results_file::ResultsFile;
use super::row::StoredReport;
use super::summary::format_count;
use crate::lambda::notify::Message;
use crate::report::{escape_slack, escape_slack_code};
use crate::text::sanitize;
use crate::verdict::Verdict;

/// As many images as one reads; the file of results has them all.
const MAX_LISTED_IMAGES: usize = 15;

/// The longest line of one image, in characters: all of them stay within half of a card's description, which holds 8000.
const MAX_LINE_CHARS: usize = 250;

/// The message, where there is anything that people are to be told: what fails, what could not be told, and what there is no
/// answer of.
///
/// # Errors
/// Where the results cannot be read again.
pub(super) fn build_message(results: &mut ResultsFile, missing: AuditGaps) -> io::Result<Option<Message>> {
    let found = results.index.offsets_worst_first(|verdict| matches!(verdict, Verdict::Fails | Verdict::Unknown));
    if found.is_empty() && !missing.is_any() {
        return Ok(None);
    }
    let rows = found
        .iter()
        .take(MAX_LISTED_IMAGES)
        .map(|at| results.read_row(*at))
        .collect::<io::Result<Vec<StoredReport>>>()?;
    let tally = &results.index;
    let (fails, unknown) = (tally.verdict_count(Verdict::Fails), tally.verdict_count(Verdict::Unknown));
    let untold = format!("{} could not be checked", format_count(unknown, "image"));
    let broken = format!("{} will not start", format_count(fails, "image"));
    let headline = match (fails, unknown) {
        (0, 0) => "Audit: not everything could be looked at".to_owned(),
        (0, _) => format!("Audit: {untold}"),
        (_, 0) => format!("Audit: {broken}"),
        _ => format!("Audit: {broken}, {unknown} could not be checked"),
    };
    // Of all that was asked about, not of what stands below.
    let places = tally
        .single_registry()
        .map(|(region, account)| format!(", in {} of account {}", sanitize(region, 32), sanitize(account, 12)));
    let places = places.unwrap_or_default();
    let faults: Vec<String> =
        tally.faults_by_count().iter().map(|(code, count)| format!("{} {count}", sanitize(code, 40))).collect();
    let of_all = format!("of {} that were asked about{places}", format_count(tally.line_count(), "image"));
    let more = found.len().saturating_sub(rows.len());
    let more = if more > 0 { format!("and {more} more") } else { String::new() };
    let plain = |row: &StoredReport| format_image(row, &row.subject(), str::to_owned);
    let marked = |row: &StoredReport| {
        format_image(row, &format!("`{}`", escape_slack_code(&sanitize(&row.subject(), MAX_LINE_CHARS))), escape_slack)
    };
    let all = [vec![of_all], missing.sentences()].concat();
    let escaped: Vec<String> = all.iter().map(|sentence| escape_slack(sentence)).collect();
    let text = join_paragraphs(&[vec![headline.clone()], all].concat(), rows.iter().map(plain), &more, &faults);
    let description = join_paragraphs(&escaped, rows.iter().map(marked), &more, &faults);
    let verdict = if fails > 0 { Verdict::Fails } else { Verdict::Unknown };
    let codes: Vec<&str> = tally.faults_by_count().into_iter().map(|(code, _)| code).collect();
    let attributes = vec![
        ("verdict", vec![verdict.as_str().to_owned()]),
        ("fault", codes.iter().map(|code| (*code).to_owned()).collect()),
    ];
    let json = build_json(results, missing, &rows).to_string();
    let bodies = vec![
        ("default", text.clone()),
        ("email", text),
        ("https", build_card(&headline, &description, verdict, &codes).to_string()),
        ("lambda", json.clone()),
        ("sms", headline.clone()),
        ("sqs", json),
    ];
    let attributes = attributes.into_iter().filter(|(_, values): &(_, Vec<String>)| !values.is_empty()).collect();
    Ok(Some(Message { subject: headline, bodies, attributes }))
}

/// One image in one line.
fn format_image(row: &StoredReport, subject: &str, mark_up: impl Fn(&str) -> String) -> String {
    let sign = if row.verdict == Verdict::Fails { '\u{2717}' } else { '?' };
    let more = if row.also_tagged.is_empty() { String::new() } else { format!(" +{}", row.also_tagged.len()) };
    let answers = row.runtimes.iter().filter(|answer| answer.verdict == row.verdict);
    let reason = |answer: &super::row::StoredRuntime| {
        let faults = answer.faults.iter().map(|fault| format!("{}: {}", fault.code, fault.evidence));
        let reasons: Vec<String> = faults.chain(answer.unknown.iter().cloned()).collect();
        format!("{} {}", answer.runtime, reasons.join(", "))
    };
    let reasons: Vec<String> = answers.map(reason).collect();
    format!("{sign} {subject}{more}: {}", mark_up(&sanitize(&reasons.join("; "), MAX_LINE_CHARS)))
}

fn join_paragraphs(head: &[String], lines: impl Iterator<Item = String>, more: &str, faults: &[String]) -> String {
    let lines: Vec<String> = lines.chain([more.to_owned()]).filter(|line| !line.is_empty()).collect();
    let mut all = vec![head.join("\n"), lines.join("\n")];
    all.retain(|paragraph| !paragraph.is_empty());
    if !faults.is_empty() {
        all.push(format!("by fault: {}", faults.join(", ")));
    }
    format!("{}\n", all.join("\n\n"))
}

/// What a queue or a function reads.
fn build_json(results: &ResultsFile, missing: AuditGaps, rows: &[StoredReport]) -> Value {
    let tally = &results.index;
    let verdicts = super::summary::VERDICT_WORDS
        .map(|(verdict, _)| (verdict.as_str().to_owned(), Value::from(tally.verdict_count(verdict))));
    let finding = |row: &StoredReport| {
        json!({
            "account": row.account, "region": row.region, "repository": row.repository, "tag": row.tag,
            "digest": row.digest, "verdict": row.verdict, "intended": row.intended, "faults": row.fault_codes(),
        })
    };
    json!({
        "schema": "ecr-preflight-audit/1",
        "images": tally.line_count(),
        "unread": missing.unread_images,
        "unlistedRepositories": missing.unlisted_repositories,
        "complete": !missing.is_any(),
        "verdicts": verdicts.into_iter().collect::<serde_json::Map<_, _>>(),
        "faults": tally.faults_by_count().into_iter().map(|(code, count)| (code.to_owned(), Value::from(count))).collect::<serde_json::Map<_, _>>(),
        "worst": rows.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn build_card(headline: &str, description: &str, verdict: Verdict, codes: &[&str]) -> Value {
    let sign = if verdict == Verdict::Fails { ":x:" } else { ":grey_question:" };
    json!({
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": format!("{sign} {}", escape_slack(headline)),
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
