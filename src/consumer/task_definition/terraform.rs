//! Reads the task definitions in a plan or a state of Terraform: "JSON Output Format" in the documentation of Terraform.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::found::{MAX_MODULE_DEPTH, TaskDefinitionError};
use super::reader::{Reader, WireConstraint, WireDefinition, WirePlatform, parse};
use crate::text::sanitize_quoted;

#[derive(Debug, Deserialize)]
pub(super) struct TerraformChange {
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
pub(super) struct TerraformState<'a> {
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

/// Adds the task definitions of a plan or a state. `changes` are those of a plan.
pub(super) fn add_state<'a>(
    reader: &mut Reader<'a>,
    state: TerraformState<'a>,
    changes: Vec<TerraformChange>,
) -> Result<(), TaskDefinitionError> {
    let unknown = changes.into_iter().filter(TerraformChange::has_unknown_platform);
    let unknown_platforms = unknown.map(|change| change.address).collect();
    let module = state.root_module.ok_or(TaskDefinitionError::NoTaskDefinition)?;
    TerraformReader { reader, unknown_platforms }.add_module(&module, MAX_MODULE_DEPTH)
}

struct TerraformReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// The addresses of resources whose platform Terraform does not know yet.
    unknown_platforms: Vec<String>,
}

impl<'a> TerraformReader<'_, 'a> {
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
                self.reader.found.not_known_yet.push(name);
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
            let line = self.reader.lines.line_of(raw.get());
            let is_unknown = self.unknown_platforms.contains(&resource.address);
            self.reader.add_definition(definition, &name, Some(line), is_unknown)?;
        }
        if depth == 0 && !module.child_modules.is_empty() {
            return Err(TaskDefinitionError::TooManyModules);
        }
        for child in &module.child_modules {
            self.add_module(&parse(child.get(), "a module")?, depth - 1)?;
        }
        Ok(())
    }
}
