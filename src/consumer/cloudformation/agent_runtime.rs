//! `AWS::BedrockAgentCore::Runtime`, if its artifact is an image.

use serde_json::Value;

use super::collector::Collector;
use super::container::{describe_variables, list_variables};
use super::property::is_intrinsic;
use crate::consumer::consumer_platform::{ConsumerPlatform, PlatformSource};
use crate::consumer::consumer_service::ConsumerService;
use crate::consumer::start_override::StartOverride;
use crate::runtime::Runtime;

pub(super) fn collect(properties: &Value, collector: &mut Collector) {
    let container = &properties["AgentRuntimeArtifact"]["ContainerConfiguration"];
    if container.is_null() {
        return;
    }
    let definition = collector.name_definition(&properties["AgentRuntimeName"]);
    let variables = &properties["EnvironmentVariables"];
    let unknown = if is_intrinsic(variables) {
        Some("its environment variables are not resolved yet".to_owned())
    } else {
        describe_variables(list_variables(variables))
    };
    let start = StartOverride { unknown, ..StartOverride::default() };
    let (image, platform) = (&container["ContainerUri"], determine_platform(properties));
    collector.add(ConsumerService::AgentCore, definition, image, platform, start);
}

/// Determines the platform: arm64, unless the runtime uses instances of a capacity provider ("`CreateAgentRuntime`" in the
/// Amazon Bedrock `AgentCore` API reference).
fn determine_platform(properties: &Value) -> ConsumerPlatform {
    if !properties["CapacityProviderConfiguration"].is_null() {
        return ConsumerPlatform::unknown("its capacity provider decides it");
    }
    ConsumerPlatform::Known(Runtime::AgentCore, PlatformSource::Service)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::consumer::{Consumer, parse_resource};

    fn read(properties: &Value) -> Vec<Consumer> {
        parse_resource("AWS::BedrockAgentCore::Runtime", "Agent", properties).unwrap().consumers
    }

    #[test]
    fn agents_run_on_arm64() {
        let artifact = json!({"ContainerConfiguration": {"ContainerUri": "team/agent:v1"}});
        let mut properties = json!({"AgentRuntimeName": "agent", "AgentRuntimeArtifact": artifact,
            "EnvironmentVariables": {"A": "b"}});
        let consumer = read(&properties).remove(0);
        assert_eq!((consumer.definition.as_str(), consumer.image.as_str()), ("agent", "team/agent:v1"));
        assert_eq!(consumer.runtime().map(|runtime| runtime.profile().architecture), Some("arm64"));
        assert!(consumer.start.is_none());
        properties["EnvironmentVariables"]["PATH"] = "/bin".into();
        assert!(read(&properties)[0].start.unknown.is_some());
        properties["CapacityProviderConfiguration"] = json!({"Arn": "arn"});
        assert_eq!(read(&properties)[0].runtime(), None);
    }

    #[test]
    fn agents_from_code_are_no_consumers() {
        assert_eq!(read(&json!({"AgentRuntimeArtifact": {"CodeConfiguration": {"Runtime": "PYTHON_3_13"}}})), []);
    }
}
