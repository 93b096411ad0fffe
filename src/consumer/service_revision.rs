//! The containers of a service revision of Amazon ECS: what a deployment is about to start. They are those of its task
//! definition, with the digests and the platform that Amazon ECS has determined.

use std::collections::BTreeSet;

use super::consumer_platform::{ConsumerPlatform, PlacementFields, PlatformSource};
use super::consumer_service::ConsumerService;
use super::container_definition::ContainerDefinition;
use super::model::Consumer;
use crate::name::Digest;

/// The fields of `ServiceRevision` in the Amazon ECS API reference that determine what starts, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ServiceRevision {
    pub(crate) images: Vec<RevisionImage>,
    /// `overrides.runtimePlatform.cpuArchitecture`.
    pub(crate) cpu_architecture: Option<String>,
    pub(crate) platform_family: Option<String>,
    pub(crate) launch_type: Option<String>,
    pub(crate) capacity_providers: Vec<String>,
    /// Whether it is a revision of an Express service: it has `ecsManagedResources`.
    pub(crate) is_express: bool,
}

/// The image to which Amazon ECS resolved that of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RevisionImage {
    pub(crate) container: String,
    pub(crate) digest: Option<String>,
}

/// The fields of `TaskDefinition` in the Amazon ECS API reference that determine what starts, and where.
#[derive(Debug, Default)]
pub(crate) struct RevisionTaskDefinition {
    pub(crate) family: String,
    pub(crate) containers: Vec<TaskContainer>,
    pub(crate) cpu_architecture: Option<String>,
    pub(crate) operating_system_family: Option<String>,
    /// The expressions of its placement constraints.
    pub(crate) constraints: Vec<String>,
}

/// A container of a task definition, and whether the task needs it.
#[derive(Debug, Default)]
pub(crate) struct TaskContainer {
    /// Its image and what it starts.
    pub(crate) definition: ContainerDefinition,
    /// Whether the task stops if this container stops.
    pub(crate) is_essential: bool,
    /// The names of the containers that must succeed or be healthy before this one starts: `dependsOn` with the condition
    /// `SUCCESS` or `HEALTHY`.
    pub(crate) waits_for: Vec<String>,
}

/// The containers of a service revision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RevisionContainers {
    /// Those without which no task of the revision works.
    pub(crate) needed: Vec<Consumer>,
    /// The names of the others: the failure of a container that is not essential does not affect the rest of the task
    /// (`essential` of `ContainerDefinition` in the Amazon ECS API reference).
    pub(crate) optional: Vec<String>,
}

impl ServiceRevision {
    /// Returns the containers of the revision. Containers that Amazon ECS adds itself, for example for Service Connect, are
    /// not in the task definition and are left out.
    pub(crate) fn containers(&self, definition: RevisionTaskDefinition) -> RevisionContainers {
        let platform = self.platform(&definition);
        let needed = needed_names(&definition.containers);
        let mut containers = RevisionContainers::default();
        for container in definition.containers {
            let name = container.definition.name.clone().unwrap_or_default();
            if !container.is_essential && !needed.contains(&name) {
                containers.optional.push(name);
                continue;
            }
            containers.needed.push(Consumer {
                service: ConsumerService::Ecs,
                name: String::new(),
                arn: String::new(),
                digest: None,
                definition: definition.family.clone(),
                image: self.resolve(&name, &container.definition.image),
                container: name,
                platform: platform.clone(),
                start: container.definition.into_start(),
            });
        }
        containers
    }

    /// Returns the image string with the digest that Amazon ECS pulls, if it is known. A tag is kept, so that it is shown.
    fn resolve(&self, container: &str, image: &str) -> String {
        let digest = self.images.iter().find(|resolved| resolved.container == container);
        let digest = digest.and_then(|resolved| resolved.digest.as_deref()?.parse::<Digest>().ok());
        match digest.filter(|_| !image.contains('@')) {
            Some(digest) => format!("{image}@{digest}"),
            None => image.to_owned(),
        }
    }

