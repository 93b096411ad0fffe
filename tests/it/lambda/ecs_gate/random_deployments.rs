//! Hundreds of random deployments against rules of their own: a deployment is stopped if, and only if, a container that the
//! task needs certainly does not start.

use std::time::Duration;

use ecr_preflight::aws::default_connector;
use ecr_preflight::lambda::consumers::payload::ConsumersPayload;
use ecr_preflight::lambda::consumers::response::ConsumersResponse;
use serde_json::{Value, json};

use super::super::{build_consumers_handler, settings};
use super::{Images, image, payload};
use crate::support::random::Random;

const DEPLOYMENTS: usize = 400;

/// One random container, and whether it certainly does not start where the deployment runs.
struct Container {
    definition: Value,
    resolved: Option<Value>,
    is_essential: bool,
    /// The architectures of its image; `None` if it is not read.
    architectures: Option<&'static [&'static str]>,
    /// Whether the program that it starts is missing.
    lacks_program: bool,
    /// Whether it is unknown which program it starts.
    is_unknown: bool,
}

fn architectures(tag: &str) -> Option<&'static [&'static str]> {
    match tag {
        "amd64" => Some(&["amd64"]),
        "arm64" => Some(&["arm64"]),
        "both" => Some(&["amd64", "arm64"]),
        _ => None,
    }
}

impl Container {
    fn random(number: usize, images: &Images, random: &mut Random) -> Self {
        let name = format!("c{number}");
        let tag = *random.pick(&["amd64", "arm64", "both", "both", "absent", "public"]);
        let mut definition = json!({"name": name, "image": image(tag)});
        if tag == "public" {
            definition["image"] = "public.ecr.aws/docker/library/nginx:1".into();
        }
        let mut read = architectures(tag);
        let digest = match random.below(6) {
            0 => Some(("amd64", images.amd64.to_string())),
            1 => Some(("arm64", images.arm64.to_string())),
            2 => Some((tag, "sha256:malformed".to_owned())),
            3 => Some((tag, String::new())),
            _ => None,
        };
        let resolved = digest.map(|(of, digest)| {
            if tag != "public" && digest.len() > 70 {
                read = architectures(of);
            }
            json!({"containerName": name, "image": definition["image"], "imageDigest": digest})
        });
        let mut lacks_program = false;
        match random.below(4) {
            0 => definition["entryPoint"] = json!(["/app", "--verbose"]),
            1 => {
                definition["entryPoint"] = json!(["/srv/missing"]);
                lacks_program = true;
            }
            // The entrypoint of the image stays.
            2 => definition["command"] = json!(["/srv/missing"]),
            _ => {}
        }
        let extras = [
            ("environmentFiles", json!([{"value": "arn:aws:s3:::bucket/env", "type": "s3"}]), true),
            ("volumesFrom", json!([{"sourceContainer": "c0"}]), true),
            ("mountPoints", json!([{"containerPath": "/srv", "sourceVolume": "v"}]), lacks_program),
            ("mountPoints", json!([{"containerPath": "/data", "sourceVolume": "v"}]), false),
            ("secrets", json!([{"name": "PATH", "valueFrom": "arn"}]), true),
            ("secrets", json!([{"name": "TOKEN", "valueFrom": "arn"}]), false),
            ("secrets", json!([{"name": "LD_PRELOAD", "valueFrom": "arn:aws:ssm:::parameter/x"}]), true),
            ("environment", json!([{"name": "APP_ENV", "value": "0SECRET0"}]), false),
            ("portMappings", json!([{"containerPort": 80}]), false),
        ];
        let mut is_unknown = false;
        if random.below(2) == 0 {
            let (field, value, hides) = random.pick(&extras);
            definition[*field] = value.clone();
            is_unknown = *hides;
        }
        let is_essential = number == 0 || random.below(3) > 0;
        if !is_essential || random.below(2) == 0 {
            definition["essential"] = is_essential.into();
        }
        Self { definition, resolved, is_essential, architectures: read, lacks_program, is_unknown }
    }

    fn certainly_fails(&self, architecture: &str) -> bool {
        // An image that declares another architecture may nevertheless have the right program.
        let certainly = |all: &[&str]| !self.is_unknown && (!all.contains(&architecture) || self.lacks_program);
        self.architectures.is_some_and(certainly)
    }
}

