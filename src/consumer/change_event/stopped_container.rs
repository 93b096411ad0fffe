//! A container of Amazon ECS that may not have started.

use crate::name::Digest;

/// A container that may not have started. Its image is one of Amazon ECR.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoppedContainer {
    /// The ARN of the task.
    pub task: String,
    /// The ARN of the cluster.
    pub cluster: String,
    /// The name of the service, if the task is one's.
    pub service: Option<String>,
    /// The ARN of the task definition.
    pub task_definition: String,
    /// The name of the container.
    pub container: String,
    /// The image, as the task definition names it.
    pub image: String,
    /// What the image resolved to. It is unknown if it was not pulled.
    pub digest: Option<Digest>,
    /// The architecture of the host, as the attribute of the task names it.
    pub architecture: Option<String>,
    /// Whether the task ran on AWS Fargate, if that is known.
    pub is_fargate: Option<bool>,
    /// The exit code; `None` if the container was never started.
    pub exit_code: Option<i64>,
    /// Why the container stopped, as Amazon ECS describes it; at most 1024 printable characters.
    pub reason: Option<String>,
    /// Why the task stopped, as Amazon ECS describes it; at most 1024 printable characters.
    pub stopped_reason: Option<String>,
    /// When the task stopped, as an RFC 3339 date.
    pub stopped_at: Option<String>,
    /// The command with which the task was started instead of that of its definition; empty if it has none.
    pub override_command: Vec<String>,
    /// Whether the task was started with variables in addition to those of its definition.
    pub has_override_environment: bool,
}
