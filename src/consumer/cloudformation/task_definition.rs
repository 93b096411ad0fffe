//! `AWS::ECS::TaskDefinition`, and the platform of what runs as a task of Amazon ECS.

use serde_json::Value;

use super::collector::Collector;
use super::property::{UnresolvedProperty, is_intrinsic, read_list, read_text, read_texts};
use crate::consumer::consumer_platform::{ConsumerPlatform, PlacementFields};
use crate::consumer::consumer_service::ConsumerService;

/// Why a platform is unknown whose properties are not resolved.
pub(super) const UNRESOLVED_PLATFORM: ConsumerPlatform =
    ConsumerPlatform::unknown("the properties that determine it are not resolved yet");

/// The most containers whose dependencies are followed. A task definition has at most ten ("Amazon ECS service quotas").
const MAX_COMPARED: usize = 100;

pub(super) fn collect(properties: &Value, collector: &mut Collector) {
    let definition = collector.name_definition(&properties["Family"]);
    let platform = determine_platform(properties).unwrap_or(UNRESOLVED_PLATFORM);
    let containers = &properties["ContainerDefinitions"];
    if containers.is_null() {
        collector.add_note("it has no containers".to_owned());
    }
    let needed = select_needed(containers);
    let optional = list(containers).len() - needed.as_array().map_or(0, Vec::len);
    if needed.is_array() && optional > 0 {
        collector.add_note(format!("containers that are not essential: {optional}"));
    }
    collector.add_containers(ConsumerService::Ecs, &definition, &needed, &platform, |_, start| {
        start.is_command_replaceable = true;
    });
}