/// A random place to run, and its architecture if that is certain.
fn place(revision: &mut Value, definition: &mut Value, random: &mut Random) -> Option<&'static str> {
    let fargate = match random.below(7) {
        0 | 1 => {
            revision["launchType"] = "FARGATE".into();
            true
        }
        2 => {
            revision["capacityProviderStrategy"] =
                json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]);
            true
        }
        3 => {
            let providers = ["FARGATE", "instances"].map(|name| json!({"capacityProvider": name, "weight": 1}));
            revision["capacityProviderStrategy"] = providers.to_vec().into();
            false
        }
        4 => {
            revision["launchType"] = "EC2".into();
            false
        }
        5 => {
            revision["launchType"] = "SOMETHING_NEW".into();
            false
        }
        _ => false,
    };
    // What a task definition allows says nothing about where it runs.
    definition["requiresCompatibilities"] =
        random.pick(&[json!(["FARGATE"]), json!(["EC2", "FARGATE"]), json!([])]).clone();
    let declared = *random.pick(&["", "", "X86_64", "ARM64", "RISCV64"]);
    if !declared.is_empty() {
        definition["runtimePlatform"] = json!({"cpuArchitecture": declared, "operatingSystemFamily": "LINUX"});
    }
    let constrained = random.below(4) == 0;
    if constrained {
        definition["placementConstraints"] =
            json!([{"type": "memberOf", "expression": "attribute:ecs.cpu-architecture == arm64"}]);
    }
    let windows = random.below(12) == 0;
    if windows {
        revision["platformFamily"] = "WINDOWS_SERVER_2022_FULL".into();
    }
    let express = random.below(6) == 0;
    if express {
        revision["ecsManagedResources"] = json!({});
    }
    let overridden = *random.pick(&["", "", "", "ARM64", "X86_64"]);
    if !overridden.is_empty() {
        revision["overrides"] = json!({"runtimePlatform": {"cpuArchitecture": overridden}});
    }
    match (overridden, declared) {
        _ if windows || express => None,
        ("ARM64", _) => Some("arm64"),
        ("X86_64", _) => Some("amd64"),
        (_, "ARM64") => Some("arm64"),
        (_, "X86_64") => Some("amd64"),
        (_, "RISCV64") => None,
        _ if constrained => Some("arm64"),
        _ => fargate.then_some("amd64"),
    }
}

#[test]
fn random_deployments_are_stopped_for_certain_faults_only() {
    let images = Images::push();
    let handler =
        build_consumers_handler(default_connector(), &images.aws, settings(&[("PREFLIGHT_GATES", "fail")]), |line| {
            assert!(!line.to_string().contains("0SECRET0"), "{line}");
        });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut stopped = 0;
    for seed in 1..=DEPLOYMENTS as u64 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 32));
        let mut containers: Vec<Container> = Vec::new();
        for number in 0..=random.below(4) {
            let mut container = Container::random(number, &images, &mut random);
            // A container waits for the one before it, which must not be essential if it has to succeed.
            if let Some(before) = containers.last().filter(|_| random.below(2) == 0) {
                let condition = if before.is_essential {
                    *random.pick(&["START", "HEALTHY"])
                } else {
                    *random.pick(&["START", "COMPLETE", "SUCCESS", "HEALTHY"])
                };
                container.definition["dependsOn"] =
                    json!([{"containerName": format!("c{}", number - 1), "condition": condition}]);
            }
            containers.push(container);
        }
        let mut needed: Vec<bool> = containers.iter().map(|container| container.is_essential).collect();
        for number in (1..containers.len()).rev() {
            let condition = containers[number].definition["dependsOn"][0]["condition"].as_str();
            needed[number - 1] |= needed[number] && matches!(condition, Some("SUCCESS" | "HEALTHY"));
        }
        let resolved: Vec<&Value> = containers.iter().filter_map(|container| container.resolved.as_ref()).collect();
        let definitions: Vec<&Value> = containers.iter().map(|container| &container.definition).collect();
        let (mut revision, mut definition) =
            (json!({"containerImages": resolved}), json!({"containerDefinitions": definitions}));
        let architecture = place(&mut revision, &mut definition, &mut random);
        let is_faulty = containers
            .iter()
            .zip(needed)
            .any(|(container, needed)| needed && architecture.is_some_and(|on| container.certainly_fails(on)));
        images.deploy(&revision, &definition);
        let payload: ConsumersPayload = serde_json::from_value(payload()).unwrap();
        let response = runtime.block_on(handler.respond(payload, Duration::from_secs(60))).unwrap();
        let ConsumersResponse::EcsHook(answer) = response else { panic!("an answer to a hook") };
        let expected = if is_faulty { "FAILED" } else { "SUCCEEDED" };
        assert_eq!(
            serde_json::to_value(answer).unwrap(),
            json!({"hookStatus": expected}),
            "seed {seed}: {revision} {definition}"
        );
        stopped += usize::from(is_faulty);
    }
    assert!((DEPLOYMENTS / 5..DEPLOYMENTS * 4 / 5).contains(&stopped), "{stopped} of {DEPLOYMENTS} are stopped");
}
