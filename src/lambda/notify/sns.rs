//! Messages to an SNS topic: one publish, a body for each protocol.
//!
//! Does not know who subscribes.

use std::collections::BTreeMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;

use super::{Message, Notifier, NotifyError};
use crate::aws::service_error::{BoxError, convert_sdk_error};

/// Publishes to one topic.
#[derive(Debug)]
pub struct SnsTopic {
    client: Client,
    arn: String,
}

impl SnsTopic {
    /// The topic with this ARN.
    #[must_use]
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }
}

impl Notifier for SnsTopic {
    async fn send(&self, message: &Message) -> Result<(), NotifyError> {
        let failed = |outcome, source| NotifyError {
            action: "sns:Publish",
            resource: self.arn.clone(),
            problem: outcome,
            source,
        };
        let bodies: BTreeMap<&str, &str> = message.bodies.iter().map(|(name, body)| (*name, body.as_str())).collect();
        let text = serde_json::to_string(&bodies).map_err(|error| failed("failed", error.into()))?;
        let mut request = self.client.publish().topic_arn(&self.arn).subject(&message.subject);
        request = request.message_structure("json").message(text);
        for (name, values) in &message.attributes {
            let value = attribute_value(values).map_err(|source| failed("failed", source))?;
            request = request.message_attributes(*name, value);
        }
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let outcome = match error.code() {
                    Some("AuthorizationError" | "AccessDenied" | "AccessDeniedException") => {
                        "was denied: allow the function this action on this resource"
                    }
                    Some("NotFound") => "failed: there is no such topic",
                    Some("KMSAccessDenied") => {
                        "was denied by the topic's key: allow the function kms:GenerateDataKey* and kms:Decrypt on it"
                    }
                    _ => "failed",
                };
                Err(failed(outcome, convert_sdk_error(error)))
            }
        }
    }
}

/// One value as a string, several as a list; a filter policy matches both alike.
fn attribute_value(values: &[String]) -> Result<MessageAttributeValue, BoxError> {
    let (kind, value) = match values {
        [value] => ("String", value.clone()),
        values => ("String.Array", serde_json::to_string(values)?),
    };
    Ok(MessageAttributeValue::builder().data_type(kind).string_value(value).build()?)
}
