//! A consumer.

use serde::{Deserialize, Serialize};

use super::consumer_platform::ConsumerPlatform;
use super::consumer_service::ConsumerService;
use super::start_override::StartOverride;
use crate::name::Digest;
use crate::runtime::Runtime;
use crate::text::sanitize;

/// What runs an image: a container of a task definition, a function, a service.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// The service that runs it.
    pub service: ConsumerService,
    /// What runs it: the cluster and the service (`prod/web`), or the cluster and the family of tasks without a service
    /// (`prod/family:job`); the name of the function, service, job definition or agent runtime. Empty if only a definition is
    /// known.
    pub name: String,
    /// The ARN of what runs it. Empty if only a definition is known.
    pub arn: String,
    /// The name of its definition: the family of the task definition, or the name of the function or service. Empty if it has
    /// none.
    pub definition: String,
    /// The name of the container in the definition. Empty if it has none.
    pub container: String,
    /// The image, as the definition names it.
    pub image: String,
    /// The image that it runs now, if that is known: what the image's tag pointed at when it was resolved.
    pub digest: Option<Digest>,
    /// Where it runs.
    pub platform: ConsumerPlatform,
    /// What it starts.
    pub start: StartOverride,
}

/// The longest name, in characters: ECS allows 255 for families and containers.
const MAX_NAME: usize = 255;

impl Consumer {
    /// Names the consumer in a sentence, without control characters: `prod/web (container app of task definition web)`.
    pub fn title(&self) -> String {
        let definition = self.describe_definition();
        // A function has the name of its definition.
        if self.name.is_empty() || self.name == self.definition {
            return definition;
        }
        format!("{} ({definition})", sanitize(&self.name, MAX_NAME))
    }

    fn describe_definition(&self) -> String {
        let definition = format!("{} {}", self.service.definition_title(), sanitize(&self.definition, MAX_NAME));
        let definition = definition.trim_end();
        if self.container.is_empty() {
            return definition.to_owned();
        }
        format!("container {} of {definition}", sanitize(&self.container, MAX_NAME))
    }

    /// Returns the runtime, if it is known.
    pub fn runtime(&self) -> Option<Runtime> {
        match self.platform {
            ConsumerPlatform::Known(runtime, _) => Some(runtime),
            ConsumerPlatform::Unknown(_) | ConsumerPlatform::Windows => None,
        }
    }

    /// Returns whether it runs Windows, which is not checked.
    pub fn is_windows(&self) -> bool {
        self.platform == ConsumerPlatform::Windows
    }
}
