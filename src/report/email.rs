//! Formats the report as an e-mail in plain text.

use super::cause::format_title;
use super::declaration::explain_declaration;
use super::model::Report;
use super::text::format_lines;
use crate::text::{collect_unique, escape_email};
use crate::verdict::Verdict;

/// The longest subject: SNS requires fewer than 100 characters.
const MAX_SUBJECT: usize = 99;

/// The beginning of every subject, by which a mail program can filter.
pub const SUBJECT_PREFIX: &str = "[ecr-preflight] ";

/// Formats the subject: at most 99 printable ASCII characters, as SNS requires.
pub fn email_subject(report: &Report) -> String {
    let ascii = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let title = format!("{SUBJECT_PREFIX}{}", format_title(report));
    if title.chars().count() <= MAX_SUBJECT {
        return title.chars().map(ascii).collect();
    }
    title.chars().map(ascii).take(MAX_SUBJECT - 3).chain("...".chars()).collect()
}

/// Formats the body: the report, where to read more, and how to get fewer messages.
pub fn email_body(report: &Report) -> String {
    let mut lines: Vec<String> = format_lines(report).iter().map(|line| escape_email(&line.text())).collect();
    let faults = collect_unique(report.faults().map(|fault| fault.code));
    let docs = faults.into_iter().filter_map(|code| {
        report.docs_url.as_ref().map(|url| format!("About {}: {}", code.as_str(), code.docs_link(url)))
    });
    let console = report.console_url.iter().map(|url| format!("The image in the Amazon ECR console: {url}"));
    let further: Vec<String> = docs.chain(console).collect();
    if !further.is_empty() {
        lines.push(String::new());
        lines.extend(further);
    }
    let others = report.runtimes().filter(|runtime| runtime.verdict != Verdict::Runs);
    for reason in collect_unique(others.filter_map(|runtime| explain_declaration(report, runtime))) {
        lines.extend([String::new(), escape_email(&format!("It was checked because {reason}"))]);
    }
    lines.push(String::new());
    lines.push("--".to_owned());
    lines.extend(FOOTER.map(str::to_owned));
    if let Some(arrival) = &report.arrival {
        lines.push(format!("  of this repository:  ecr-preflight declare {} --remove", arrival.repository));
    }
    lines.push("  more ways:           \"Silence a repository\" in docs/troubleshooting.md".to_owned());
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Why a person gets the message, and how to stop it. The SNS link follows the message.
const FOOTER: [&str; 4] = [
    "You get this e-mail because your address is subscribed to the SNS topic of ecr-preflight, which checks each",
    "image that arrives in Amazon ECR. To stop messages",
    "  to your address:     the unsubscribe link below, which Amazon SNS adds",
    "  for the whole stack: `make deploy` with an empty EmailAddress",
];