    /// Determines the platform of all containers.
    fn platform(&self, definition: &RevisionTaskDefinition) -> ConsumerPlatform {
        let families = [&self.platform_family, &definition.operating_system_family];
        let is_windows = |family: &String| family.to_ascii_uppercase().starts_with("WINDOWS");
        if families.into_iter().flatten().any(is_windows) {
            return ConsumerPlatform::Windows;
        }
        // Also with an override, which Amazon ECS chose and may correct.
        if self.is_express {
            return ConsumerPlatform::unknown("Amazon ECS chooses the architecture of an Express service");
        }
        let fields = PlacementFields {
            cpu_architecture: self.cpu_architecture.as_deref().or(definition.cpu_architecture.as_deref()),
            operating_system_family: definition.operating_system_family.as_deref(),
            compatibilities: &self.capacity(),
            constraints: &definition.constraints,
        };
        match ConsumerPlatform::of_task_definition(fields) {
            ConsumerPlatform::Known(runtime, PlatformSource::RuntimePlatform) if self.cpu_architecture.is_some() => {
                ConsumerPlatform::Known(runtime, PlatformSource::Override)
            }
            platform => platform,
        }
    }

    /// Returns where tasks of the revision are placed: its launch type or the kinds of its capacity providers. A task
    /// definition only lists where they may be placed.
    fn capacity(&self) -> Vec<String> {
        let is_fargate = |provider: &String| provider == "FARGATE" || provider == "FARGATE_SPOT";
        let providers = &self.capacity_providers;
        match &self.launch_type {
            // `launchType` is FARGATE also for a strategy with Fargate providers.
            Some(launch_type) if providers.is_empty() => vec![launch_type.clone()],
            _ if !providers.is_empty() && providers.iter().all(is_fargate) => vec!["FARGATE".to_owned()],
            _ => vec!["EC2".to_owned()],
        }
    }
}