/// Returns the containers without which no task works, as a list: those that are essential, and those for which one of these
/// waits with the condition `SUCCESS` or `HEALTHY` (`essential` and `dependsOn` of `ContainerDefinition` in the Amazon ECS
/// API reference). What is not a list is returned as it is.
fn select_needed(containers: &Value) -> Value {
    let Some(all) = containers.as_array().filter(|all| all.len() <= MAX_COMPARED) else { return containers.clone() };
    let is_essential = |container: &Value| match &container["Essential"] {
        Value::Null => true,
        value => read_text(value).known().as_deref() == Some("true"),
    };
    let mut needed: Vec<bool> = all.iter().map(is_essential).collect();
    let mut waiting: Vec<usize> = (0..all.len()).filter(|at| needed[*at]).collect();
    while let Some(at) = waiting.pop() {
        for dependency in list(&all[at]["DependsOn"]) {
            let is_waited_for = ["SUCCESS", "HEALTHY"].map(Value::from).contains(&dependency["Condition"]);
            let found =
                all.iter().position(|container| is_waited_for && container["Name"] == dependency["ContainerName"]);
            if let Some(found) = found.filter(|found| !needed[*found]) {
                needed[found] = true;
                waiting.push(found);
            }
        }
    }
    all.iter().zip(needed).filter(|(_, is_needed)| *is_needed).map(|(container, _)| container.clone()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn determine_platform(properties: &Value) -> Result<ConsumerPlatform, UnresolvedProperty> {
    let compatibilities = read_texts(&properties["RequiresCompatibilities"]).resolved()?.unwrap_or_default();
    let constraints = read_list(&properties["PlacementConstraints"]).resolved()?.unwrap_or_default();
    let expressions = constraints.iter().map(|constraint| read_text(&constraint["Expression"]).resolved());
    let constraints: Vec<String> = expressions.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    determine_task_platform(&properties["RuntimePlatform"], &compatibilities, &constraints)
}

/// Determines the platform of a task with this `RuntimePlatform`.
pub(super) fn determine_task_platform(
    runtime_platform: &Value,
    compatibilities: &[String],
    constraints: &[String],
) -> Result<ConsumerPlatform, UnresolvedProperty> {
    if !runtime_platform.is_null() && !runtime_platform.is_object() || is_intrinsic(runtime_platform) {
        return Err(UnresolvedProperty);
    }
    let cpu_architecture = read_text(&runtime_platform["CpuArchitecture"]).resolved()?;
    let operating_system_family = read_text(&runtime_platform["OperatingSystemFamily"]).resolved()?;
    Ok(ConsumerPlatform::of_task_definition(PlacementFields {
        cpu_architecture: cpu_architecture.as_deref(),
        operating_system_family: operating_system_family.as_deref(),
        compatibilities,
        constraints,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::consumer::{PlatformSource, parse_resource};
    use crate::runtime::Runtime;

    #[test]
    fn only_needed_containers_are_read() {
        let properties = json!({"ContainerDefinitions": [
            {"Name": "app", "Image": "a", "DependsOn": [{"ContainerName": "init", "Condition": "SUCCESS"},
                {"ContainerName": "logs", "Condition": "START"}]},
            {"Name": "init", "Image": "b", "Essential": false},
            {"Name": "logs", "Image": "c", "Essential": "false"},
            {"Name": "gpu", "Image": "d", "Essential": true, "ResourceRequirements": [{"Type": "GPU", "Value": "1"}]},
        ]});
        let found = parse_resource("AWS::ECS::TaskDefinition", "Web", &properties).unwrap();
        let names: Vec<&str> = found.consumers.iter().map(|consumer| consumer.container.as_str()).collect();
        assert_eq!(
            (names, found.notes),
            (vec!["app", "init", "gpu"], vec!["containers that are not essential: 1".to_owned()])
        );
        assert!(found.consumers[0].start.effects.is_none() && !found.consumers[2].start.effects.is_none());
    }

    #[test]
    fn containers_and_platform_are_read() {
        use ConsumerPlatform::Known;
        let container = json!({"Name": "app", "Image": "team/app:v1", "Command": ["serve"]});
        for (properties, platform) in [
            (
                json!({"RequiresCompatibilities": ["FARGATE"]}),
                Some(Known(Runtime::EcsAmd64, PlatformSource::FargateDefault)),
            ),
            (
                json!({"RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}}),
                Some(Known(Runtime::EcsArm64, PlatformSource::RuntimePlatform)),
            ),
            (
                json!({"PlacementConstraints": [{"Type": "memberOf", "Expression": "attribute:ecs.cpu-architecture == arm64"}]}),
                Some(Known(Runtime::EcsArm64, PlatformSource::PlacementConstraint)),
            ),
            (
                json!({"RuntimePlatform": {"OperatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}),
                Some(ConsumerPlatform::Windows),
            ),
            (json!({"RequiresCompatibilities": ["FARGATE"], "RuntimePlatform": {"Ref": "P"}}), None),
            (
                json!({"RequiresCompatibilities": ["FARGATE"], "RuntimePlatform": {"CpuArchitecture": {"Ref": "A"}}}),
                None,
            ),
            (json!({"RequiresCompatibilities": {"Ref": "C"}}), None),
            (json!({"RequiresCompatibilities": ["FARGATE"], "RuntimePlatform": "ARM64"}), None),
            (json!({"PlacementConstraints": [{"Expression": {"Ref": "C"}}]}), None),
        ] {
            let mut properties = properties;
            properties["Family"] = "web".into();
            properties["ContainerDefinitions"] = json!([container]);
            let found = parse_resource("AWS::ECS::TaskDefinition", "Task", &properties).unwrap();
            let consumer = &found.consumers[0];
            assert_eq!((consumer.definition.as_str(), consumer.container.as_str()), ("web", "app"));
            assert_eq!((consumer.image.as_str(), consumer.start.command.len()), ("team/app:v1", 1));
            match platform {
                Some(platform) => assert_eq!(consumer.platform, platform, "{properties}"),
                None => assert!(matches!(consumer.platform, ConsumerPlatform::Unknown(_)), "{properties}"),
            }
        }
    }

    #[test]
    fn unresolved_images_and_too_many_containers_are_noted() {
        let read = |containers: Value| {
            let properties = json!({"ContainerDefinitions": containers});
            parse_resource("AWS::ECS::TaskDefinition", "Task", &properties).unwrap()
        };
        let found =
            read(json!([{"Name": "a`b", "Image": {"Fn::Sub": "x"}}, {}, 7, {"Ref": "C"}, {"Image": "busybox"}]));
        assert_eq!((found.consumers.len(), found.consumers[0].definition.as_str()), (1, "Task"));
        assert_eq!(
            found.notes,
            [
                "the image of container `a\u{fffd}b` is not resolved yet",
                "a container has no image",
                "a container is not resolved yet, or not an object"
            ]
        );
        assert_eq!(read(json!({"Ref": "Containers"})).notes, ["its containers are not resolved yet, or not a list"]);
        let found = read(vec![json!({"Image": "busybox"}); 10_000].into());
        assert_eq!(
            (found.consumers.len(), found.notes),
            (200, vec!["only its first 200 containers are read".to_owned()])
        );
    }
}
