//! Formats the report as a custom notification of Amazon Q Developer in chat applications: the Slack card.
//!
//! Fields and limits are those of "Custom notifications using Amazon Q Developer in chat applications" in its
//! administrator guide: <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>.

use serde_json::{Value, json};

use super::cause::{find_cause, format_title};
use super::declaration::explain_declaration;
use super::model::{Remedy, Report, RuntimeReport, WarningReport};
use super::text::{
    collect_remarks, collect_steps, describe_wrong_side, format_declared_by, format_headline, runtime_symbol,
};
use crate::event::ArrivalKind;
use crate::name::repository_arn;
use crate::text::{escape_slack, escape_slack_code, truncate_slack};
use crate::verdict::Verdict;

/// The maximum lengths of title, description, step and keyword in characters. Longer texts would not be shown at all.
const MAX_TITLE: usize = 250;
const MAX_DESCRIPTION: usize = 8000;
const MAX_STEP: usize = 350;
const MAX_KEYWORD: usize = 75;

/// The maximum number of steps on a card: the most likely remedy and two alternatives. Every step is in the JSON report.
const MAX_STEPS: usize = 3;

/// The longest name in a title, in characters. A repository's name and a tag have up to 385, and the cause must fit, too.
const MAX_NAME_IN_TITLE: usize = 100;

/// Returns the card as the JSON that is sent.
pub fn slack_card(report: &Report) -> Value {
    let read_digest = report.image.as_ref().map(|image| &image.digest);
    let digest = read_digest.or(report.arrival.as_ref().and_then(|arrival| arrival.digest.as_ref()));
    let steps: Vec<String> = number_steps(report).into_iter().map(|(step, _)| step).collect();
    let mut card = json!({
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": truncate_slack(&format_card_title(report), MAX_TITLE),
            "description": truncate_slack(&format_description(report), MAX_DESCRIPTION),
            "nextSteps": steps,
            "keywords": collect_keywords(report),
        },
        "metadata": {
            "threadId": thread_id(report),
            "summary": truncate_slack(&escape_slack(&format_title(report)), MAX_TITLE),
            "eventType": report.verdict.as_str(),
            "enableCustomActions": false,
        },
    });
    if let Some(digest) = digest {
        card["metadata"]["additionalContext"] = json!({ "digest": digest.as_str() });
    }
    if let Some(arrival) = &report.arrival {
        let arn = repository_arn(Some(&arrival.account), &arrival.region, &arrival.repository);
        card["metadata"]["relatedResources"] = json!([arn]);
    }
    if let Some(event_id) = report.arrival.as_ref().map(|arrival| &arrival.event_id).filter(|id| !id.is_empty()) {
        card["id"] = event_id.as_str().into();
    }
    card
}

/// Notifications with the same ID are shown as one thread: all that are about the same tag.
fn thread_id(report: &Report) -> String {
    report.arrival.as_ref().map_or_else(
        || report.display_name(),
        |arrival| format!("{}/{}/{}", arrival.account, arrival.region, report.display_name()),
    )
}

/// Formats the headline and the cause, with the image's name as code.
fn format_card_title(report: &Report) -> String {
    let (headline, name) = (format_headline(report), report.display_name());
    let headline = match headline.strip_prefix(&name) {
        Some(rest) => {
            let shown = truncate_slack(&escape_slack_code(&name), MAX_NAME_IN_TITLE);
            format!("`{shown}`{}", escape_slack(rest))
        }
        None => escape_slack(&headline),
    };
    let cause = find_cause(report).map(|cause| format!(": {}", escape_slack(&mark_names(&cause.text, cause.names))));
    let cause = cause.unwrap_or_default();
    format!("{} {headline}{cause}", title_emoji(report))
}

fn format_description(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(image) = &report.image {
        let platforms: Vec<String> = image.platforms.iter().map(|platform| format!("`{platform}`")).collect();
        let made_for =
            if platforms.is_empty() { String::new() } else { format!(", built for {}", platforms.join(", ")) };
        let console = report.console_url.as_ref().map(|url| slack_link(url, "Amazon ECR console"));
        let console = console.map(|link| format!(" in the {link}")).unwrap_or_default();
        lines.push(format!("{} `{}`{made_for}", arrival_verb(report), escape_slack_code(&image.reference)));
        lines.push(format!("Digest `sha256:{}`{console}", image.digest.short()));
    }
    lines.extend(report.consumer.iter().map(|consumer| format!("Run by {}", escape_slack(&consumer.describe()))));
    lines.extend(report.owner.iter().map(|owner| format!("Owner: `{}`", escape_slack_code(owner))));
    for runtime in report.runtimes() {
        lines.push(String::new());
        lines.extend(describe_runtime(report, runtime));
    }
    let long_commands: Vec<String> = number_steps(report).into_iter().filter_map(|(_, command)| command).collect();
    if !long_commands.is_empty() {
        lines.push("\nThe commands that are too long for the steps below:".to_owned());
        lines.extend(long_commands);
    }
    lines.extend(collect_remarks(report).iter().map(|remark| format!("\n_{}_", escape_slack(remark))));
    lines.join("\n")
}

