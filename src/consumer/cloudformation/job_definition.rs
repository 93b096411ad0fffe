//! `AWS::Batch::JobDefinition`: jobs on AWS Fargate, on EC2 instances, on several nodes and on Amazon EKS.

use serde_json::Value;

use super::collector::Collector;
use super::property::{Property, UnresolvedProperty, read_list, read_text, read_texts};
use super::task_definition::{UNRESOLVED_PLATFORM, determine_task_platform};
use crate::consumer::consumer_platform::ConsumerPlatform;
use crate::consumer::consumer_service::ConsumerService;
use crate::consumer::start_override::StartOverride;

/// The most lists of containers that are read: one for each range of nodes, and one for each task.
const MAX_LISTS: usize = 100;

/// The platform of jobs outside AWS Fargate: their compute environment decides it.
const INSTANCES: ConsumerPlatform =
    ConsumerPlatform::unknown("it runs on instances of its compute environment, which may have either architecture");

pub(super) fn collect(properties: &Value, collector: &mut Collector) {
    let definition = collector.name_definition(&properties["JobDefinitionName"]);
    let is_fargate = read_texts(&properties["PlatformCapabilities"]).resolved().map(|capabilities| {
        // "PlatformCapabilities" in the template reference: the default is EC2.
        capabilities.unwrap_or_default() == ["FARGATE"]
    });
    add_container(collector, &definition, &properties["ContainerProperties"], is_fargate);
    add_tasks(collector, &definition, &properties["EcsProperties"], is_fargate);
    // "Multi-node parallel jobs" in the AWS Batch user guide: they do not run on Fargate.
    for range in list(&properties["NodeProperties"]["NodeRangeProperties"]) {
        add_container(collector, &definition, &range["Container"], Ok(false));
        add_tasks(collector, &definition, &range["EcsProperties"], Ok(false));
        add_pod(collector, &definition, &range["EksProperties"]);
    }
    add_pod(collector, &definition, &properties["EksProperties"]);
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    read_list(value).known().unwrap_or_default().iter().take(MAX_LISTS)
}

fn determine_platform(
    runtime_platform: &Value,
    is_fargate: Result<bool, UnresolvedProperty>,
) -> Result<ConsumerPlatform, UnresolvedProperty> {
    if is_fargate? { determine_task_platform(runtime_platform, &["FARGATE".to_owned()], &[]) } else { Ok(INSTANCES) }
}

/// Adds the container of `ContainerProperties`, which has no name.
fn add_container(
    collector: &mut Collector,
    definition: &str,
    container: &Value,
    is_fargate: Result<bool, UnresolvedProperty>,
) {
    if container.is_null() {
        return;
    }
    let platform = determine_platform(&container["RuntimePlatform"], is_fargate).unwrap_or(UNRESOLVED_PLATFORM);
    collector.add_container(ConsumerService::Batch, definition, container, &platform, find_placeholders);
}

/// Adds the containers of `EcsProperties`.
fn add_tasks(collector: &mut Collector, definition: &str, ecs: &Value, is_fargate: Result<bool, UnresolvedProperty>) {
    for task in list(&ecs["TaskProperties"]) {
        let platform = determine_platform(&task["RuntimePlatform"], is_fargate).unwrap_or(UNRESOLVED_PLATFORM);
        let (service, containers) = (ConsumerService::Batch, &task["Containers"]);
        collector.add_containers(service, definition, containers, &platform, find_placeholders);
    }
}

/// Adds the containers of a pod. The nodes of its cluster decide the platform.
fn add_pod(collector: &mut Collector, definition: &str, eks: &Value) {
    let pod = &eks["PodProperties"];
    for containers in [&pod["InitContainers"], &pod["Containers"]] {
        collector.add_containers(ConsumerService::Batch, definition, containers, &INSTANCES, change_pod_start);
    }
}

/// Marks a start as unknown whose words are parameters of a job: `Ref::name` ("Job definition parameters" in the AWS Batch
/// user guide).
fn find_placeholders(_: &Value, start: &mut StartOverride) {
    start.is_command_replaceable = true;
    if start.entrypoint.iter().chain(&start.command).any(|word| word.contains("Ref::")) {
        start.unknown.get_or_insert_with(|| "its command has parameters, which each job sets".to_owned());
    }
}

