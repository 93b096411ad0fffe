//! The gate of deployments of Amazon ECS.

mod decisions;
mod failing_calls;
mod payloads;
mod random_deployments;
mod recipes;

use std::time::Duration;

use ecr_preflight::aws::default_connector;
use ecr_preflight::lambda::consumers::payload::ConsumersPayload;
use ecr_preflight::lambda::consumers::response::ConsumersResponse;
use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::{REPOSITORY, build_consumers_handler, settings};
use crate::support::aws::FakeAws;
use crate::support::layout::{Builder, with_platform};

const REVISION: &str = "arn:aws:ecs:us-west-2:123456789012:service-revision/prod/web/9313423515462893900";
const DEFINITION: &str = "arn:aws:ecs:us-west-2:123456789012:task-definition/web:42";
const REGISTRY: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com";

/// The payload of the documentation.
const PAYLOAD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/events/gates/ecs-deployment.json"));

/// An AWS with the images `amd64`, `arm64` and `both`, an index, in one repository.
struct Images {
    aws: FakeAws,
    amd64: Digest,
    arm64: Digest,
}

impl Images {
    fn push() -> Self {
        let (aws, mut layout) = (FakeAws::start(), Builder::new());
        let images = ["amd64", "arm64"].map(|architecture| layout.image(architecture));
        let index = ["amd64", "arm64"]
            .iter()
            .zip(&images)
            .map(|(architecture, image)| with_platform(image, "linux", architecture));
        let index = layout.index(&index.collect::<Vec<_>>());
        let [amd64, arm64] = ["amd64", "arm64"].map(|tag| layout.tag(tag, &images[usize::from(tag == "arm64")]));
        layout.tag("both", &index);
        aws.push(REPOSITORY, &layout);
        Self { aws, amd64, arm64 }
    }

    /// Deploys a revision with these fields and containers.
    fn deploy(&self, revision: &Value, definition: &Value) {
        let with = |fields: &Value, own: Value| {
            let mut all = own;
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            all
        };
        let revision = with(revision, json!({"serviceRevisionArn": REVISION, "taskDefinition": DEFINITION}));
        let definition = with(definition, json!({"taskDefinitionArn": DEFINITION, "family": "web", "revision": 42}));
        self.aws.deploy(&revision, &definition);
    }
}

/// The image string for a tag, as a task definition has it.
fn image(tag: &str) -> String {
    format!("{REGISTRY}/{REPOSITORY}:{tag}")
}

/// A task definition with one container of this image and no architecture.
fn definition(tag: &str) -> Value {
    json!({"containerDefinitions": [{"name": "app", "image": image(tag), "essential": true}]})
}

/// A revision on Fargate, which runs amd64 if nothing else is said.
fn on_fargate() -> Value {
    json!({"launchType": "FARGATE", "platformFamily": "Linux"})
}

/// Answers a payload as the function does, with this setting of `PREFLIGHT_GATES`.
fn answer(aws: &FakeAws, mode: &str, payload: &Value) -> Value {
    let handler = build_consumers_handler(default_connector(), aws, settings(&[("PREFLIGHT_GATES", mode)]), |_| {});
    let payload: ConsumersPayload = serde_json::from_value(payload.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let response = runtime.block_on(handler.respond(payload, Duration::from_secs(60))).unwrap();
    let ConsumersResponse::EcsHook(answer) = response else { panic!("an answer to a hook") };
    serde_json::to_value(answer).unwrap()
}

fn payload() -> Value {
    serde_json::from_str(PAYLOAD).unwrap()
}
