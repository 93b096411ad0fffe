//! Formats the report as a custom notification of Amazon Q Developer in chat applications: the Slack card.
//!
//! Fields and limits are those of "Custom notifications using Amazon Q Developer in chat applications" in its
//! administrator guide: <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>.

use serde_json::{Value, json};

use super::model::{Remedy, Report};
use super::text::{collect_remarks, collect_steps, format_declared_by, format_headline, runtime_symbol};
use crate::event::ArrivalKind;
use crate::verdict::Verdict;

/// The maximum lengths of title, description, step and keyword in characters. Longer texts would not be shown at all.
const MAX_TITLE: usize = 250;
const MAX_DESCRIPTION: usize = 8000;
const MAX_STEP: usize = 350;
const MAX_KEYWORD: usize = 75;

/// The maximum number of steps on a card: more are not read.
const MAX_STEPS: usize = 8;

/// Returns the card as the JSON that is sent.
pub fn slack_card(report: &Report) -> Value {
    let headline = escape_slack(&format_headline(report));
    let read_digest = report.image.as_ref().map(|image| &image.digest);
    let digest = read_digest.or(report.arrival.as_ref().and_then(|arrival| arrival.digest.as_ref()));
    let steps: Vec<String> = number_steps(report).into_iter().map(|(step, _)| step).collect();
    let mut card = json!({
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": truncate(&format!("{} {headline}", verdict_emoji(report.verdict)), MAX_TITLE),
            "description": truncate(&format_description(report), MAX_DESCRIPTION),
            "nextSteps": steps,
            "keywords": collect_keywords(report),
        },
        "metadata": {
            // Notifications with the same ID, which are about the same image, are shown as one thread.
            "threadId": digest.map_or_else(|| report.display_name(), ToString::to_string),
            "summary": truncate(&headline, MAX_TITLE),
            "eventType": report.verdict.as_str(),
            "enableCustomActions": false,
        },
    });
    if let Some(event_id) = report.arrival.as_ref().map(|arrival| &arrival.event_id).filter(|id| !id.is_empty()) {
        card["id"] = event_id.as_str().into();
    }
    card
}

fn format_description(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(image) = &report.image {
        let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
        let made_for =
            if platforms.is_empty() { String::new() } else { format!(", built for *{}*", platforms.join(", ")) };
        lines.push(format!("{} `{}`{made_for}", arrival_verb(report), escape_slack_code(&image.reference)));
        lines.push(format!("`{}`", image.digest));
    }
    for runtime in report.runtimes() {
        let title = escape_slack(&runtime.subject.title());
        lines.push(format!("\n{} *{title}*{}", runtime_symbol(runtime), format_declared_by(report, runtime)));
        for fault in &runtime.faults {
            let name = fault.code.as_str();
            let docs_link = |url: &String| slack_link(&fault.code.docs_link(url), name);
            let code = report.docs_url.as_ref().map_or_else(|| format!("`{name}`"), docs_link);
            lines.push(format!("{code} {}", escape_slack(&fault.evidence)));
            if let Some(symptom) = &fault.symptom {
                lines.push(format!("expected error: `{}`", escape_slack_code(symptom)));
            }
        }
        lines.extend(runtime.unknown.iter().map(|reason| escape_slack(reason)));
        lines.extend(
            runtime
                .warnings
                .iter()
                .map(|warning| format!("warning: `{}` {}", warning.code.as_str(), escape_slack(&warning.evidence))),
        );
        let not_verified = runtime.not_verified.iter();
        lines.extend(not_verified.map(|reason| format!("start not verified: {}", escape_slack(reason))));
    }
    let long_commands: Vec<String> = number_steps(report).into_iter().filter_map(|(_, command)| command).collect();
    if !long_commands.is_empty() {
        lines.push("\nThe commands that are too long for the steps below:".to_owned());
        lines.extend(long_commands);
    }
    lines.extend(collect_remarks(report).iter().map(|remark| format!("\n_{}_", escape_slack(remark))));
    lines.join("\n")
}

fn arrival_verb(report: &Report) -> &'static str {
    match report.arrival.as_ref().map(|arrival| arrival.how) {
        Some(ArrivalKind::Push) => "Pushed:",
        Some(ArrivalKind::Replica) => "Replicated:",
        Some(ArrivalKind::PullThroughCache) => "Cached from upstream:",
        Some(ArrivalKind::Audit) | None => "Checked:",
    }
}

/// Numbers the steps, because they are tried in this order. Returns each with its command, or with a separate command
/// that is too long for the step. Commands are never truncated: half a command may do harm.
fn number_steps(report: &Report) -> Vec<(String, Option<String>)> {
    let step = |(number, remedy): (usize, &Remedy)| {
        let advice = format!("{number}. {}", escape_slack(&remedy.advice));
        let command = remedy.command.as_ref().map(|command| format!("`{}`", escape_slack_code(command)));
        match command {
            Some(command) if format!("{advice}: {command}").chars().count() <= MAX_STEP => {
                (format!("{advice}: {command}"), None)
            }
            command => (truncate(&advice, MAX_STEP), command.map(|command| format!("{number}. {command}"))),
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

/// Escapes Slack's three control characters: <https://docs.slack.dev/messaging/formatting-message-text>.
pub(crate) fn escape_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes text between backticks, which a backtick would end.
pub(crate) fn escape_slack_code(text: &str) -> String {
    escape_slack(&text.replace('`', "'"))
}

/// Formats a link in Slack's markup (`client-markdown`), `<URL|text>`. A `|` would end the URL.
fn slack_link(url: &str, text: &str) -> String {
    format!("<{}|{}>", escape_slack(&url.replace('|', "%7C")), escape_slack(text))
}

/// Truncates a text to this many characters. The last one is then an ellipsis.
fn truncate(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    text.chars().take(max_chars - 1).chain(['\u{2026}']).collect()
}

#[cfg(test)]
mod tests {
    use super::slack_link;

    #[test]
    fn link_escapes_url_and_text() {
        let link = slack_link("https://docs.example/?a=1&b=<2>|3#exec-format", "exec-format");
        assert_eq!(link, "<https://docs.example/?a=1&amp;b=&lt;2&gt;%7C3#exec-format|exec-format>");
    }
}
