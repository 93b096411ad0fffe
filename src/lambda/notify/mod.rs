//! Messages: the report in the form that each kind of subscriber reads. One of the two rooms that write.
//!
//! Does not decide whether anything is worth saying.

pub mod sns;

use crate::aws::service_error::BoxError;
use crate::report::{self, Report, RuntimeReport};
use crate::verdict::FindingSubject;

/// One message, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject of an e-mail: at most 99 printable ASCII characters.
    pub subject: String,
    /// The body for each protocol of a subscription; `default` for those without one of their own.
    pub bodies: Vec<(&'static str, String)>,
    /// What a subscription's filter policy can ask for: a name and one or more values.
    pub attributes: Vec<(&'static str, Vec<String>)>,
}

/// Tells people.
pub trait Notifier {
    /// Sends one message.
    ///
    /// # Errors
    /// Where it is not known to have been sent; then the whole event is to be retried.
    fn send(&self, message: &Message) -> impl Future<Output = Result<(), NotifyError>>;
}

/// The message may not have been sent.
#[derive(Debug, thiserror::Error)]
#[error("{action} on {resource} {problem}")]
pub struct NotifyError {
    /// The action that failed.
    pub action: &'static str,
    /// What it was to act on.
    pub resource: String,
    /// How it failed, and what to do where that is known.
    pub problem: &'static str,
    /// Why.
    pub source: BoxError,
}

/// The longest subject: SNS wants fewer than 100 characters.
const MAX_SUBJECT: usize = 99;

/// The longest text message: one SMS of 160 characters.
const MAX_SMS: usize = 160;

/// The message of a report.
#[must_use]
pub fn build_message(report: &Report) -> Message {
    let headline = report::format_headline(report);
    let text = report::format_text(report);
    let json = serde_json::to_string(report).expect("a report holds nothing that JSON cannot");
    let ascii = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let bodies = vec![
        ("default", text.clone()),
        ("email", text),
        ("https", report::slack_card(report).to_string()),
        ("lambda", json.clone()),
        ("sms", headline.chars().take(MAX_SMS).collect()),
        ("sqs", json),
    ];
    Message {
        subject: headline.chars().map(ascii).take(MAX_SUBJECT).collect(),
        bodies,
        attributes: build_attributes(report),
    }
}

fn build_attributes(report: &Report) -> Vec<(&'static str, Vec<String>)> {
    // SNS refuses a message with an empty value, and a declaration with nothing in it has an empty name.
    let once = |values: Vec<String>| {
        let mut seen: Vec<String> = Vec::new();
        values.into_iter().filter(|value| !value.is_empty()).for_each(|value| {
            if !seen.contains(&value) {
                seen.push(value);
            }
        });
        seen
    };
    // A word that names no runtime is no value to filter by.
    let is_place = |runtime: &&RuntimeReport| !matches!(runtime.subject, FindingSubject::Declaration(_));
    let repository = report.arrival.iter().map(|arrival| arrival.repository.clone()).collect();
    let attributes = vec![
        ("verdict", vec![report.verdict.as_str().to_owned()]),
        ("repository", repository),
        ("runtime", once(report.runtimes().filter(is_place).map(|runtime| runtime.subject.name()).collect())),
        ("fault", once(report.faults().map(|fault| fault.code.as_str().to_owned()).collect())),
    ];
    attributes.into_iter().filter(|(_, values)| !values.is_empty()).collect()
}
