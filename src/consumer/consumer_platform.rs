//! The platform on which a consumer runs its image, and where it was learnt.

use serde::Serialize;

use crate::runtime::{Runtime, Service};

/// The platform of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerPlatform {
    /// It runs on this runtime.
    Known(Runtime, PlatformSource),
    /// Its architecture is unknown, for this reason.
    Unknown(&'static str),
    /// It runs Windows, which is not checked.
    Windows,
}

/// Where the architecture of a consumer was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformSource {
    /// `runtimePlatform.cpuArchitecture` of its task definition.
    RuntimePlatform,
    /// It is that of AWS Fargate for a task definition without one: `X86_64` ("`RuntimePlatform`" in the Amazon ECS API
    /// reference).
    FargateDefault,
    /// A placement constraint on the attribute `ecs.cpu-architecture`.
    PlacementConstraint,
    /// `overrides.runtimePlatform.cpuArchitecture` of its service revision: Amazon ECS chose it.
    Override,
    /// `Architectures` of a Lambda function.
    Architectures,
    /// It is that of AWS Lambda for a function without one: `x86_64` ("`CreateFunction`" in the AWS Lambda API reference).
    LambdaDefault,
    /// The service has only one: AWS App Runner.
    Service,
}

impl PlatformSource {
    /// Returns the source in a sentence about the definition.
    pub fn describe(self) -> &'static str {
        match self {
            Self::RuntimePlatform => "its runtimePlatform",
            Self::FargateDefault => "it has no runtimePlatform, and Fargate then uses X86_64",
            Self::PlacementConstraint => "its placement constraint",
            Self::Override => "the override in its service revision",
            Self::Architectures => "its architectures",
            Self::LambdaDefault => "it has no architectures, and Lambda then uses x86_64",
            Self::Service => "its only architecture",
        }
    }
}

/// The fields of a task definition that determine its platform.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PlacementFields<'a> {
    pub(super) cpu_architecture: Option<&'a str>,
    pub(super) operating_system_family: Option<&'a str>,
    pub(super) compatibilities: &'a [String],
    pub(super) constraints: &'a [String],
}

impl ConsumerPlatform {
    /// Determines the platform of a task definition: the first field that says it.
    pub(super) fn of_task_definition(fields: PlacementFields<'_>) -> Self {
        if fields.operating_system_family.is_some_and(|family| family.starts_with("WINDOWS")) {
            return Self::Windows;
        }
        let on = |architecture, source| {
            let runtime = Runtime::for_service(Service::Ecs, architecture).expect("ECS has both architectures");
            Self::Known(runtime, source)
        };
        match fields.cpu_architecture {
            Some("X86_64") => return on("amd64", PlatformSource::RuntimePlatform),
            Some("ARM64") => return on("arm64", PlatformSource::RuntimePlatform),
            Some(_) => return Self::Unknown("its cpuArchitecture is neither X86_64 nor ARM64"),
            None => {}
        }
        if let Some(architecture) =
            fields.constraints.iter().find_map(|constraint| constrained_architecture(constraint))
        {
            return on(architecture, PlatformSource::PlacementConstraint);
        }
        match fields.compatibilities {
            [] => Self::Unknown("it has neither a runtimePlatform nor requiresCompatibilities"),
            [only] if only == "FARGATE" => on("amd64", PlatformSource::FargateDefault),
            _ => Self::Unknown("it has no runtimePlatform, and instances may have either architecture"),
        }
    }
}

/// Returns the architecture that a placement constraint requires: `attribute:ecs.cpu-architecture == arm64` ("Define which
/// container instances Amazon ECS uses for tasks" in the Amazon ECS developer guide).
fn constrained_architecture(expression: &str) -> Option<&'static str> {
    let value = expression.trim().strip_prefix("attribute:ecs.cpu-architecture")?.trim_start().strip_prefix("==")?;
    match value.trim() {
        "arm64" => Some("arm64"),
        "x86_64" => Some("amd64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_is_that_of_the_first_field_that_has_it() {
        use PlatformSource::{FargateDefault, PlacementConstraint, RuntimePlatform};
        let known = |runtime, source| Some((runtime, source));
        for (architecture, os, compatibilities, constraint, expected) in [
            (Some("ARM64"), Some("LINUX"), "FARGATE", "", known(Runtime::EcsArm64, RuntimePlatform)),
            (Some("X86_64"), None, "EC2", "", known(Runtime::EcsAmd64, RuntimePlatform)),
            (None, Some("LINUX"), "FARGATE", "", known(Runtime::EcsAmd64, FargateDefault)),
            (
                None,
                None,
                "EC2",
                "attribute:ecs.cpu-architecture == arm64",
                known(Runtime::EcsArm64, PlacementConstraint),
            ),
            (
                None,
                None,
                "EC2",
                "attribute:ecs.cpu-architecture==x86_64",
                known(Runtime::EcsAmd64, PlacementConstraint),
            ),
            (None, None, "EC2", "attribute:ecs.cpu-architecture != arm64", None),
            (None, None, "EC2", "attribute:ecs.instance-type =~ t4g.*", None),
            (None, None, "EC2 FARGATE", "", None),
            (None, None, "MANAGED_INSTANCES", "", None),
            (None, None, "", "", None),
            (Some("ARM"), None, "FARGATE", "", None),
        ] {
            let compatibilities: Vec<String> = compatibilities.split_whitespace().map(str::to_owned).collect();
            let constraints: Vec<String> =
                Some(constraint.to_owned()).filter(|text| !text.is_empty()).into_iter().collect();
            let found = ConsumerPlatform::of_task_definition(PlacementFields {
                cpu_architecture: architecture,
                operating_system_family: os,
                compatibilities: &compatibilities,
                constraints: &constraints,
            });
            let found = match found {
                ConsumerPlatform::Known(runtime, source) => Some((runtime, source)),
                ConsumerPlatform::Unknown(_) => None,
                ConsumerPlatform::Windows => panic!("{os:?} is Linux"),
            };
            assert_eq!(found, expected, "{architecture:?} {compatibilities:?} {constraint}");
        }
        let windows = PlacementFields {
            operating_system_family: Some("WINDOWS_SERVER_2022_CORE"),
            cpu_architecture: Some("X86_64"),
            ..PlacementFields::default()
        };
        assert_eq!(ConsumerPlatform::of_task_definition(windows), ConsumerPlatform::Windows);
    }
}