/// Sets the start of a container of Kubernetes: `Command` is the entrypoint and `Args` the command ("Define a command and
/// arguments for a container" in the Kubernetes documentation).
fn change_pod_start(container: &Value, start: &mut StartOverride) {
    start.entrypoint = std::mem::take(&mut start.command);
    match read_texts(&container["Args"]) {
        Property::Missing => {}
        Property::Known(arguments) => start.command = arguments,
        Property::Unresolved => {
            start.unknown.get_or_insert_with(|| "Args in its definition is not resolved yet".to_owned());
        }
    }
    start.user = read_text(&container["SecurityContext"]["RunAsUser"]).known();
    let paths = list(&container["VolumeMounts"]).filter_map(|mount| read_text(&mount["MountPath"]).known());
    start.mounts = paths.collect();
    let has_variables = !list(&container["Env"]).all(|variable| variable["Name"] != "PATH");
    if has_variables || start.entrypoint.iter().chain(&start.command).any(|word| word.contains("$(")) {
        start.unknown.get_or_insert_with(|| "its command depends on variables".to_owned());
    }
    find_placeholders(container, start);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::consumer::{Consumer, PlatformSource, parse_resource};
    use crate::runtime::Runtime;

    fn read(properties: &Value) -> Vec<Consumer> {
        parse_resource("AWS::Batch::JobDefinition", "Job", properties).unwrap().consumers
    }

    #[test]
    fn only_fargate_has_a_known_platform() {
        let container = json!({"Image": "team/job:v1", "Command": ["run"]});
        let arm64 = json!({"Image": "team/job:v1", "RuntimePlatform": {"CpuArchitecture": "ARM64"}});
        let fargate = json!(["FARGATE"]);
        for (properties, expected) in [
            (
                json!({"PlatformCapabilities": fargate, "ContainerProperties": container}),
                Some((Runtime::EcsAmd64, PlatformSource::FargateDefault)),
            ),
            (
                json!({"PlatformCapabilities": fargate, "ContainerProperties": arm64}),
                Some((Runtime::EcsArm64, PlatformSource::RuntimePlatform)),
            ),
            (json!({"ContainerProperties": container}), None),
            (json!({"PlatformCapabilities": {"Ref": "P"}, "ContainerProperties": container}), None),
            (json!({"PlatformCapabilities": ["EC2", "FARGATE"], "ContainerProperties": container}), None),
            (
                json!({"PlatformCapabilities": fargate, "EcsProperties": {"TaskProperties": [{"Containers": [container],
                    "RuntimePlatform": {"CpuArchitecture": "ARM64"}}]}}),
                Some((Runtime::EcsArm64, PlatformSource::RuntimePlatform)),
            ),
            (json!({"NodeProperties": {"NodeRangeProperties": [{"Container": container}]}}), None),
            (
                json!({"NodeProperties": {"NodeRangeProperties": [{"EcsProperties": {"TaskProperties": [{"Containers": [container]}]}}]}}),
                None,
            ),
            (json!({"EksProperties": {"PodProperties": {"Containers": [container]}}}), None),
            (json!({"EksProperties": {"PodProperties": {"InitContainers": [container]}}}), None),
        ] {
            let consumers = read(&properties);
            assert_eq!(consumers.len(), 1, "{properties}");
            assert_eq!((consumers[0].definition.as_str(), consumers[0].image.as_str()), ("Job", "team/job:v1"));
            let found = match consumers[0].platform {
                ConsumerPlatform::Known(runtime, source) => Some((runtime, source)),
                _ => None,
            };
            assert_eq!(found, expected, "{properties}");
        }
    }

    #[test]
    fn parameters_of_jobs_make_the_start_unknown() {
        let start = |container: Value| read(&json!({"ContainerProperties": container})).remove(0).start;
        assert_eq!(start(json!({"Image": "a", "Command": ["run", "fast"]})).unknown, None);
        assert!(start(json!({"Image": "a", "Command": ["run", "Ref::speed"]})).unknown.is_some());
        let pod = |container: Value| {
            read(&json!({"EksProperties": {"PodProperties": {"Containers": [container]}}})).remove(0).start
        };
        let found = pod(json!({"Image": "a", "Command": ["/e"], "Args": ["x"], "SecurityContext": {"RunAsUser": 7},
            "VolumeMounts": [{"MountPath": "/data"}]}));
        let words = |text: &str| vec![text.to_owned()];
        let expected = StartOverride {
            entrypoint: words("/e"),
            command: words("x"),
            user: Some("7".to_owned()),
            mounts: words("/data"),
            is_command_replaceable: true,
            ..StartOverride::default()
        };
        assert_eq!(found, expected);
        for (name, value) in [
            ("Args", json!(["$(HOME)"])),
            ("Args", json!({"Ref": "A"})),
            ("Args", json!(["Ref::speed"])),
            ("Env", json!([{"Name": "PATH", "Value": "/bin"}])),
        ] {
            let mut container = json!({"Image": "a"});
            container[name] = value;
            assert!(pod(container.clone()).unknown.is_some(), "{container}");
        }
    }
}
