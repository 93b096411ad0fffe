//! The task definitions in a file, and why there are none.

use crate::consumer::model::Consumer;

/// The most containers in a file. Each is an image that is read.
pub(super) const MAX_CONTAINERS: usize = 200;

/// How deep modules of Terraform may contain others.
pub(super) const MAX_MODULE_DEPTH: usize = 32;

/// Why a file has no task definition that can be checked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum TaskDefinitionError {
    #[error("it is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "it has no task definition: expected `containerDefinitions`, as in the input of `aws ecs register-task-definition`, \
         or the output of `terraform show -json`"
    )]
    NoTaskDefinition,
    #[error("the container definitions of {name} are not valid: {problem}")]
    Containers { name: String, problem: String },
    #[error("its modules contain each other more than {MAX_MODULE_DEPTH} levels deep")]
    TooManyModules,
    #[error("it has more than {MAX_CONTAINERS} containers")]
    TooManyContainers,
}

/// The task definitions in a file.
#[derive(Debug, Default)]
pub struct TaskDefinitions {
    /// Their containers, in the order of the file.
    pub containers: Vec<DefinedContainer>,
    /// The names of those whose containers are not known before `terraform apply`.
    pub not_known_yet: Vec<String>,
}

/// A container, and where it is defined.
#[derive(Debug, PartialEq, Eq)]
pub struct DefinedContainer {
    /// The container.
    pub consumer: Consumer,
    /// The line of its image in the file, from 1. In Terraform's output it is that of all containers of the resource.
    pub line: usize,
}
