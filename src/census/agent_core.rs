//! Amazon Bedrock AgentCore: agent runtimes that are images.

use aws_sdk_bedrockagentcorecontrol::Client;
use aws_sdk_bedrockagentcorecontrol::operation::get_agent_runtime::{GetAgentRuntimeError, GetAgentRuntimeOutput};
use aws_sdk_bedrockagentcorecontrol::types::AgentRuntimeArtifact;
use futures_util::{StreamExt, stream};

use super::findings::Findings;
use super::lambda::reduce_variables;
use super::not_read::NotRead;
use super::pace::MAX_CONCURRENT_CALLS;
use crate::consumer::ConsumerService::AgentCore;
use crate::consumer::{Consumer, ConsumerPlatform, ContainerDefinition, PlatformSource};
use crate::runtime::Runtime;

/// Reads the latest versions of the agent runtimes.
pub(super) async fn read(client: &Client, findings: &Findings<'_>) {
    let mut ids = Vec::new();
    let mut pages = client.list_agent_runtimes().max_results(100).into_paginator().send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => ids.extend(page.agent_runtimes.into_iter().map(|runtime| runtime.agent_runtime_id)),
            Err(error) => {
                findings.record(NotRead::new(AgentCore, "bedrock-agentcore:ListAgentRuntimes", "", error));
                break;
            }
        }
    }
    let calls = ids.iter().map(async |id| (id, client.get_agent_runtime().agent_runtime_id(id).send().await));
    let mut answers = stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CALLS);
    while let Some((id, answer)) = answers.next().await {
        match answer {
            Ok(answer) => reduce(answer).map_or((), |consumer| findings.add(consumer)),
            // It was deleted since it was listed.
            Err(error)
                if error.as_service_error().is_some_and(GetAgentRuntimeError::is_resource_not_found_exception) => {}
            Err(error) => findings.record(NotRead::new(AgentCore, "bedrock-agentcore:GetAgentRuntime", id, error)),
        }
    }
}

/// Returns what affects the start of an agent runtime; `None` if it is not an image.
fn reduce(runtime: GetAgentRuntimeOutput) -> Option<Consumer> {
    let Some(AgentRuntimeArtifact::ContainerConfiguration(container)) = runtime.agent_runtime_artifact else {
        return None;
    };
    let definition = ContainerDefinition {
        environment: runtime.environment_variables.as_ref().map(reduce_variables),
        ..ContainerDefinition::default()
    };
    // Without a capacity provider, it runs in a microVM. `CreateAgentRuntime` refuses other images for it:
    // "Architecture incompatible for uri … Supported architectures: [arm64]".
    let platform = match runtime.capacity_provider_configuration {
        None => ConsumerPlatform::Known(Runtime::AgentCore, PlatformSource::Service),
        Some(_) => ConsumerPlatform::unknown("it runs on a capacity provider, which may have either architecture"),
    };
    Some(Consumer {
        service: AgentCore,
        definition: runtime.agent_runtime_name.clone(),
        name: runtime.agent_runtime_name,
        arn: runtime.agent_runtime_arn,
        container: String::new(),
        image: container.container_uri,
        digest: None,
        platform,
        start: definition.into_start(),
    })
}
