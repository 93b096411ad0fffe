//! Publishes reports to an SNS topic, in a format for each kind of subscriber.

use std::collections::BTreeMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;

use super::shorten::{SHORTENINGS, Shortening};
use crate::aws::service_error::{BoxError, CallError, convert_sdk_error};
use crate::report::{self, Report, RuntimeReport};
use crate::text::sanitize;
use crate::verdict::FindingSubject;

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject of an e-mail: at most 99 printable ASCII characters.
    pub subject: String,
    /// The body for each subscription protocol; `default` is for all others.
    pub bodies: Vec<(&'static str, String)>,
    /// The names and values of the attributes that filter policies of subscriptions can use.
    pub attributes: Vec<(&'static str, Vec<String>)>,
}

impl Message {
    /// Returns the bodies as one JSON object (`MessageStructure` in the Amazon SNS API reference).
    fn json(&self) -> String {
        let bodies: BTreeMap<&str, &str> = self.bodies.iter().map(|(name, body)| (*name, body.as_str())).collect();
        serde_json::to_string(&bodies).expect("strings are valid JSON")
    }

    /// Returns the size that SNS limits, in bytes: of all bodies, and of the names, types and values of attributes. The
    /// subject is counted too, because it is undocumented whether it counts.
    pub fn size(&self) -> usize {
        let size_of = |(name, values): &(&str, Vec<String>)| {
            let (kind, value) = attribute_value(values);
            name.len() + kind.len() + value.len()
        };
        self.subject.len() + self.json().len() + self.attributes.iter().map(size_of).sum::<usize>()
    }

    /// Returns whether the message is small enough without measuring it, which costs as much as building it.
    fn fits_certainly(&self) -> bool {
        let bodies: usize = self.bodies.iter().map(|(name, body)| name.len() + body.len()).sum();
        let values =
            self.attributes.iter().flat_map(|(name, values)| values.iter().map(|value| name.len() + value.len()));
        // An escape in JSON has at most six bytes for each byte; the types and brackets of attributes have less.
        (self.subject.len() + bodies + values.sum::<usize>() + MAX_ATTRIBUTE_OVERHEAD) * MAX_ESCAPED_BYTES
            <= MAX_MESSAGE_BYTES
    }
}

/// Sends messages.
pub trait Notifier {
    /// Sends a message.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the message was sent; the event is then retried.
    fn send(&self, message: &Message) -> impl Future<Output = Result<(), CallError>>;
}

/// The longest headline in a message that has nothing else, in characters.
const MAX_HEADLINE: usize = 10_000;

/// The longest text message: a single SMS, in characters.
const MAX_SMS: usize = 160;

/// The largest message with its attributes, in bytes: `Publish` in the Amazon SNS API reference, and "Amazon SNS message
/// attributes" in the developer guide.
const MAX_MESSAGE_BYTES: usize = 262_144;

/// The longest escape of a byte in JSON: `\u001f`.
const MAX_ESCAPED_BYTES: usize = 6;

/// More bytes than the types and punctuation of all attributes and bodies.
const MAX_ATTRIBUTE_OVERHEAD: usize = 1024;

/// The remark in a shortened message.
const SHORTENED: &str =
    "Details are left out, because the message would be too large. `ecr-preflight check` prints them";

/// Builds the message for a report. If it would be larger than SNS accepts, details are left out in a fixed order, but
/// never the headline.
pub fn build_message(report: &Report) -> Message {
    let mut message = format_message(report);
    if message.fits_certainly() {
        return message;
    }
    let mut shortened = report.clone();
    for Shortening { leaves_out, apply } in SHORTENINGS {
        if message.size() <= MAX_MESSAGE_BYTES {
            return message;
        }
        apply(&mut shortened);
        shortened.omitted.push(leaves_out);
        let mut with_remark = shortened.clone();
        with_remark.remarks.push(SHORTENED.to_owned());
        message = format_message(&with_remark);
    }
    if message.size() > MAX_MESSAGE_BYTES {
        // Only far more runtimes than anyone can declare lead here.
        message.bodies.retain(|(name, _)| ["https", "sms"].contains(name));
        message.bodies.push(("default", report::format_headline(report).chars().take(MAX_HEADLINE).collect()));
        message.attributes.retain(|(name, _)| ["verdict", "repository", "owner"].contains(name));
    }
    message
}

fn format_message(report: &Report) -> Message {
    let headline = report::format_headline(report);
    let text = report::format_text(report);
    let json = serde_json::to_string(report).expect("a report is valid JSON");
    let bodies = vec![
        ("default", text),
        ("email", report::email_body(report)),
        ("https", report::slack_card(report).to_string()),
        ("lambda", json.clone()),
        ("sms", sanitize(&headline, MAX_SMS)),
        ("sqs", json),
    ];
    Message { subject: report::email_subject(report), bodies, attributes: build_attributes(report) }
}

fn build_attributes(report: &Report) -> Vec<(&'static str, Vec<String>)> {
    let repository = report.arrival.as_ref().map(|arrival| arrival.repository.clone());
    // The text of an invalid declaration is not useful in a filter.
    let is_filterable = |runtime: &&RuntimeReport| !matches!(runtime.subject, FindingSubject::Declaration(_));
    let runtimes = report.runtimes().filter(is_filterable).map(|runtime| runtime.subject.name());
    let faults = report.faults().map(|fault| fault.code.as_str().to_owned());
    let attributes = [
        ("verdict", vec![report.verdict.as_str().to_owned()]),
        ("repository", repository.into_iter().collect()),
        ("owner", report.owner.iter().cloned().collect()),
        ("runtime", distinct(runtimes)),
        ("fault", distinct(faults)),
    ];
    // SNS rejects a message with an empty attribute.
    attributes.into_iter().filter(|(_, values)| !values.is_empty()).collect()
}

/// Removes duplicates and empty values.
fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct = Vec::new();
    for value in values {
        if !value.is_empty() && !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

/// Publishes to one SNS topic.
#[derive(Debug)]
pub struct SnsTopic {
    client: Client,
    arn: String,
}

impl SnsTopic {
    /// Creates the notifier for the topic with this ARN.
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }
}

impl Notifier for SnsTopic {
    async fn send(&self, message: &Message) -> Result<(), CallError> {
        let failed = |source: BoxError| CallError::new("sns:Publish", self.arn.clone(), source);
        let request = self.client.publish().topic_arn(&self.arn).subject(&message.subject);
        let mut request = request.message_structure("json").message(message.json());
        for (name, values) in &message.attributes {
            let (kind, value) = attribute_value(values);
            let value = MessageAttributeValue::builder().data_type(kind).string_value(value).build();
            request = request.message_attributes(*name, value.map_err(|error| failed(error.into()))?);
        }
        let Err(error) = request.send().await else { return Ok(()) };
        let problem = match error.code() {
            Some("AuthorizationError" | "AccessDenied" | "AccessDeniedException") => {
                "was denied: allow the function this action on this resource"
            }
            Some("NotFound") => "failed: the topic does not exist",
            Some("KMSAccessDenied") => {
                "was denied by the topic's KMS key: allow the function kms:GenerateDataKey* and kms:Decrypt on it"
            }
            _ => "failed",
        };
        Err(CallError { problem, ..failed(convert_sdk_error(error)) })
    }
}

/// Returns the type and value of an attribute: a string for one value, a list for several. A filter policy matches both
/// in the same way.
fn attribute_value(values: &[String]) -> (&'static str, String) {
    match values {
        [value] => ("String", value.clone()),
        values => ("String.Array", serde_json::to_string(values).expect("strings are valid JSON")),
    }
}
