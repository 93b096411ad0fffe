//! The containers of ECS task definitions in a JSON file: the input of `aws ecs register-task-definition`, the output of
//! `describe-task-definition`, and plans and states of Terraform.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::consumer_platform::{ConsumerPlatform, PlacementFields};
use super::consumer_service::ConsumerService;
use super::container_definition::ContainerDefinition;
use super::model::Consumer;
use crate::text::sanitize_quoted;

/// The largest file, in bytes. A task definition has at most 64 KB ("Amazon ECS service quotas"); the state of Terraform
/// holds many, and other resources.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

/// The most containers in a file. Each is an image that is read.
const MAX_CONTAINERS: usize = 200;

/// How deep modules of Terraform may contain others.
const MAX_MODULE_DEPTH: usize = 32;

/// Why a file has no task definition that can be checked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum TaskDefinitionError {
    #[error("it is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "it has no task definition: expected `containerDefinitions`, as in the input of `aws ecs register-task-definition`, \
         or the output of `terraform show -json`"
    )]
    NoTaskDefinition,
    #[error("the container definitions of {0} are not known before `terraform apply`")]
    NotKnownYet(String),
    #[error("the container definitions of {name} are not valid: {source}")]
    Containers {
        name: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("it has more than {MAX_CONTAINERS} containers")]
    TooManyContainers,
}

/// Parses the containers of all task definitions in a file.
///
/// # Errors
/// The file is not valid JSON, it has no task definition, or one of them cannot be read: nothing is left out.
pub fn parse_task_definitions(bytes: &[u8]) -> Result<Vec<Consumer>, TaskDefinitionError> {
    let document: Value = serde_json::from_slice(bytes)?;
    let mut consumers = Vec::new();
    if let Some(definition) = document.get("taskDefinition").filter(|inner| inner.is_object()) {
        add_definition(parse(definition, "the task definition")?, &mut consumers)?;
    } else if document.get("containerDefinitions").is_some() {
        add_definition(parse(&document, "the task definition")?, &mut consumers)?;
    } else {
        // A plan has both; what is planned is what will run.
        let values = ["planned_values", "values"].iter().find_map(|key| document.get(key));
        let module =
            values.and_then(|values| values.get("root_module")).ok_or(TaskDefinitionError::NoTaskDefinition)?;
        add_module(module, MAX_MODULE_DEPTH, &mut consumers)?;
        if consumers.is_empty() {
            return Err(TaskDefinitionError::NoTaskDefinition);
        }
    }
    Ok(consumers)
}

fn parse<T: DeserializeOwned>(value: &Value, name: &str) -> Result<T, TaskDefinitionError> {
    T::deserialize(value).map_err(|source| TaskDefinitionError::Containers { name: name.to_owned(), source })
}

/// Adds the task definitions of a module of Terraform ("JSON Output Format", values representation).
fn add_module(module: &Value, depth: usize, consumers: &mut Vec<Consumer>) -> Result<(), TaskDefinitionError> {
    let list = |key: &str| module.get(key).and_then(Value::as_array).into_iter().flatten();
    for resource in list("resources").filter(|resource| resource["type"] == "aws_ecs_task_definition") {
        let name = sanitize_quoted(resource["address"].as_str().unwrap_or("aws_ecs_task_definition"));
        let values: TerraformValues = parse(&resource["values"], &name)?;
        let Some(text) = values.container_definitions else { return Err(TaskDefinitionError::NotKnownYet(name)) };
        let container_definitions = serde_json::from_str(&text)
            .map_err(|source| TaskDefinitionError::Containers { name: name.clone(), source })?;
        let definition = WireDefinition {
            family: values.family,
            container_definitions,
            runtime_platform: values.runtime_platform.unwrap_or_default().into_iter().next(),
            requires_compatibilities: values.requires_compatibilities,
            placement_constraints: values.placement_constraints,
        };
        add_definition(definition, consumers)?;
    }
    if depth > 0 {
        list("child_modules").try_for_each(|child| add_module(child, depth - 1, consumers))?;
    }
    Ok(())
}

fn add_definition(definition: WireDefinition, consumers: &mut Vec<Consumer>) -> Result<(), TaskDefinitionError> {
    let platform = definition.runtime_platform.unwrap_or_default();
    let constraints = definition.placement_constraints.unwrap_or_default();
    let constraints: Vec<String> = constraints.into_iter().filter_map(|constraint| constraint.expression).collect();
    let platform = ConsumerPlatform::of_task_definition(PlacementFields {
        cpu_architecture: platform.cpu_architecture.as_deref(),
        operating_system_family: platform.operating_system_family.as_deref(),
        compatibilities: &definition.requires_compatibilities.unwrap_or_default(),
        constraints: &constraints,
    });
    if consumers.len() + definition.container_definitions.len() > MAX_CONTAINERS {
        return Err(TaskDefinitionError::TooManyContainers);
    }
    for container in definition.container_definitions {
        consumers.push(Consumer {
            service: ConsumerService::Ecs,
            name: String::new(),
            arn: String::new(),
            digest: None,
            definition: definition.family.clone().unwrap_or_default(),
            container: container.name.clone().unwrap_or_default(),
            image: container.image.clone(),
            platform: platform.clone(),
            start: container.into_start(),
        });
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDefinition {
    family: Option<String>,
    container_definitions: Vec<ContainerDefinition>,
    runtime_platform: Option<WirePlatform>,
    requires_compatibilities: Option<Vec<String>>,
    placement_constraints: Option<Vec<WireConstraint>>,
}

#[derive(Debug, Default, Deserialize)]
struct WirePlatform {
    #[serde(alias = "cpuArchitecture")]
    cpu_architecture: Option<String>,
    #[serde(alias = "operatingSystemFamily")]
    operating_system_family: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WireConstraint {
    expression: Option<String>,
}

/// The values of `aws_ecs_task_definition` in the AWS provider.
#[derive(Debug, Deserialize)]
struct TerraformValues {
    family: Option<String>,
    /// A JSON document.
    container_definitions: Option<String>,
    runtime_platform: Option<Vec<WirePlatform>>,
    requires_compatibilities: Option<Vec<String>>,
    placement_constraints: Option<Vec<WireConstraint>>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::consumer::{PlatformSource, StartOverride};
    use crate::runtime::Runtime;

    fn parse_value(value: &Value) -> Result<Vec<Consumer>, TaskDefinitionError> {
        parse_task_definitions(value.to_string().as_bytes())
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
            json!({"environment": [{"name": "LD_PRELOAD", "value": "/lib/x.so"}]}),
            json!({"environment": [{"name": "BASH_FUNC_x%%", "value": "() { :; }"}]}),
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
            (resource(json!({"family": "web"})).to_string(), "module.a.x are not known before"),
            (resource(json!({"container_definitions": "["})).to_string(), "definitions of module.a.x are not valid"),
        ] {
            let found = parse_task_definitions(text.as_bytes()).expect_err(&text).to_string();
            assert!(found.contains(error), "{found}");
        }
    }
}
