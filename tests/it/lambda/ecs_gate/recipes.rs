//! The hooks in `docs/gates.md`, which users copy, against the names that the API has.

use std::fs;

use aws_sdk_ecs::types::{
    DeploymentConfiguration, DeploymentLifecycleHook, DeploymentLifecycleHookAction, DeploymentLifecycleHookStage,
    DeploymentLifecycleHookTimeoutConfiguration, DeploymentStrategy,
};
use ecr_preflight::aws::default_connector;
use serde_json::Value;

use super::super::clients;
use crate::support::aws::FakeAws;

/// The first block of this language with a text.
fn block(language: &str, with: &str) -> String {
    let page = fs::read_to_string("docs/gates.md").unwrap();
    let mut blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(language));
    blocks.find(|block| block.contains(with)).unwrap_or_else(|| panic!("no block of {language} with {with}")).to_owned()
}

/// The names of members in CloudFormation begin with a capital letter, and are otherwise those of the API.
fn lower_names(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let lower = |name: String| name[..1].to_ascii_lowercase() + &name[1..];
            members.into_iter().map(|(name, inner)| (lower(name), lower_names(inner))).collect()
        }
        Value::Array(elements) => elements.into_iter().map(lower_names).collect(),
        other => other,
    }
}

/// The deployment configuration as the SDK sends it.
async fn sent_configuration(arn: &str, role: &str) -> Value {
    let aws = FakeAws::start();
    let timeout = DeploymentLifecycleHookTimeoutConfiguration::builder()
        .timeout_in_minutes(5)
        .action(DeploymentLifecycleHookAction::Continue);
    let hook = DeploymentLifecycleHook::builder()
        .hook_target_arn(arn)
        .role_arn(role)
        .lifecycle_stages(DeploymentLifecycleHookStage::PreScaleUp)
        .timeout_configuration(timeout.build());
    let configuration =
        DeploymentConfiguration::builder().strategy(DeploymentStrategy::BlueGreen).lifecycle_hooks(hook.build());
    let client = clients(default_connector()).ecs_client(Some(aws.url()));
    let update = client.update_service().service("web").deployment_configuration(configuration.build());
    assert!(update.send().await.is_err(), "the fake does not have this action");
    aws.calls_of("UpdateService")[0].body["deploymentConfiguration"].clone()
}

#[tokio::test]
async fn documented_hooks_have_the_names_of_the_api() {
    let json: Value = serde_json::from_str(&block("json", "lifecycleHooks")).unwrap();
    let hook = &json["lifecycleHooks"][0];
    let text = |name: &str| hook[name].as_str().unwrap().to_owned();
    assert_eq!(json, sent_configuration(&text("hookTargetArn"), &text("roleArn")).await);
    let yaml: Value = serde_yaml_ng::from_str(&block("yaml", "LifecycleHooks")).unwrap();
    assert_eq!(lower_names(yaml["Service"]["Properties"]["DeploymentConfiguration"].clone()), json);
    assert!(block("ts", "addLifecycleHook").contains("DeploymentLifecycleStage.PRE_SCALE_UP"));
}
