//! The platform on which a consumer runs its image, and where it was learnt.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::runtime::Runtime;
#[cfg(feature = "consumers")]
use crate::runtime::Service;
#[cfg(feature = "consumers")]
use crate::runtime::normalize_architecture;

/// The platform of a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsumerPlatform {
    /// It runs on this runtime.
    Known(Runtime, PlatformSource),
    /// Its architecture is unknown, for this reason.
    Unknown(Cow<'static, str>),
    /// It runs Windows, which is not checked.
    Windows,
}

/// Where the architecture of a consumer was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformSource {
    /// What Amazon ECS chose for a revision of a service, other than the task definition (`RuntimePlatformOverride` in the
    /// Amazon ECS API reference).
    Override,
    /// The attribute `ecs.cpu-architecture` of a running task.
    Task,
    /// `runtimePlatform.cpuArchitecture` of its task definition.
    RuntimePlatform,
    /// It is that of AWS Fargate for a task definition without one: `X86_64` ("`RuntimePlatform`" in the Amazon ECS API
    /// reference).
    FargateDefault,
    /// A placement constraint on the attribute `ecs.cpu-architecture`.
    PlacementConstraint,
    /// `Architectures` of a Lambda function.
    Architectures,
    /// It is that of AWS Lambda for a function without one: `x86_64` ("`CreateFunction`" in the AWS Lambda API reference).
    LambdaDefault,
    /// The service has only one: AWS App Runner, and Amazon Bedrock AgentCore without instances.
    Service,
}

impl PlatformSource {
    /// Returns the source in a sentence about the definition.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Override => "chosen by Amazon ECS for its service",
            Self::Task => "from its running task",
            Self::RuntimePlatform => "from its runtimePlatform",
            Self::FargateDefault => "it has no runtimePlatform, and Fargate then uses X86_64",
            Self::PlacementConstraint => "from its placement constraint",
            Self::Architectures => "from its architectures",
            Self::LambdaDefault => "it has no architectures, and Lambda then uses x86_64",
            Self::Service => "its only architecture",
        }
    }
}

/// The fields of a task definition that determine its platform.
#[cfg(feature = "consumers")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PlacementFields<'a> {
    pub(crate) cpu_architecture: Option<&'a str>,
    pub(crate) operating_system_family: Option<&'a str>,
    pub(crate) compatibilities: &'a [String],
    pub(crate) constraints: &'a [String],
}

/// What is known about the platform of tasks of Amazon ECS in addition to their task definition.
#[cfg(feature = "consumers")]
#[derive(Debug, Clone, Default)]
pub(crate) struct ObservedPlacement {
    /// The architecture that Amazon ECS chose for the revision of the service, as its API names it.
    pub(crate) override_architecture: Option<String>,
    /// The attribute `ecs.cpu-architecture` of a running task.
    pub(crate) task_architecture: Option<String>,
    /// Whether Amazon ECS manages the service: Express Mode, which chooses the architecture by the image ("when
    /// Amazon ECS detects an architecture mismatch", `RuntimePlatformOverride` in the Amazon ECS API reference).
    pub(crate) is_express: bool,
}

impl ConsumerPlatform {
    /// Returns a platform that is unknown for this reason.
    pub const fn unknown(reason: &'static str) -> Self {
        Self::Unknown(Cow::Borrowed(reason))
    }

    /// Determines the platform of a task definition: the first field that says it.
    #[cfg(feature = "consumers")]
    pub(crate) fn of_task_definition(fields: PlacementFields<'_>) -> Self {
        if fields.operating_system_family.is_some_and(|family| family.starts_with("WINDOWS")) {
            return Self::Windows;
        }
        match fields.cpu_architecture {
            Some("X86_64") => return on_ecs("amd64", PlatformSource::RuntimePlatform),
            Some("ARM64") => return on_ecs("arm64", PlatformSource::RuntimePlatform),
            Some(_) => return Self::unknown("its cpuArchitecture is neither X86_64 nor ARM64"),
            None => {}
        }
        if let Some(architecture) =
            fields.constraints.iter().find_map(|constraint| constrained_architecture(constraint))
        {
            return on_ecs(architecture, PlatformSource::PlacementConstraint);
        }
        match fields.compatibilities {
            [] => Self::unknown("it has neither a runtimePlatform nor requiresCompatibilities"),
            [only] if only == "FARGATE" => on_ecs("amd64", PlatformSource::FargateDefault),
            _ => Self::unknown("it has no runtimePlatform, and instances may have either architecture"),
        }
    }

    /// Determines the platform of tasks from this platform of their task definition: what is observed counts more.
    #[cfg(feature = "consumers")]
    pub(crate) fn or_observed(self, observed: &ObservedPlacement) -> Self {
        if self == Self::Windows {
            return self;
        }
        // Also while a task runs: the next image may move it.
        if observed.is_express {
            return Self::unknown("Amazon ECS Express Mode chooses the architecture by the image");
        }
        let sources = [
            (&observed.override_architecture, PlatformSource::Override),
            (&observed.task_architecture, PlatformSource::Task),
        ];
        let known = sources.into_iter().find_map(|(name, source)| {
            let architecture = normalize_architecture(&name.as_ref()?.to_ascii_lowercase())?;
            Some(on_ecs(architecture, source))
        });
        known.unwrap_or(self)
    }
}

/// Returns the platform of Amazon ECS with this architecture.
#[cfg(feature = "consumers")]
fn on_ecs(architecture: &str, source: PlatformSource) -> ConsumerPlatform {
    let runtime = Runtime::for_service(Service::Ecs, architecture).expect("ECS has both architectures");
    ConsumerPlatform::Known(runtime, source)
}

/// Returns the architecture that a placement constraint requires: `attribute:ecs.cpu-architecture == arm64` ("Define which
/// container instances Amazon ECS uses for tasks" in the Amazon ECS developer guide).
#[cfg(feature = "consumers")]
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

    #[test]
    fn what_is_observed_counts_more_than_the_definition() {
        use PlatformSource::{FargateDefault, Override, Task};
        let declared = ConsumerPlatform::Known(Runtime::EcsAmd64, FargateDefault);
        let known = |runtime, source| Some(ConsumerPlatform::Known(runtime, source));
        for (override_architecture, task_architecture, is_express, expected) in [
            (None, None, false, Some(declared.clone())),
            (None, Some("arm64"), false, known(Runtime::EcsArm64, Task)),
            (None, Some("x86_64"), true, None),
            (Some("ARM64"), Some("x86_64"), false, known(Runtime::EcsArm64, Override)),
            // A value that is not known says nothing.
            (None, Some("riscv64"), false, Some(declared.clone())),
            (None, None, true, None),
        ] {
            let observed = ObservedPlacement {
                override_architecture: override_architecture.map(str::to_owned),
                task_architecture: task_architecture.map(str::to_owned),
                is_express,
            };
            let found = declared.clone().or_observed(&observed);
            let found = Some(found).filter(|platform| !matches!(platform, ConsumerPlatform::Unknown(_)));
            assert_eq!(found, expected, "{observed:?}");
            assert_eq!(ConsumerPlatform::Windows.or_observed(&observed), ConsumerPlatform::Windows);
        }
    }
}
