//! The containers of ECS task definitions in a JSON file: the input of `aws ecs register-task-definition`, the output of
//! `describe-task-definition`, and plans and states of Terraform.

use serde::Deserialize;
use serde_json::value::RawValue;

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
    #[error("the container definitions of {name} are not valid: {problem}")]
    Containers { name: String, problem: String },
    #[error("its modules contain each other more than {MAX_MODULE_DEPTH} levels deep")]
    TooManyModules,
    #[error("it has more than {MAX_CONTAINERS} containers")]
    TooManyContainers,
}

/// The task definitions in a file.
#[derive(Debug, Default)]
pub struct TaskDefinitions {
    /// Their containers, in the order of the file.
    pub containers: Vec<DefinedContainer>,
    /// The names of those whose containers are not known before `terraform apply`.
    pub not_known_yet: Vec<String>,
}

/// A container, and where it is defined.
#[derive(Debug, PartialEq, Eq)]
pub struct DefinedContainer {
    /// The container.
    pub consumer: Consumer,
    /// The line of its image in the file, from 1. In Terraform's output it is that of all containers of the resource.
    pub line: usize,
}

/// Parses the containers of all task definitions in a file.
///
/// # Errors
/// The file is not valid JSON, it has no task definition, or one of them cannot be read: nothing is left out.
pub fn parse_task_definitions(file: &[u8]) -> Result<TaskDefinitions, TaskDefinitionError> {
    let text: &RawValue = serde_json::from_slice(file)?;
    // Serde reads a struct from a list, too.
    if !text.get().starts_with('{') {
        return Err(TaskDefinitionError::NoTaskDefinition);
    }
    let document: Document = serde_json::from_str(text.get())?;
    let mut reader = Reader {
        lines: LineCounter { file, offset: 0, line: 1 },
        unknown_platforms: Vec::new(),
        found: TaskDefinitions::default(),
    };
    match document {
        Document { task_definition: Some(definition), .. } => reader.add_own(definition.get())?,
        Document { container_definitions: Some(_), .. } => reader.add_own(text.get())?,
        // A plan has both; what is planned is what will run.
        Document { planned_values: Some(values), resource_changes, .. }
        | Document { values: Some(values), resource_changes, .. } => {
            let unknown = resource_changes.into_iter().filter(TerraformChange::has_unknown_platform);
            reader.unknown_platforms = unknown.map(|change| change.address).collect();
            let module = values.root_module.ok_or(TaskDefinitionError::NoTaskDefinition)?;
            reader.add_module(&module, MAX_MODULE_DEPTH)?;
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

#[derive(Debug, Deserialize)]
struct TerraformChange {
    #[serde(default)]
    address: String,
    #[serde(default)]
    change: TerraformChangeValues,
}

#[derive(Debug, Default, Deserialize)]
struct TerraformChangeValues {
    #[serde(default)]
    after_unknown: serde_json::Value,
}

/// The properties that determine the platform of a task definition.
const PLATFORM_PROPERTIES: [&str; 3] = ["runtime_platform", "requires_compatibilities", "placement_constraints"];

impl TerraformChange {
    /// Returns whether Terraform does not know the platform before `apply`.
    fn has_unknown_platform(&self) -> bool {
        PLATFORM_PROPERTIES.iter().any(|property| self.change.after_unknown[*property].to_string().contains("true"))
    }
}

#[derive(Debug, Deserialize)]
struct TerraformState<'a> {
    #[serde(borrow)]
    root_module: Option<TerraformModule<'a>>,
}

#[derive(Debug, Deserialize)]
struct TerraformModule<'a> {
    #[serde(borrow, default)]
    resources: Vec<TerraformResource<'a>>,
    #[serde(borrow, default)]
    child_modules: Vec<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct TerraformResource<'a> {
    r#type: String,
    /// `managed`, or `data` for what Terraform only reads.
    #[serde(default)]
    mode: String,
    #[serde(default)]
    address: String,
    #[serde(borrow)]
    values: Option<&'a RawValue>,
}

/// The values of `aws_ecs_task_definition` in the AWS provider.
#[derive(Debug, Default, Deserialize)]
struct TerraformValues<'a> {
    family: Option<String>,
    /// A JSON document in a string. Absent if it is not known yet.
    #[serde(borrow)]
    container_definitions: Option<&'a RawValue>,
    runtime_platform: Option<Vec<WirePlatform>>,
    requires_compatibilities: Option<Vec<String>>,
    placement_constraints: Option<Vec<WireConstraint>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDefinition<'a> {
    family: Option<String>,
    #[serde(borrow)]
    container_definitions: Vec<&'a RawValue>,
    runtime_platform: Option<WirePlatform>,
    requires_compatibilities: Option<Vec<String>>,
    placement_constraints: Option<Vec<WireConstraint>>,
}

/// The part of a container that SARIF points at.
#[derive(Debug, Deserialize)]
struct ContainerImage<'a> {
    #[serde(borrow)]
    image: &'a RawValue,
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

