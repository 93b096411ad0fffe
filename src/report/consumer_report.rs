//! The part of a report about what runs the image.

use std::borrow::Cow;

use serde::Serialize;

use crate::consumer::{Consumer, ConsumerPlatform, ConsumerService, PlatformSource};
use crate::text::sanitize;
use crate::verdict::WrongSide;

/// The longest name, in characters: ECS allows 255 for families and containers.
const MAX_NAME: usize = 255;

/// What runs the image.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerReport {
    /// The service that runs it.
    pub service: ConsumerService,
    /// What runs it: the cluster and the service, or the name of the function, service, job definition or agent runtime.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The name of its definition: the family of the task definition, or the name of the function or service.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub definition: String,
    /// The name of the container.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// What says on which architecture it runs; absent if that is unknown.
    pub architecture_from: Option<PlatformSource>,
    /// Why its architecture is unknown.
    pub unknown: Option<Cow<'static, str>>,
    /// Whether it names this image's tag or digest; absent if only it was checked.
    pub bound: Option<bool>,
    /// The consumer in a sentence. Not in the JSON.
    #[serde(skip)]
    pub title: String,
}

impl ConsumerReport {
    /// Describes the consumer.
    pub(crate) fn new(consumer: &Consumer) -> Self {
        let (architecture_from, unknown) = match &consumer.platform {
            ConsumerPlatform::Known(_, source) => (Some(*source), None),
            ConsumerPlatform::Unknown(reason) => (None, Some(reason.clone())),
            ConsumerPlatform::Windows => (None, Some(Cow::Borrowed("it runs Windows"))),
        };
        Self {
            service: consumer.service,
            name: sanitize(&consumer.name, MAX_NAME),
            definition: sanitize(&consumer.definition, MAX_NAME),
            container: sanitize(&consumer.container, MAX_NAME),
            architecture_from,
            unknown,
            bound: None,
            title: consumer.title(),
        }
    }

    /// Returns the name in a headline.
    pub(super) fn short_name(&self) -> &str {
        [&self.name, &self.definition, &self.container]
            .into_iter()
            .find(|name| !name.is_empty())
            .map_or("", String::as_str)
    }

    /// Names the consumer, and says why its architecture is unknown, if it is.
    pub(super) fn describe(&self) -> String {
        let unknown =
            self.unknown.as_ref().map(|reason| format!("; architecture unknown: {reason}")).unwrap_or_default();
        format!("{}{unknown}", self.title)
    }

    /// Says which side of a fault has to change.
    pub(super) fn describe_wrong_side(&self, side: WrongSide) -> String {
        let definition = self.service.definition_title();
        match side {
            WrongSide::Image => "the image".to_owned(),
            WrongSide::Consumer => format!("the {definition}, because the image suits what is declared for it"),
            WrongSide::Either => format!("the image or the {definition}"),
        }
    }
}
