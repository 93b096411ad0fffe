//! Collects the consumers of one resource, and notes about what was not read.

use serde_json::Value;

use super::container::{ReadContainer, read_container};
use super::property::{Property, is_intrinsic, read_list, read_text};
use crate::consumer::consumer_platform::ConsumerPlatform;
use crate::consumer::consumer_service::ConsumerService;
use crate::consumer::model::Consumer;
use crate::consumer::start_override::StartOverride;
use crate::text::sanitize_quoted;

/// The most containers of one resource that are read. A task definition has at most ten ("Amazon ECS service quotas").
const MAX_CONTAINERS: usize = 200;

/// The most notes about one resource; more help nobody.
const MAX_NOTES: usize = 10;

/// The consumers in a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceConsumers {
    /// The consumers whose images are known.
    pub consumers: Vec<Consumer>,
    /// What was not read, each with the reason.
    pub notes: Vec<String>,
}

/// Collector of the consumers of one resource.
pub(super) struct Collector {
    found: ResourceConsumers,
    logical_id: String,
}

impl Collector {
    pub(super) fn new(logical_id: &str) -> Self {
        Self { found: ResourceConsumers::default(), logical_id: logical_id.to_owned() }
    }

    pub(super) fn finish(self) -> ResourceConsumers {
        self.found
    }

    pub(super) fn add_note(&mut self, note: String) {
        if self.found.notes.len() < MAX_NOTES && !self.found.notes.contains(&note) {
            self.found.notes.push(note);
        }
    }

    /// Returns the name of the definition: the value of the property, or the name of the resource in the template.
    pub(super) fn name_definition(&self, name: &Value) -> String {
        read_text(name).known().filter(|name| !name.is_empty()).unwrap_or_else(|| self.logical_id.clone())
    }

    /// Adds a consumer that is not one of several containers, if its image is known.
    pub(super) fn add(
        &mut self,
        service: ConsumerService,
        definition: String,
        image: &Value,
        platform: ConsumerPlatform,
        start: StartOverride,
    ) {
        match read_text(image) {
            Property::Known(image) => {
                let container = String::new();
                self.push(Consumer {
                    service,
                    name: String::new(),
                    arn: String::new(),
                    digest: None,
                    definition,
                    container,
                    image,
                    platform,
                    start,
                });
            }
            Property::Missing => self.add_note("it has no image".to_owned()),
            Property::Unresolved => self.add_note("its image is not resolved yet".to_owned()),
        }
    }

    /// Adds the containers of a list. `change` adds what is special about the service to the start of each.
    pub(super) fn add_containers(
        &mut self,
        service: ConsumerService,
        definition: &str,
        containers: &Value,
        platform: &ConsumerPlatform,
        change: fn(&Value, &mut StartOverride),
    ) {
        let Property::Known(containers) = read_list(containers) else {
            if !containers.is_null() {
                self.add_note("its containers are not resolved yet, or not a list".to_owned());
            }
            return;
        };
        for container in containers {
            if self.found.consumers.len() >= MAX_CONTAINERS {
                return self.add_note(format!("only its first {MAX_CONTAINERS} containers are read"));
            }
            self.add_container(service, definition, container, platform, change);
        }
    }

    /// Adds one container, if its image is known.
    pub(super) fn add_container(
        &mut self,
        service: ConsumerService,
        definition: &str,
        container: &Value,
        platform: &ConsumerPlatform,
        change: fn(&Value, &mut StartOverride),
    ) {
        if is_intrinsic(container) || !container.is_object() {
            return self.add_note("a container is not resolved yet, or not an object".to_owned());
        }
        let ReadContainer { name, image, mut start } = read_container(container);
        let named = || {
            if name.is_empty() { "a container".to_owned() } else { format!("container `{}`", sanitize_quoted(&name)) }
        };
        match image {
            Property::Known(image) => {
                change(container, &mut start);
                let (definition, platform) = (definition.to_owned(), platform.clone());
                self.push(Consumer {
                    service,
                    name: String::new(),
                    arn: String::new(),
                    digest: None,
                    definition,
                    container: name,
                    image,
                    platform,
                    start,
                });
            }
            Property::Missing => self.add_note(format!("{} has no image", named())),
            Property::Unresolved => self.add_note(format!("the image of {} is not resolved yet", named())),
        }
    }

    fn push(&mut self, consumer: Consumer) {
        self.found.consumers.push(consumer);
    }
}
