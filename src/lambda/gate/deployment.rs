//! Reads what a deployment of Amazon ECS starts: a service revision and its task definition.
//!
//! Neither answer is logged, because a task definition has environment variables. Of those, only `PATH` and names are kept.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{self, ContainerCondition};
use serde::de::IgnoredAny;

use crate::aws::service_error::{CallError, convert_sdk_error};
use crate::consumer::{
    ContainerDefinition, MountPoint, ResourceRequirement, RevisionContainers, RevisionImage, RevisionTaskDefinition,
    ServiceRevision, TaskContainer, Variable,
};

const DESCRIBE_SERVICE_REVISIONS: &str = "ecs:DescribeServiceRevisions";
const DESCRIBE_TASK_DEFINITION: &str = "ecs:DescribeTaskDefinition";

/// Reads what deployments start.
#[derive(Debug, Clone)]
pub struct DeploymentReader {
    client: Client,
}

impl DeploymentReader {
    /// Creates the reader.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reads the containers of the service revision with this ARN.
    ///
    /// # Errors
    /// A call failed, or its reply has no revision or no task definition.
    pub(crate) async fn read(&self, revision_arn: &str) -> Result<RevisionContainers, CallError> {
        let failed = |source| CallError::new(DESCRIBE_SERVICE_REVISIONS, revision_arn.to_owned(), source);
        let reply = self.client.describe_service_revisions().service_revision_arns(revision_arn).send().await;
        let reply = reply.map_err(|error| failed(convert_sdk_error(error)))?;
        let revisions = reply.service_revisions.unwrap_or_default();
        let is_this =
            |revision: &types::ServiceRevision| revision.service_revision_arn.as_deref() == Some(revision_arn);
        let revision = revisions.into_iter().find(is_this);
        let revision = revision.ok_or_else(|| failed("the reply does not contain the revision".into()))?;
        let definition_arn = revision.task_definition.clone().filter(|arn| !arn.is_empty());
        let definition_arn = definition_arn.ok_or_else(|| failed("the revision has no task definition".into()))?;
        let definition = self.read_definition(&definition_arn).await?;
        Ok(convert_revision(revision).containers(definition))
    }

    async fn read_definition(&self, arn: &str) -> Result<RevisionTaskDefinition, CallError> {
        let failed = |source| CallError::new(DESCRIBE_TASK_DEFINITION, arn.to_owned(), source);
        let reply = self.client.describe_task_definition().task_definition(arn).send().await;
        let reply = reply.map_err(|error| failed(convert_sdk_error(error)))?;
        let definition = reply.task_definition.map(convert_definition);
        definition.ok_or_else(|| failed("the reply does not contain the task definition".into()))
    }
}

fn convert_revision(revision: types::ServiceRevision) -> ServiceRevision {
    let image = |image: types::ContainerImage| RevisionImage {
        container: image.container_name.unwrap_or_default(),
        digest: image.image_digest,
    };
    let providers = revision.capacity_provider_strategy.unwrap_or_default().into_iter();
    ServiceRevision {
        images: revision.container_images.unwrap_or_default().into_iter().map(image).collect(),
        cpu_architecture: revision
            .overrides
            .and_then(|overrides| overrides.runtime_platform)
            .and_then(|platform| platform.cpu_architecture),
        platform_family: revision.platform_family,
        launch_type: revision.launch_type.map(|launch_type| launch_type.as_str().to_owned()),
        capacity_providers: providers.map(|item| item.capacity_provider).collect(),
        is_express: revision.ecs_managed_resources.is_some(),
    }
}

fn convert_definition(definition: types::TaskDefinition) -> RevisionTaskDefinition {
    let platform = definition.runtime_platform.as_ref();
    let architecture = platform.and_then(|platform| platform.cpu_architecture.as_ref());
    let operating_system = platform.and_then(|platform| platform.operating_system_family.as_ref());
    let constraints = definition.placement_constraints.unwrap_or_default().into_iter();
    RevisionTaskDefinition {
        family: definition.family.unwrap_or_default(),
        cpu_architecture: architecture.map(|architecture| architecture.as_str().to_owned()),
        operating_system_family: operating_system.map(|family| family.as_str().to_owned()),
        constraints: constraints.filter_map(|constraint| constraint.expression).collect(),
        containers: definition.container_definitions.unwrap_or_default().into_iter().map(convert_container).collect(),
    }
}

fn convert_container(container: types::ContainerDefinition) -> TaskContainer {
    let is_awaited = |dependency: &types::ContainerDependency| {
        matches!(dependency.condition, ContainerCondition::Success | ContainerCondition::Healthy)
    };
    let dependencies = container.depends_on.unwrap_or_default().into_iter();
    let any = |count: Option<usize>| count.map(|count| vec![IgnoredAny; count]);
    let variable = |pair: &types::KeyValuePair| Variable::new(pair.name(), pair.value());
    let environment = |variables: Vec<types::KeyValuePair>| variables.iter().map(variable).collect();
    let secret = |secret: types::Secret| Variable::new(Some(&secret.name), None);
    let requirement =
        |one: &types::ResourceRequirement| ResourceRequirement { r#type: Some(one.r#type.as_str().to_owned()) };
    let mount = |mount: types::MountPoint| MountPoint { container_path: mount.container_path };
    TaskContainer {
        is_essential: container.essential.unwrap_or(true),
        waits_for: dependencies.filter(is_awaited).map(|dependency| dependency.container_name).collect(),
        definition: ContainerDefinition {
            name: container.name,
            image: container.image.unwrap_or_default(),
            entry_point: container.entry_point,
            command: container.command,
            working_directory: container.working_directory,
            user: container.user,
            environment: container.environment.map(environment),
            secrets: container.secrets.map(|secrets| secrets.into_iter().map(secret).collect()),
            environment_files: any(container.environment_files.map(|files| files.len())),
            mount_points: container.mount_points.map(|mounts| mounts.into_iter().map(mount).collect()),
            volumes_from: any(container.volumes_from.map(|volumes| volumes.len())),
            resource_requirements: container.resource_requirements.map(|all| all.iter().map(requirement).collect()),
        },
    }
}