/// Returns the names of the containers that an essential container waits for, directly or not.
fn needed_names(containers: &[TaskContainer]) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    let mut waiting: Vec<&TaskContainer> = containers.iter().filter(|container| container.is_essential).collect();
    while let Some(container) = waiting.pop() {
        for name in &container.waits_for {
            if needed.insert(name.clone()) {
                waiting.extend(containers.iter().filter(|other| other.definition.name.as_ref() == Some(name)));
            }
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Runtime;

    const DIGEST: &str = "sha256:2f66aeb8cb1bf6a3c9dc1cfbb6a0a39aa2a4dbe3c2a8c1ff1aa6c9c1b5d6e7f8";

    fn container(name: &str, image: &str, is_essential: bool, waits_for: &[&str]) -> TaskContainer {
        TaskContainer {
            definition: ContainerDefinition {
                name: Some(name.to_owned()),
                image: image.to_owned(),
                ..ContainerDefinition::default()
            },
            is_essential,
            waits_for: waits_for.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn text(value: &str) -> Option<String> {
        Some(value.to_owned()).filter(|value| !value.is_empty())
    }

    #[test]
    fn platform_is_that_of_the_revision_before_the_definition() {
        use PlatformSource::{FargateDefault, Override, PlacementConstraint, RuntimePlatform};
        let constraint = "attribute:ecs.cpu-architecture == arm64";
        for (overridden, defined, launch_type, providers, constraint, express, expected) in [
            ("ARM64", "X86_64", "FARGATE", "", "", true, None),
            ("ARM64", "X86_64", "FARGATE", "", "", false, Some((Runtime::EcsArm64, Override))),
            ("ARM64", "", "FARGATE", "", "", false, Some((Runtime::EcsArm64, Override))),
            ("", "ARM64", "FARGATE", "", "", false, Some((Runtime::EcsArm64, RuntimePlatform))),
            ("", "", "FARGATE", "", "", false, Some((Runtime::EcsAmd64, FargateDefault))),
            ("", "", "", "FARGATE FARGATE_SPOT", "", false, Some((Runtime::EcsAmd64, FargateDefault))),
            ("", "", "FARGATE", "FARGATE_SPOT", "", false, Some((Runtime::EcsAmd64, FargateDefault))),
            ("", "", "EC2", "", constraint, false, Some((Runtime::EcsArm64, PlacementConstraint))),
            // The launch type is what is used, whatever the task definition allows.
            ("", "", "EC2", "", "", false, None),
            ("", "", "", "FARGATE my-instances", "", false, None),
            ("", "", "FARGATE", "my-instances", "", false, None),
            ("", "", "MANAGED_INSTANCES", "", "", false, None),
            ("", "", "", "", "", false, None),
            ("", "X86_64", "FARGATE", "", "", true, None),
            ("MIPS", "X86_64", "FARGATE", "", "", false, None),
        ] {
            let revision = ServiceRevision {
                cpu_architecture: text(overridden),
                platform_family: text("Linux"),
                launch_type: text(launch_type),
                capacity_providers: providers.split_whitespace().map(str::to_owned).collect(),
                is_express: express,
                ..ServiceRevision::default()
            };
            let definition = RevisionTaskDefinition {
                cpu_architecture: text(defined),
                constraints: text(constraint).into_iter().collect(),
                ..RevisionTaskDefinition::default()
            };
            let found = match revision.platform(&definition) {
                ConsumerPlatform::Known(runtime, source) => Some((runtime, source)),
                ConsumerPlatform::Unknown(_) => None,
                ConsumerPlatform::Windows => panic!("it is Linux"),
            };
            assert_eq!(found, expected, "{revision:?} {definition:?}");
        }
    }

    #[test]
    fn windows_is_found_in_the_revision_and_the_definition() {
        let by_revision = ServiceRevision {
            platform_family: text("Windows_Server_2022_Core"),
            cpu_architecture: text("X86_64"),
            ..ServiceRevision::default()
        };
        let definition = RevisionTaskDefinition::default();
        assert_eq!(by_revision.platform(&definition), ConsumerPlatform::Windows);
        let definition =
            RevisionTaskDefinition { operating_system_family: text("WINDOWS_SERVER_2019_FULL"), ..definition };
        assert_eq!(ServiceRevision::default().platform(&definition), ConsumerPlatform::Windows);
    }

    #[test]
    fn resolved_digest_is_read() {
        let resolved =
            |container: &str, digest| RevisionImage { container: container.to_owned(), digest: text(digest) };
        let revision = ServiceRevision {
            images: vec![
                resolved("app", DIGEST),
                resolved("pinned", DIGEST),
                resolved("odd", "sha256:x"),
                resolved("later", ""),
                resolved("ecs-service-connect-a1B2", DIGEST),
            ],
            ..ServiceRevision::default()
        };
        let definition = RevisionTaskDefinition {
            containers: vec![
                container("app", "repo:v1", true, &[]),
                container("pinned", "repo@sha256:0", true, &[]),
                container("odd", "repo:v2", true, &[]),
                container("later", "repo:v3", true, &[]),
                container("other", "repo", true, &[]),
            ],
            ..RevisionTaskDefinition::default()
        };
        let images: Vec<String> =
            revision.containers(definition).needed.into_iter().map(|consumer| consumer.image).collect();
        assert_eq!(images, [&format!("repo:v1@{DIGEST}"), "repo@sha256:0", "repo:v2", "repo:v3", "repo"]);
    }

    #[test]
    fn container_that_a_task_can_do_without_is_optional() {
        let definition = RevisionTaskDefinition {
            containers: vec![
                container("app", "a", true, &["migrate", "missing"]),
                container("migrate", "b", false, &["secrets"]),
                container("secrets", "c", false, &["migrate"]),
                container("logs", "d", false, &["app"]),
            ],
            ..RevisionTaskDefinition::default()
        };
        let containers = ServiceRevision::default().containers(definition);
        let needed: Vec<&str> = containers.needed.iter().map(|consumer| consumer.container.as_str()).collect();
        assert_eq!(needed, ["app", "migrate", "secrets"]);
        assert_eq!(containers.optional, ["logs"]);
    }
}
