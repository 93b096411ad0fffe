//! The containers of ECS task definitions in a JSON file: the input of `aws ecs register-task-definition`, the output of
//! `describe-task-definition`, and plans and states of Terraform.

mod found;
mod reader;
mod terraform;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::found::{DefinedContainer, TaskDefinitionError, TaskDefinitions};

use self::reader::Reader;
use self::terraform::{TerraformChange, TerraformState, add_state};

/// The largest file, in bytes. A task definition has at most 64 KB ("Amazon ECS service quotas"); the state of Terraform
/// holds many, and other resources.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

/// Parses the containers of all task definitions in a file.
///
/// # Errors
/// The file is not valid JSON, it has no task definition, or one of them cannot be read.
pub fn parse_task_definitions(file: &[u8]) -> Result<TaskDefinitions, TaskDefinitionError> {
    let text: &RawValue = serde_json::from_slice(file)?;
    // Serde reads a struct from a list, too.
    if !text.get().starts_with('{') {
        return Err(TaskDefinitionError::NoTaskDefinition);
    }
    let document: Document = serde_json::from_str(text.get())?;
    let mut reader = Reader::new(file);
    match document {
        Document { task_definition: Some(definition), .. } => reader.add_own(definition.get())?,
        Document { container_definitions: Some(_), .. } => reader.add_own(text.get())?,
        // A plan has both; what is planned is what will run.
        Document { planned_values: Some(values), resource_changes, .. }
        | Document { values: Some(values), resource_changes, .. } => {
            add_state(&mut reader, values, resource_changes)?;
        }
        _ => {}
    }
    if reader.found.containers.is_empty() && reader.found.not_known_yet.is_empty() {
        return Err(TaskDefinitionError::NoTaskDefinition);
    }
    Ok(reader.found)
}