/// Describes an error without the value that is wrong, which may be a secret.
fn describe_without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(", expected ") {
        Some((problem, expected)) if problem.starts_with("invalid ") => format!("expected {expected}"),
        _ => text,
    }
}

/// Counts lines up to positions that only grow.
struct LineCounter<'a> {
    file: &'a [u8],
    offset: usize,
    line: usize,
}

impl LineCounter<'_> {
    /// Returns the line of a part of the file.
    fn line_of(&mut self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).saturating_sub(self.file.as_ptr() as usize);
        if let Some(between) = self.file.get(self.offset..offset) {
            self.line += between.split(|byte| *byte == b'\n').count() - 1;
            self.offset = offset;
        }
        self.line
    }
}

struct Reader<'a> {
    lines: LineCounter<'a>,
    /// The addresses of resources whose platform Terraform does not know yet.
    unknown_platforms: Vec<String>,
    found: TaskDefinitions,
}

impl<'a> Reader<'a> {
    /// Adds the task definition that the file consists of.
    fn add_own(&mut self, definition: &'a str) -> Result<(), TaskDefinitionError> {
        let definition: WireDefinition = parse(definition, "the task definition")?;
        self.add_definition(definition, "the task definition", None, false)
    }

    /// Adds the task definitions of a module.
    fn add_module(&mut self, module: &TerraformModule<'a>, depth: usize) -> Result<(), TaskDefinitionError> {
        let is_own =
            |resource: &&TerraformResource| resource.r#type == "aws_ecs_task_definition" && resource.mode != "data";
        for resource in module.resources.iter().filter(is_own) {
            let name = sanitize_quoted(&resource.address);
            let values: Option<TerraformValues> =
                resource.values.map(|values| parse(values.get(), &name)).transpose()?;
            let values = values.unwrap_or_default();
            let Some(raw) = values.container_definitions else {
                self.found.not_known_yet.push(name);
                continue;
            };
            let text: String = parse(raw.get(), &name)?;
            let definition = WireDefinition {
                family: values.family,
                container_definitions: parse(&text, &name)?,
                runtime_platform: values.runtime_platform.unwrap_or_default().into_iter().next(),
                requires_compatibilities: values.requires_compatibilities,
                placement_constraints: values.placement_constraints,
            };
            let line = self.lines.line_of(raw.get());
            let is_unknown = self.unknown_platforms.contains(&resource.address);
            self.add_definition(definition, &name, Some(line), is_unknown)?;
        }
        if depth == 0 && !module.child_modules.is_empty() {
            return Err(TaskDefinitionError::TooManyModules);
        }
        for child in &module.child_modules {
            self.add_module(&parse(child.get(), "a module")?, depth - 1)?;
        }
        Ok(())
    }

    /// Adds the containers of a task definition. `line` is that of all of them, if their document is not part of the file.
    fn add_definition(
        &mut self,
        definition: WireDefinition<'_>,
        name: &str,
        line: Option<usize>,
        is_platform_unknown: bool,
    ) -> Result<(), TaskDefinitionError> {
        let platform = definition.runtime_platform.unwrap_or_default();
        let constraints = definition.placement_constraints.unwrap_or_default();
        let constraints: Vec<String> = constraints.into_iter().filter_map(|constraint| constraint.expression).collect();
        let platform = ConsumerPlatform::of_task_definition(PlacementFields {
            cpu_architecture: platform.cpu_architecture.as_deref(),
            operating_system_family: platform.operating_system_family.as_deref(),
            compatibilities: &definition.requires_compatibilities.unwrap_or_default(),
            constraints: &constraints,
        });
        let platform = match platform {
            _ if is_platform_unknown => {
                ConsumerPlatform::Unknown("its runtimePlatform is not known before `terraform apply`")
            }
            known => known,
        };
        if self.found.containers.len() + definition.container_definitions.len() > MAX_CONTAINERS {
            return Err(TaskDefinitionError::TooManyContainers);
        }
        for raw in definition.container_definitions {
            let container: ContainerDefinition = parse(raw.get(), name)?;
            let line = match line {
                Some(line) => line,
                None => self.lines.line_of(parse::<ContainerImage>(raw.get(), name)?.image.get()),
            };
            let consumer = Consumer {
                service: ConsumerService::Ecs,
                name: String::new(),
                arn: String::new(),
                digest: None,
                definition: definition.family.clone().unwrap_or_default(),
                container: container.name.clone().unwrap_or_default(),
                image: container.image.clone(),
                platform: platform.clone(),
                start: container.into_start(),
            };
            self.found.containers.push(DefinedContainer { consumer, line });
        }
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, name: &str) -> Result<T, TaskDefinitionError> {
    serde_json::from_str(text).map_err(|error| TaskDefinitionError::Containers {
        name: name.to_owned(),
        problem: describe_without_value(&error),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::consumer::{PlatformSource, StartOverride};
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
