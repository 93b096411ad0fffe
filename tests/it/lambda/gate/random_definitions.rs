//! Hundreds of random task definitions against a simple model: stopped if and only if a container certainly does not start.

use serde_json::{Value, json};

use super::super::REPOSITORY;
use super::super::function::Function;
use super::hook::{ask, task_definition};
use super::{REGISTRY, STOPPING};
use crate::support::aws::FakeAws;
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config, with_platform};
use crate::support::random::Random;

/// The number of processes of the function, and of definitions for each. Its log must fit into the pipe, which nobody reads
/// meanwhile.
const PROCESSES: usize = 8;
const DEFINITIONS: usize = 40;

/// The images: the tag, what the config declares, and the architectures of the programs that run on a host.
const IMAGES: [(&str, &[&str], &[&str]); 5] = [
    ("amd64", &["amd64"], &["amd64"]),
    ("arm64", &["arm64"], &["arm64"]),
    ("both", &["amd64", "arm64"], &["amd64", "arm64"]),
    // The config declares arm64, and the program is for amd64.
    ("wrong-config", &["arm64"], &["amd64"]),
    ("wrong-program", &["amd64"], &["arm64"]),
];

fn aws_with_images() -> FakeAws {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let single = |layout: &Builder, declared: &str, program: &str| {
        layout.manifest(&config("linux", declared, json!({})), &[layout.layer(OCI_GZIP, &elf::program(program))])
    };
    for (tag, declared, programs) in IMAGES {
        let image = if tag == "both" {
            let child = |architecture| with_platform(&layout.image(architecture), "linux", architecture);
            layout.index(&[child("amd64"), child("arm64")])
        } else {
            single(&layout, declared[0], programs[0])
        };
        layout.tag(tag, &image);
    }
    aws.push(REPOSITORY, &layout);
    aws
}

/// A container, and whether it starts on each architecture; `None` if that is not certain.
struct Case {
    definition: Value,
    starts: [Option<bool>; 2],
}

const HOSTS: [&str; 2] = ["amd64", "arm64"];

fn random_container(random: &mut Random) -> Case {
    let unread = ["nginx:1", "{{resolve:ssm:/image}}", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:arm64"];
    if random.below(4) == 0 {
        let absent = format!("{REGISTRY}/{REPOSITORY}:absent");
        let image = if random.below(2) == 0 { (*random.pick(&unread)).to_owned() } else { absent };
        return Case { definition: json!({"Name": "other", "Image": image}), starts: [None; 2] };
    }
    let (tag, _, programs) = random.pick(&IMAGES);
    let mut definition = json!({"Name": tag, "Image": format!("{REGISTRY}/{REPOSITORY}:{tag}")});
    let mut starts = HOSTS.map(|host| Some(programs.contains(&host)));
    match random.below(6) {
        // A program that the image does not have.
        0 => {
            definition["EntryPoint"] = json!(["/absent"]);
            starts = [Some(false); 2];
        }
        1 => definition["EntryPoint"] = json!(["/app", "x"]),
        // The start is unknown, so that nothing is certain, whatever the image declares. An index has both platforms.
        2 => {
            definition["EnvironmentFiles"] = json!([{"Type": "s3", "Value": "arn:aws:s3:::bucket/env"}]);
            starts = [None; 2];
        }
        3 => {
            definition["Command"] = json!([{"Ref": "Command"}]);
            starts = [None; 2];
        }
        _ => definition["Environment"] = json!([{"Name": "A", "Value": {"Ref": "B"}}]),
    }
    Case { definition, starts }
}

/// A platform, and the position of its architecture in [`HOSTS`], if it is known.
fn random_platform(random: &mut Random) -> (Value, Option<usize>) {
    let fargate = json!(["FARGATE"]);
    match random.below(6) {
        0 => (json!({"RequiresCompatibilities": ["EC2"]}), None),
        1 => (json!({"RequiresCompatibilities": fargate, "RuntimePlatform": {"CpuArchitecture": {"Ref": "A"}}}), None),
        2 | 3 => (json!({"RequiresCompatibilities": fargate}), Some(0)),
        _ => (json!({"RequiresCompatibilities": fargate, "RuntimePlatform": {"CpuArchitecture": "ARM64"}}), Some(1)),
    }
}

#[test]
fn random_task_definitions_are_stopped_only_for_certain_faults() {
    let mut random = Random(0x5eed);
    let stopped: usize = (0..PROCESSES).map(|_| stop_random_definitions(&mut random)).sum();
    let all = PROCESSES * DEFINITIONS;
    assert!((all / 5..all * 4 / 5).contains(&stopped), "{stopped} of {all} are stopped");
}

/// Compares random definitions with the model, and returns how many are stopped.
fn stop_random_definitions(random: &mut Random) -> usize {
    let aws = aws_with_images();
    let function = Function::start_consumers(&aws, &[STOPPING]);
    let mut stopped = 0;
    for _ in 0..DEFINITIONS {
        let (mut properties, host) = random_platform(random);
        let count = 1 + random.below(4);
        let containers: Vec<Case> = (0..count).map(|_| random_container(random)).collect();
        properties["ContainerDefinitions"] = containers.iter().map(|case| case.definition.clone()).collect();
        let fails = |host: usize| containers.iter().any(|case| case.starts[host] == Some(false));
        let expected = if host.is_some_and(fails) { "FAILED" } else { "SUCCESS" };
        let answer = ask(&aws, &task_definition(&properties));
        assert_eq!(answer["hookStatus"], expected, "{properties}\n{answer}");
        stopped += usize::from(expected == "FAILED");
    }
    drop(function.log());
    stopped
}

/// Replaces a random value in a document.
fn garble(value: &mut Value, random: &mut Random) {
    let garbage = [json!(null), json!({"Ref": "X"}), json!([]), json!(7), json!("{{resolve:ssm:/x}}"), json!([[{}]])];
    let inner = match value {
        Value::Object(members) if !members.is_empty() && random.below(5) > 0 => {
            let at = random.below(members.len());
            members.values_mut().nth(at)
        }
        Value::Array(elements) if !elements.is_empty() && random.below(5) > 0 => {
            let at = random.below(elements.len());
            elements.get_mut(at)
        }
        _ => None,
    };
    match inner {
        Some(inner) => garble(inner, random),
        None => *value = random.pick(&garbage).clone(),
    }
}

#[test]
fn garbled_payloads_of_sound_images_are_never_stopped() {
    let mut random = Random(0xbad);
    (0..PROCESSES).for_each(|_| garble_payloads(&mut random));
}

fn garble_payloads(random: &mut Random) {
    let aws = aws_with_images();
    let function = Function::start_consumers(&aws, &[STOPPING]);
    let container = json!({"Name": "app", "Image": format!("{REGISTRY}/{REPOSITORY}:both"), "Secrets": [],
        "Environment": [{"Name": "PATH", "Value": "/bin"}], "MountPoints": [{"ContainerPath": "/data"}]});
    let properties = json!({"Family": "web", "RequiresCompatibilities": ["FARGATE"], "ContainerDefinitions": [container],
        "RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}});
    let sound = task_definition(&properties);
    assert_eq!(ask(&aws, &sound)["hookStatus"], "SUCCESS");
    for _ in 0..DEFINITIONS {
        let mut payload = sound.clone();
        let members = ["requestData", "requestContext", "hookModel", "stackId", "clientRequestToken"];
        for _ in 0..=random.below(3) {
            garble(&mut payload[*random.pick(&members)], random);
        }
        assert_eq!(ask(&aws, &payload)["hookStatus"], "SUCCESS", "{payload}");
    }
    drop(function.log());
}
