//! Consumers: what runs an image, on which platform, and how it starts the image. The rules are pure; code that reads
//! consumers from a file, a template or AWS creates them here.

mod consumer_service;
mod environment_effects;
mod start_override;
mod consumer_platform;
mod model;
#[cfg(feature = "consumers")]
mod changed_consumer;
#[cfg(feature = "consumers")]
mod change_event;
mod known;
#[cfg(feature = "consumers")]
mod container_definition;
#[cfg(feature = "consumers")]
mod cloudformation;
#[cfg(feature = "consumers")]
mod service_revision;
#[cfg(feature = "cli")]
mod task_definition;

#[cfg(feature = "consumers")]
pub use change_event::{ConsumerEvent, ConsumerEventError, StoppedContainer};
#[cfg(feature = "consumers")]
pub use changed_consumer::{ChangedConsumer, ChangedResource};
#[cfg(feature = "consumers")]
pub use cloudformation::{ResourceConsumers, parse_resource, resource_types};
pub use consumer_platform::{ConsumerPlatform, PlatformSource};
#[cfg(feature = "consumers")]
pub(crate) use consumer_platform::{ObservedPlacement, PlacementFields};
pub use consumer_service::ConsumerService;
#[cfg(feature = "consumers")]
pub(crate) use container_definition::{ContainerDefinition, MountPoint, ResourceRequirement, Variable};
pub use environment_effects::EnvironmentEffects;
pub use known::{ConsumerGroup, ConsumerLookup, KnownConsumers, RelevantConsumers};
pub use model::Consumer;
#[cfg(feature = "consumers")]
pub(crate) use service_revision::{
    RevisionContainers, RevisionImage, RevisionTaskDefinition, ServiceRevision, TaskContainer,
};
pub use start_override::StartOverride;
#[cfg(feature = "cli")]
pub use task_definition::{DefinedContainer, MAX_FILE, TaskDefinitionError, TaskDefinitions, parse_task_definitions};
