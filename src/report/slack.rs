//! The report as a custom notification of Amazon Q Developer in chat applications: the card in Slack.
//!
//! Does not know SNS. Limits and fields are those of "Custom notifications" in its administrator guide.

use serde::Serialize;
use serde_json::Value;

use super::Report;
use super::text::{collect_remarks, collect_steps, format_declared_by, format_headline, verdict_symbol};
use crate::verdict::Verdict;

/// The longest title, description, step and keyword, in characters. Longer ones are not shown at all, so they are cut
/// here.
const MAX_TITLE: usize = 250;
const MAX_DESCRIPTION: usize = 8000;
const MAX_STEP: usize = 350;
const MAX_KEYWORD: usize = 75;

/// As many steps as one reads.
const MAX_STEPS: usize = 8;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SlackCard {
    version: &'static str,
    source: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    content: CardContent,
    metadata: CardMetadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CardContent {
    text_type: &'static str,
    title: String,
    description: String,
    next_steps: Vec<String>,
    keywords: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CardMetadata {
    /// Notifications of one image are shown as one thread.
    thread_id: String,
    summary: String,
    event_type: &'static str,
    enable_custom_actions: bool,
}

/// The card, as the JSON that is sent.
#[must_use]
pub fn slack_card(report: &Report) -> Value {
    let title = format!("{} {}", verdict_emoji(report.verdict), format_headline(report));
    let digest = report.image.as_ref().map(|image| image.digest.to_string());
    let asked = report.arrival.as_ref().and_then(|arrival| arrival.digest.as_ref()).map(ToString::to_string);
    let card = SlackCard {
        version: "1.0",
        source: "custom",
        id: report.arrival.as_ref().map(|arrival| arrival.event_id.clone()).unwrap_or_default(),
        content: CardContent {
            text_type: "client-markdown",
            title: truncate(&escape_slack(&title), MAX_TITLE),
            description: truncate(&format_description(report), MAX_DESCRIPTION),
            next_steps: number_steps(report).into_iter().map(|step| step.text).collect(),
            keywords: collect_keywords(report),
        },
        metadata: CardMetadata {
            thread_id: digest.or(asked).unwrap_or_else(|| report.display_name()),
            summary: truncate(&escape_slack(&format_headline(report)), MAX_TITLE),
            event_type: report.verdict.as_str(),
            enable_custom_actions: false,
        },
    };
    serde_json::to_value(card).expect("a card holds nothing that JSON cannot")
}

fn format_description(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(image) = &report.image {
        let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
        let made = if platforms.is_empty() { String::new() } else { format!(", made for *{}*", platforms.join(", ")) };
        lines.push(format!("{} `{}`{made}", arrival_verb(report), escape_slack_code(&image.reference)));
        lines.push(format!("`{}`", image.digest));
    }
    for runtime in report.runtimes() {
        let title = escape_slack(&runtime.subject.title());
        lines.push(format!("\n{} *{title}*{}", verdict_symbol(runtime.verdict), format_declared_by(report, runtime)));
        for fault in &runtime.faults {
            lines.push(format!("`{}` {}", fault.code.as_str(), escape_slack(&fault.evidence)));
            if let Some(symptom) = &fault.symptom {
                lines.push(format!("you would meet: `{}`", escape_slack_code(symptom)));
            }
        }
        lines.extend(runtime.unknown.iter().map(|reason| escape_slack(reason)));
    }
    let long: Vec<String> = number_steps(report).into_iter().filter_map(|step| step.command).collect();
    if !long.is_empty() {
        lines.push("\nThe commands that are too long for the steps below:".to_owned());
        lines.extend(long);
    }
    lines.extend(collect_remarks(report).iter().map(|remark| format!("\n_{}_", escape_slack(remark))));
    lines.join("\n")
}

fn arrival_verb(report: &Report) -> &'static str {
    use crate::event::ArrivalKind;
    match report.arrival.as_ref().map(|arrival| arrival.how) {
        Some(ArrivalKind::Push) => "Pushed:",
        Some(ArrivalKind::Replica) => "Replicated:",
        Some(ArrivalKind::PullThroughCache) => "Cached from upstream:",
        Some(ArrivalKind::Audit) | None => "Checked:",
    }
}

/// A step, and its command where that is too long to stand in it.
struct CardStep {
    text: String,
    command: Option<String>,
}

/// Numbered, since they are to be tried in this order. A command is never cut: half of one would be worse than none.
fn number_steps(report: &Report) -> Vec<CardStep> {
    let step = |(number, (advice, command)): (usize, (String, Option<String>))| {
        let advice = format!("{number}. {}", escape_slack(&advice));
        let command = command.map(|command| format!("`{}`", escape_slack_code(&command)));
        match command {
            Some(command) if format!("{advice}: {command}").chars().count() <= MAX_STEP => {
                CardStep { text: format!("{advice}: {command}"), command: None }
            }
            command => {
                CardStep { text: truncate(&advice, MAX_STEP), command: command.map(|text| format!("{number}. {text}")) }
            }
        }
    };
    (1..).zip(collect_steps(report)).map(step).take(MAX_STEPS).collect()
}

fn collect_keywords(report: &Report) -> Vec<String> {
    let codes = report.faults().map(|fault| fault.code.as_str().to_owned());
    let subjects = report.runtimes().map(|runtime| runtime.subject.name());
    let mut keywords: Vec<String> =
        subjects.chain(codes).map(|word| truncate(&escape_slack(&word), MAX_KEYWORD)).collect();
    keywords.dedup();
    keywords
}

fn verdict_emoji(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fails => ":x:",
        Verdict::Unknown => ":grey_question:",
        Verdict::Runs => ":white_check_mark:",
        Verdict::Undeclared | Verdict::Ignored => ":information_source:",
    }
}

/// As Slack wants its three control characters: <https://docs.slack.dev/messaging/formatting-message-text>.
pub(crate) fn escape_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The same for what stands between backticks, where a backtick of its own would end it.
pub(crate) fn escape_slack_code(text: &str) -> String {
    escape_slack(&text.replace('`', "'"))
}

/// At most so many characters, the last of them an ellipsis where anything was cut.
fn truncate(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['\u{2026}']).collect()
}
