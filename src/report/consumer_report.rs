//! The part of a report about what runs the image.

use serde::Serialize;

use crate::consumer::{Consumer, ConsumerPlatform, PlatformSource};
use crate::text::sanitize;

/// The longest name, in characters: ECS allows 255 for families and containers.
const MAX_NAME: usize = 255;

/// A container of a task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerReport {
    /// The service that runs it.
    pub service: &'static str,
    /// The family of the task definition.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub definition: String,
    /// The name of the container.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// What says on which architecture it runs; absent if that is unknown.
    pub architecture_from: Option<PlatformSource>,
    /// Why its architecture is unknown.
    pub unknown: Option<&'static str>,
}

impl ConsumerReport {
    pub(super) fn new(consumer: &Consumer) -> Self {
        let (architecture_from, unknown) = match consumer.platform {
            ConsumerPlatform::Known(_, source) => (Some(source), None),
            ConsumerPlatform::Unknown(reason) => (None, Some(reason)),
            ConsumerPlatform::Windows => (None, Some("it runs Windows")),
        };
        Self {
            service: "ecs",
            definition: sanitize(&consumer.definition, MAX_NAME),
            container: sanitize(&consumer.container, MAX_NAME),
            architecture_from,
            unknown,
        }
    }

    /// Names the container, and says why its architecture is unknown, if it is.
    pub(super) fn describe(&self) -> String {
        let mut text = if self.container.is_empty() { "without a name".to_owned() } else { self.container.clone() };
        if !self.definition.is_empty() {
            text += &format!(" of task definition {}", self.definition);
        }
        if let Some(reason) = self.unknown {
            text += &format!("; architecture unknown: {reason}");
        }
        text
    }
}
