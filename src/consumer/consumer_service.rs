//! The AWS services that run images.

use serde::{Deserialize, Serialize};

/// A service that runs images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "`title` has the names")]
pub enum ConsumerService {
    Ecs,
    Lambda,
    AppRunner,
    Batch,
    AgentCore,
}

impl ConsumerService {
    /// Returns the name of the service.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ecs => "Amazon ECS",
            Self::Lambda => "AWS Lambda",
            Self::AppRunner => "AWS App Runner",
            Self::Batch => "AWS Batch",
            Self::AgentCore => "Amazon Bedrock AgentCore",
        }
    }

    /// Returns what the service calls the definition of what it runs.
    pub fn definition_title(self) -> &'static str {
        match self {
            Self::Ecs => "task definition",
            Self::Lambda => "function",
            Self::AppRunner => "service",
            Self::Batch => "job definition",
            Self::AgentCore => "agent runtime",
        }
    }
}
