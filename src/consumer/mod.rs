//! Consumers: what runs an image, on which platform, and how it starts the image. The rules are pure; whoever reads a
//! consumer from a file or from AWS creates it here.

mod start_override;
mod consumer_platform;
#[cfg(feature = "cli")]
mod task_definition;

pub use consumer_platform::{ConsumerPlatform, PlatformSource};
pub use start_override::StartOverride;
#[cfg(feature = "cli")]
pub use task_definition::{MAX_FILE, TaskDefinitionError, parse_task_definitions};

use crate::runtime::Runtime;

/// A container of a task definition, and the image that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The family of the task definition, empty if it has none.
    pub definition: String,
    /// The name of the container, empty if it has none.
    pub container: String,
    /// The image, as the task definition names it.
    pub image: String,
    /// Where it runs.
    pub platform: ConsumerPlatform,
    /// What it starts.
    pub start: StartOverride,
}

impl Consumer {
    /// Returns the runtime, if it is known.
    pub fn runtime(&self) -> Option<Runtime> {
        match self.platform {
            ConsumerPlatform::Known(runtime, _) => Some(runtime),
            ConsumerPlatform::Unknown(_) | ConsumerPlatform::Windows => None,
        }
    }
}