fn describe_runtime(report: &Report, runtime: &RuntimeReport) -> Vec<String> {
    // What is declared is explained below.
    let platform = if runtime.consumers.is_empty() { String::new() } else { format_declared_by(report, runtime) };
    let title = escape_slack(&runtime.subject.title());
    let mut lines = vec![format!("{} *{title}*{}", runtime_symbol(runtime), escape_slack(&platform))];
    lines.extend(runtime.describe_consumers().map(|consumers| format!("Run by {}", escape_slack(&consumers))));
    for fault in &runtime.faults {
        let name = fault.code.as_str();
        let docs_link = |url: &String| slack_link(&fault.code.docs_link(url), name);
        let code = report.docs_url.as_ref().map_or_else(|| format!("`{name}`"), docs_link);
        lines.push(format!("{code}: {}", escape_slack(&mark_names(&fault.evidence, &fault.names))));
        lines.extend(
            describe_wrong_side(report, runtime, fault).map(|side| escape_slack(&format!("To change: {side}"))),
        );
        let waiver = fault.describe_waiver();
        lines.extend(waiver.map(|(label, reason)| escape_slack(&format!("{label}: {reason}"))));
        lines.extend(fault.symptom.iter().map(|symptom| format!("Expected error: `{}`", escape_slack_code(symptom))));
    }
    lines.extend(runtime.unknown.iter().map(|reason| escape_slack(reason)));
    let warning =
        |warning: &WarningReport| format!("Warning: `{}`: {}", warning.code.as_str(), escape_slack(&warning.evidence));
    lines.extend(runtime.warnings.iter().map(warning));
    lines.extend(runtime.not_verified.iter().map(|reason| format!("Start not verified: {}", escape_slack(reason))));
    // Nobody needs to change a declaration that the image suits.
    let reason = explain_declaration(report, runtime).filter(|_| runtime.verdict != Verdict::Runs);
    lines.extend(reason.map(|reason| format!("Checked because {}", escape_slack(&reason))));
    lines
}

/// Puts names from the image between backticks, at their first occurrence that is a whole word.
fn mark_names(text: &str, names: &[String]) -> String {
    names.iter().filter(|name| !name.is_empty() && !name.contains('`')).fold(text.to_owned(), |text, name| {
        let is_edge = |c: Option<char>| c.is_none_or(|c| c == ' ' || ",:)(".contains(c));
        let mut found = text.match_indices(name.as_str()).map(|(at, _)| (at, at + name.len()));
        let found = found.find(|(start, end)| {
            is_edge(text[..*start].chars().next_back())
                && is_edge(text[*end..].chars().next())
                && text[..*start].matches('`').count() % 2 == 0
        });
        found.map_or(text.clone(), |(start, end)| format!("{}`{name}`{}", &text[..start], &text[end..]))
    })
}

fn arrival_verb(report: &Report) -> &'static str {
    match report.arrival.as_ref().map(|arrival| arrival.how) {
        Some(ArrivalKind::Push) => "Pushed:",
        Some(ArrivalKind::Replica) => "Replicated:",
        Some(ArrivalKind::PullThroughCache) => "Cached from upstream:",
        Some(ArrivalKind::Consumer) => "To be run:",
        Some(ArrivalKind::StoppedTask) => "Was run:",
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
            command => (truncate_slack(&advice, MAX_STEP), command.map(|command| format!("{number}. {command}"))),
        }
    };
    (1..).zip(collect_steps(report)).map(step).take(MAX_STEPS).collect()
}

fn collect_keywords(report: &Report) -> Vec<String> {
    let codes = report.faults().map(|fault| fault.code.as_str().to_owned());
    let subjects = report.runtimes().map(|runtime| runtime.subject.name());
    let mut keywords: Vec<String> =
        subjects.chain(codes).map(|word| truncate_slack(&escape_slack(&word), MAX_KEYWORD)).collect();
    keywords.dedup();
    keywords
}

fn title_emoji(report: &Report) -> &'static str {
    match report.verdict {
        Verdict::Fails => ":x:",
        Verdict::Unknown => ":grey_question:",
        Verdict::Runs if report.has_unverified_pass() => ":white_circle:",
        Verdict::Runs => ":white_check_mark:",
        Verdict::Undeclared | Verdict::Ignored => ":information_source:",
    }
}

/// Formats a link in Slack's markup (`client-markdown`), `<URL|text>`. A `|` would end the URL. Both come from this
/// program and the settings.
fn slack_link(url: &str, text: &str) -> String {
    format!("<{}|{}>", escape_slack_code(&url.replace('|', "%7C")), escape_slack(text))
}

#[cfg(test)]
mod tests {
    use super::{mark_names, slack_link};

    #[test]
    fn link_escapes_url_and_text() {
        let link = slack_link("https://docs.example/?a=1&b=<2>|3#exec-format", "exec-format");
        assert_eq!(link, "<https://docs.example/?a=1&amp;b=&lt;2&gt;%7C3#exec-format|exec-format>");
    }

    #[test]
    fn names_become_code() {
        let names = ["/a b*".to_owned(), "is".to_owned(), "/run".to_owned()];
        assert_eq!(
            mark_names("this: /a b*, the loader of /run, is /run", &names),
            "this: `/a b*`, the loader of `/run`, `is` /run"
        );
        assert_eq!(mark_names("`/run` is", &names[2..]), "`/run` is");
    }
}
