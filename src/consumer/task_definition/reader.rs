//! Reads one task definition: its platform and its containers, each with its line in the file.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::found::{DefinedContainer, MAX_CONTAINERS, TaskDefinitionError, TaskDefinitions};
use crate::consumer::consumer_platform::{ConsumerPlatform, PlacementFields};
use crate::consumer::consumer_service::ConsumerService;
use crate::consumer::container_definition::ContainerDefinition;
use crate::consumer::model::Consumer;

/// The platform of a task definition that Terraform knows only after `apply`.
const NOT_KNOWN_YET: ConsumerPlatform =
    ConsumerPlatform::unknown("its runtimePlatform is not known before `terraform apply`");

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireDefinition<'a> {
    pub(super) family: Option<String>,
    #[serde(borrow)]
    pub(super) container_definitions: Vec<&'a RawValue>,
    pub(super) runtime_platform: Option<WirePlatform>,
    pub(super) requires_compatibilities: Option<Vec<String>>,
    pub(super) placement_constraints: Option<Vec<WireConstraint>>,
}

/// The part of a container that SARIF points at.
#[derive(Debug, Deserialize)]
struct ContainerImage<'a> {
    #[serde(borrow)]
    image: &'a RawValue,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct WirePlatform {
    #[serde(alias = "cpuArchitecture")]
    cpu_architecture: Option<String>,
    #[serde(alias = "operatingSystemFamily")]
    operating_system_family: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireConstraint {
    expression: Option<String>,
}

/// Reads task definitions one by one.
pub(super) struct Reader<'a> {
    pub(super) lines: LineCounter<'a>,
    pub(super) found: TaskDefinitions,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self { lines: LineCounter { file, offset: 0, line: 1 }, found: TaskDefinitions::default() }
    }

    /// Adds the task definition that the file consists of.
    pub(super) fn add_own(&mut self, definition: &'a str) -> Result<(), TaskDefinitionError> {
        let definition: WireDefinition = parse(definition, "the task definition")?;
        self.add_definition(definition, "the task definition", None, false)
    }

    /// Adds the containers of a task definition. `line` is that of all of them, if their document is not part of the file.
    pub(super) fn add_definition(
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
        let platform = if is_platform_unknown { NOT_KNOWN_YET } else { platform };
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

/// Counts lines up to positions that only grow.
pub(super) struct LineCounter<'a> {
    file: &'a [u8],
    offset: usize,
    line: usize,
}

impl LineCounter<'_> {
    /// Returns the line of a part of the file.
    pub(super) fn line_of(&mut self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).saturating_sub(self.file.as_ptr() as usize);
        if let Some(between) = self.file.get(self.offset..offset) {
            self.line += between.split(|byte| *byte == b'\n').count() - 1;
            self.offset = offset;
        }
        self.line
    }
}

/// Parses a part of the file. `name` is the task definition that errors name.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str, name: &str) -> Result<T, TaskDefinitionError> {
    serde_json::from_str(text).map_err(|error| TaskDefinitionError::Containers {
        name: name.to_owned(),
        problem: describe_without_value(&error),
    })
}

/// Describes an error without the value that is wrong, which may be a secret.
fn describe_without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(", expected ") {
        Some((problem, expected)) if problem.starts_with("invalid ") => format!("expected {expected}"),
        _ => text,
    }
}