/// The forms of the file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    /// The output of `describe-task-definition`.
    #[serde(borrow)]
    task_definition: Option<&'a RawValue>,
    #[serde(borrow)]
    container_definitions: Option<&'a RawValue>,
    /// The output of `terraform show -json`: "JSON Output Format" in the documentation of Terraform.
    #[serde(borrow, rename = "planned_values")]
    planned_values: Option<TerraformState<'a>>,
    #[serde(borrow)]
    values: Option<TerraformState<'a>>,
    /// What a plan changes.
    #[serde(default, rename = "resource_changes")]
    resource_changes: Vec<TerraformChange>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::found::MAX_CONTAINERS;
    use super::*;
    use crate::consumer::{Consumer, ConsumerPlatform, PlatformSource, StartOverride};
    use crate::runtime::Runtime;

    fn parse_value(value: &Value) -> Result<Vec<Consumer>, TaskDefinitionError> {
        let found = parse_task_definitions(value.to_string().as_bytes())?;
        Ok(found.containers.into_iter().map(|container| container.consumer).collect())
    }

    fn with_container(container: &Value) -> StartOverride {
        let mut container = container.clone();
        container["image"] = "busybox".into();
        let definition = json!({"family": "web", "containerDefinitions": [container]});
        parse_value(&definition).unwrap().remove(0).start
    }

    #[test]
    fn containers_of_all_forms_are_read() {
        let container = json!({"name": "app", "image": "team/app:v1", "command": ["serve"]});
        let inner = json!({
            "family": "web", "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [container],
            "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        });
        let resource = json!({
            "address": "aws_ecs_task_definition.web", "type": "aws_ecs_task_definition",
            "values": {
                "family": "web", "container_definitions": json!([container]).to_string(),
                "requires_compatibilities": ["FARGATE"],
                "runtime_platform": [{"cpu_architecture": "ARM64", "operating_system_family": "LINUX"}],
            },
        });
        let other = json!({"address": "aws_s3_bucket.b", "type": "aws_s3_bucket", "values": {}});
        let state = json!({"values": {"root_module": {"resources": [other, resource]}}});
        let module = json!({"resources": [], "child_modules": [{"resources": [resource]}]});
        let plan = json!({"planned_values": {"root_module": module}, "values": {}});
        for document in [inner.clone(), json!({"taskDefinition": inner, "tags": []}), state, plan] {
            let consumers = parse_value(&document).unwrap();
            assert_eq!(consumers.len(), 1, "{document}");
            let Consumer { definition, container, image, platform, start, .. } = &consumers[0];
            assert_eq!((definition.as_str(), container.as_str(), image.as_str()), ("web", "app", "team/app:v1"));
            assert_eq!(*platform, ConsumerPlatform::Known(Runtime::EcsArm64, PlatformSource::RuntimePlatform));
            assert_eq!(*start, StartOverride { command: vec!["serve".to_owned()], ..StartOverride::default() });
        }
    }

    #[test]
    fn overrides_of_the_start_are_read() {
        let container = json!({
            "entryPoint": ["/e", "x"], "command": [], "workingDirectory": "/srv", "user": "1000:1000",
            "environment": [{"name": "TOKEN", "value": "secret"}, {"name": "PATH", "value": "/bin"}],
            "mountPoints": [{"containerPath": "/data", "sourceVolume": "data"}, {}],
        });
        let expected = StartOverride {
            entrypoint: vec!["/e".to_owned(), "x".to_owned()],
            working_directory: Some("/srv".to_owned()),
            user: Some("1000:1000".to_owned()),
            path: Some("/bin".to_owned()),
            mounts: vec!["/data".to_owned()],
            ..StartOverride::default()
        };
        assert_eq!(with_container(&container), expected);
        assert!(with_container(&json!({"entryPoint": null, "environment": null, "user": ""})).is_none());
    }

    #[test]
    fn starts_that_depend_on_more_than_the_file_are_unknown() {
        for container in [
            json!({"environmentFiles": [{"value": "arn:aws:s3:::bucket/env", "type": "s3"}]}),
            json!({"volumesFrom": [{"sourceContainer": "data"}]}),
            json!({"secrets": [{"name": "PATH", "valueFrom": "arn"}]}),
            json!({"entryPoint": [""]}),
        ] {
            assert!(with_container(&container).unknown.is_some(), "{container}");
        }
        for container in [
            json!({"environmentFiles": [], "volumesFrom": [], "secrets": [{"name": "TOKEN", "valueFrom": "arn"}]}),
            json!({"environment": [{"name": "APP_ENV", "value": "production"}, {"value": "x"}]}),
        ] {
            assert_eq!(with_container(&container).unknown, None, "{container}");
        }
    }

    #[test]
    fn definitions_that_are_not_known_yet_are_named() {
        let resource = json!({"address": "module.a.x", "type": "aws_ecs_task_definition", "values": {"family": "web"}});
        let plan = json!({"planned_values": {"root_module": {"resources": [resource]}}});
        let found = parse_task_definitions(plan.to_string().as_bytes()).unwrap();
        assert_eq!((found.containers.len(), found.not_known_yet), (0, vec!["module.a.x".to_owned()]));
    }

    #[test]
    fn what_terraform_only_reads_is_left_out() {
        let containers = json!([{"image": "a"}]).to_string();
        let resource = |mode: &str| {
            json!({"address": "x", "type": "aws_ecs_task_definition", "mode": mode, "values": {"family": mode,
                "container_definitions": containers, "requires_compatibilities": ["FARGATE"]}})
        };
        let state = json!({"values": {"root_module": {"resources": [resource("data"), resource("managed")]}}});
        let consumers = parse_value(&state).unwrap();
        assert_eq!(consumers.iter().map(|one| one.definition.as_str()).collect::<Vec<_>>(), ["managed"]);
    }

    #[test]
    fn platform_that_terraform_does_not_know_yet_is_unknown() {
        let containers = json!([{"image": "a"}]).to_string();
        let resource = json!({"address": "x", "type": "aws_ecs_task_definition", "values": {"family": "web",
            "container_definitions": containers, "requires_compatibilities": ["FARGATE"]}});
        for (unknown, is_known) in [
            (json!({"runtime_platform": [{"cpu_architecture": true}]}), false),
            (json!({"runtime_platform": true}), false),
            (json!({"arn": true, "runtime_platform": []}), true),
        ] {
            let change = json!({"address": "x", "change": {"after_unknown": unknown}});
            let plan =
                json!({"planned_values": {"root_module": {"resources": [resource]}}, "resource_changes": [change]});
            assert_eq!(parse_value(&plan).unwrap()[0].runtime().is_some(), is_known, "{unknown}");
        }
    }

    #[test]
    fn errors_do_not_show_values() {
        for container in [
            json!({"image": "a", "environment": [{"name": "PIN", "value": 98765}]}),
            json!({"image": "a", "environment": "98765"}),
            json!({"image": "a", "command": "98765, expected nothing"}),
            json!({"image": "a", "secrets": [["98765"]]}),
        ] {
            let error = parse_value(&json!({"containerDefinitions": [container]})).unwrap_err().to_string();
            assert!(!error.contains("98765") && error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn containers_have_the_line_of_their_image() {
        let file =
            "{\n\"containerDefinitions\": [\n  {\"name\": \"a\",\n   \"image\": \"x\"},\n  {\"image\": \"y\"}\n]}";
        let terraform = "{\"values\": {\"root_module\": {\"child_modules\": [{\"resources\": [\n\
                         {\"type\": \"aws_ecs_task_definition\", \"values\": {\n\
                         \"container_definitions\": \"[{\\\"image\\\":\\\"x\\\"},{\\\"image\\\":\\\"y\\\"}]\"}}]}]}}}";
        for (file, expected) in [(file, [4, 5]), (terraform, [3, 3])] {
            let found = parse_task_definitions(file.as_bytes()).unwrap().containers;
            assert_eq!(found.iter().map(|container| container.line).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn other_files_are_errors() {
        let resource = |values: Value| {
            let resource = json!({"address": "module.a.x", "type": "aws_ecs_task_definition", "values": values});
            json!({"planned_values": {"root_module": {"resources": [resource]}}})
        };
        let many = vec![json!({"image": "busybox"}); MAX_CONTAINERS + 1];
        for (text, error) in [
            ("{".to_owned(), "it is not valid JSON"),
            ("[]".to_owned(), "it has no task definition"),
            (json!({"Resources": {}}).to_string(), "it has no task definition"),
            (json!({"values": {"root_module": {}}}).to_string(), "it has no task definition"),
            (json!({"containerDefinitions": [{"name": "app"}]}).to_string(), "missing field `image`"),
            (json!({"containerDefinitions": [{"image": "a", "command": "b"}]}).to_string(), "expected a sequence"),
            (json!({"containerDefinitions": many}).to_string(), "more than 200 containers"),
            (resource(json!({"container_definitions": "["})).to_string(), "definitions of module.a.x are not valid"),
        ] {
            let found = parse_task_definitions(text.as_bytes()).expect_err(&text).to_string();
            assert!(found.contains(error), "{found}");
        }
    }
}
