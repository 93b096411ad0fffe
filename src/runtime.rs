//! The runtimes that an image can be intended for, in one table.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_with::DeserializeFromStr;

use crate::platform::Platform;
use crate::text::sanitize_quoted;

/// A runtime that an image can be intended for: a [`Service`] on one architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, DeserializeFromStr)]
#[allow(missing_docs, reason = "`RUNTIMES` describes the variants")]
pub enum Runtime {
    EcsAmd64,
    EcsArm64,
    /// AWS App Runner, which runs amd64 only.
    AppRunner,
    LambdaAmd64,
    LambdaArm64,
    /// Amazon Bedrock AgentCore Runtime, which runs arm64 only: "Get started without the AgentCore CLI" in its developer guide.
    AgentCore,
    LinuxAmd64,
    LinuxArm64,
}

/// A service, which determines the error message of a failed start and which images are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon ECS: Fargate, EC2, managed instances, Express Mode.
    Ecs,
    /// AWS App Runner.
    AppRunner,
    /// AWS Lambda.
    Lambda,
    /// Amazon Bedrock AgentCore Runtime.
    AgentCore,
    /// Any container host that runs Linux. Image tags do not declare it; see [`crate::intent::Intent::from_tag`].
    Linux,
}

/// The properties of a runtime.
#[derive(Debug)]
pub struct RuntimeProfile {
    /// The runtime itself.
    pub runtime: Runtime,
    /// The name, as declared and in JSON: the service, and its architecture if it has more than one.
    pub name: &'static str,
    /// The name in a sentence.
    pub title: &'static str,
    /// The service.
    pub service: Service,
    /// The architecture, as a platform names it.
    pub architecture: &'static str,
}

/// All runtimes, in the order of the variants of [`Runtime`]. Help and suggestions use the same order.
pub const RUNTIMES: [RuntimeProfile; 8] = [
    profile(Runtime::EcsAmd64, "ecs/amd64", "ECS on amd64", Service::Ecs, "amd64"),
    profile(Runtime::EcsArm64, "ecs/arm64", "ECS on arm64", Service::Ecs, "arm64"),
    profile(Runtime::AppRunner, "apprunner", "App Runner", Service::AppRunner, "amd64"),
    profile(Runtime::LambdaAmd64, "lambda/amd64", "Lambda on amd64", Service::Lambda, "amd64"),
    profile(Runtime::LambdaArm64, "lambda/arm64", "Lambda on arm64", Service::Lambda, "arm64"),
    profile(Runtime::AgentCore, "agentcore", "Bedrock AgentCore", Service::AgentCore, "arm64"),
    profile(Runtime::LinuxAmd64, "linux/amd64", "Linux on amd64", Service::Linux, "amd64"),
    profile(Runtime::LinuxArm64, "linux/arm64", "Linux on arm64", Service::Linux, "arm64"),
];

/// Aliases of services; the name of a service is the first part of [`RuntimeProfile::name`].
const SERVICE_ALIASES: [(&str, Service); 4] =
    [("fargate", Service::Ecs), ("ecs-express", Service::Ecs), ("eks", Service::Linux), ("kubernetes", Service::Linux)];

/// The variant that every arm64 platform has, and that some tools write: `NormalizePlatform` in containerd's platforms.
const ARM64_VARIANT: &str = "/v8";

const fn profile(
    runtime: Runtime,
    name: &'static str,
    title: &'static str,
    service: Service,
    architecture: &'static str,
) -> RuntimeProfile {
    RuntimeProfile { runtime, name, title, service, architecture }
}

impl Service {
    /// Returns whether the service accepts an image index (a manifest list). Lambda does not: "Create a Lambda function
    /// using a container image", requirements, in the AWS Lambda developer guide.
    pub fn accepts_index(self) -> bool {
        self != Self::Lambda
    }

    /// Returns the service with this name or alias, in lower case.
    pub fn from_name(text: &str) -> Option<Self> {
        let named = RUNTIMES.iter().find(|profile| profile.name.split('/').next() == Some(text));
        let alias = || SERVICE_ALIASES.iter().find(|(alias, _)| *alias == text).map(|(_, service)| *service);
        named.map(|profile| profile.service).or_else(alias)
    }
}

/// Returns the normalized name of an architecture in lower case; `None` if no runtime has it.
pub fn normalize_architecture(text: &str) -> Option<&'static str> {
    let platform = Platform::linux(text);
    RUNTIMES.iter().map(|profile| profile.architecture).find(|architecture| *architecture == platform.architecture())
}

impl Runtime {
    /// Returns the runtime's entry in [`RUNTIMES`].
    pub fn profile(self) -> &'static RuntimeProfile {
        &RUNTIMES[self as usize]
    }

    /// Returns the platform that the runtime runs.
    pub fn platform(self) -> Platform {
        Platform::linux(self.profile().architecture)
    }

    /// Returns the runtime of a service on an architecture, if there is one: App Runner has no arm64, AgentCore no amd64.
    pub fn for_service(service: Service, architecture: &str) -> Option<Self> {
        let matches = |profile: &&RuntimeProfile| profile.service == service && profile.architecture == architecture;
        RUNTIMES.iter().find(matches).map(|profile| profile.runtime)
    }

    /// Returns the runtime of a service that has only one architecture, by its name in lower case.
    pub fn from_service_alone(name: &str) -> Option<Self> {
        let matches = |profile: &&RuntimeProfile| profile.name == name && !name.contains('/');
        RUNTIMES.iter().find(matches).map(|profile| profile.runtime)
    }

    /// Returns whether the runtime can run an image that declares this platform.
    pub fn compatibility_with(self, platform: &Platform) -> Compatibility {
        let (os, variant) = (platform.os(), platform.variant());
        if !os.is_empty() && os != "linux" {
            return Compatibility::WrongOs;
        }
        match (self.profile().architecture, platform.architecture()) {
            (_, "") => Compatibility::Unknown("its architecture is unknown"),
            ("amd64", "386") => Compatibility::Unknown("a 386 image starts only if the host runs 32-bit programs"),
            ("arm64", "arm") => {
                Compatibility::Unknown("a 32-bit arm image starts only if the host runs 32-bit programs")
            }
            (required, architecture) if required != architecture => Compatibility::WrongArchitecture,
            _ if os.is_empty() => Compatibility::Unknown("its operating system is unknown"),
            _ if variant.is_empty() => Compatibility::Compatible,
            _ => Compatibility::Unknown("its variant requires processor features that not every host has"),
        }
    }
}

/// Whether a platform suits a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// The runtime runs this platform.
    Compatible,
    /// The operating system is wrong.
    WrongOs,
    /// The architecture is wrong.
    WrongArchitecture,
    /// The platform does not determine it, for this reason.
    Unknown(&'static str),
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.profile().name)
    }
}

impl Serialize for Runtime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The word is not the name of a runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("unknown runtime `{word}`; did you mean {}?", .nearest.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(" or "))]
pub struct RuntimeError {
    /// The word, sanitized and truncated to 100 characters.
    pub word: String,
    /// The runtimes with the most similar names: at least one, in the order of [`RUNTIMES`].
    pub nearest: Vec<Runtime>,
}

impl FromStr for Runtime {
    type Err = RuntimeError;

    /// Parses `service/architecture`, with `/`, `:` or `-` as the separator and in any case, or the name of a service with one architecture
    /// alone: `apprunner`, `agentcore`.
    fn from_str(text: &str) -> Result<Self, RuntimeError> {
        let word = text.to_ascii_lowercase();
        let is_arm64 = |name: &&str| name.ends_with("arm64") || name.ends_with("aarch64");
        let word = word.strip_suffix(ARM64_VARIANT).filter(is_arm64).unwrap_or(&word);
        let parse_at = |(at, separator): (usize, char)| {
            let service = Service::from_name(&word[..at])?;
            Self::for_service(service, normalize_architecture(&word[at + separator.len_utf8()..])?)
        };
        if let Some(runtime) = Self::from_service_alone(word) {
            return Ok(runtime);
        }
        let mut separators = word.char_indices().filter(|(_, c)| matches!(c, '/' | ':' | '-'));
        separators.find_map(parse_at).ok_or_else(|| RuntimeError {
            word: sanitize_quoted(text),
            nearest: suggest_runtimes(&word.chars().take(100).collect::<String>()),
        })
    }
}

/// Returns the runtimes of the service or architecture in the word, otherwise those with the most similar names.
fn suggest_runtimes(word: &str) -> Vec<Runtime> {
    let select = |is_selected: &dyn Fn(&RuntimeProfile) -> bool| -> Vec<Runtime> {
        RUNTIMES.iter().filter(|profile| is_selected(profile)).map(|profile| profile.runtime).collect()
    };
    if let Some(architecture) = normalize_architecture(word) {
        return select(&|profile| profile.architecture == architecture && profile.service == Service::Linux);
    }
    let head = word.split(['/', ':', '-']).next().unwrap_or(word);
    let tail = word.rsplit(['/', ':']).next().unwrap_or(word);
    if let Some(service) = Service::from_name(word).or_else(|| Service::from_name(head)) {
        let is_close = |profile: &RuntimeProfile| strsim::osa_distance(tail, profile.architecture) <= 2;
        let close = select(&|profile| profile.service == service && is_close(profile));
        return if head == word || close.len() != 1 { select(&|profile| profile.service == service) } else { close };
    }
    let distance = |profile: &RuntimeProfile| strsim::osa_distance(word, profile.name);
    let smallest = RUNTIMES.iter().map(distance).min();
    select(&|profile| Some(distance(profile)) == smallest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_parses_from_its_name() {
        for profile in &RUNTIMES {
            assert_eq!(profile.name.parse(), Ok(profile.runtime));
            assert_eq!(Service::from_name(profile.name.split('/').next().unwrap()), Some(profile.service));
            assert_eq!(profile.runtime.to_string(), profile.name);
        }
    }

    #[test]
    fn alternative_spellings_parse() {
        for (name, spellings) in [
            ("ecs/amd64", "ecs/x86_64 ecs/x86-64 ecs-x86-64 ecs-express/amd64"),
            ("ecs/arm64", "ECS/ARM64 ecs:aarch64 ecs-arm64 fargate/arm64 ecs-express-arm64"),
            ("apprunner", "apprunner/amd64 apprunner:x86_64"),
            ("agentcore", "AgentCore agentcore/arm64 agentcore-aarch64"),
            ("lambda/amd64", "lambda-x86_64"),
            ("linux/arm64", "linux/aarch64 linux/arm64/v8 eks/arm64 kubernetes/aarch64/v8"),
        ] {
            for text in spellings.split(' ') {
                assert_eq!(text.parse::<Runtime>().map(|r| r.to_string()), Ok(name.to_owned()), "{text}");
            }
        }
    }

    #[test]
    fn unknown_names_get_suggestions() {
        for (nearest, names) in [
            ("`ecs/amd64` or `ecs/arm64`", "ecs fargate ecs/amr64 ecs/s390x"),
            ("`ecs/arm64`", "esc/arm64 ecs/arm"),
            ("`lambda/amd64` or `lambda/arm64`", "lambda"),
            ("`apprunner`", "apprunner/arm64 app-runner apprunnr"),
            ("`linux/arm64`", "arm64"),
            ("`linux/amd64`", "x86_64"),
        ] {
            for text in names.split(' ') {
                let message = text.parse::<Runtime>().unwrap_err().to_string();
                assert_eq!(message, format!("unknown runtime `{text}`; did you mean {nearest}?"));
            }
        }
        for invalid in ["", "/", "é/arm64", "ecs/é", "-", "ecs-", &"é".repeat(1000)] {
            assert!(!invalid.parse::<Runtime>().unwrap_err().nearest.is_empty(), "{invalid}");
        }
    }

    #[test]
    fn compatibility_with_a_platform() {
        use Compatibility::{Compatible, WrongArchitecture, WrongOs};
        for (runtime, os, architecture, variant, known) in [
            (Runtime::EcsArm64, "linux", "aarch64", "v8", Some(Compatible)),
            (Runtime::EcsArm64, "linux", "amd64", "", Some(WrongArchitecture)),
            (Runtime::AppRunner, "", "arm64", "", Some(WrongArchitecture)),
            (Runtime::EcsAmd64, "windows", "amd64", "", Some(WrongOs)),
            (Runtime::EcsAmd64, "linux", "s390x", "", Some(WrongArchitecture)),
            (Runtime::EcsAmd64, "linux", "", "", None),
            (Runtime::EcsAmd64, "", "amd64", "", None),
            (Runtime::EcsAmd64, "linux", "386", "", None),
            (Runtime::EcsAmd64, "linux", "amd64", "v3", None),
            (Runtime::EcsArm64, "linux", "arm", "v7", None),
            (Runtime::EcsArm64, "linux", "arm64", "v9", None),
        ] {
            let found = runtime.compatibility_with(&Platform::new(os, architecture, variant));
            let found = Some(found).filter(|found| !matches!(found, Compatibility::Unknown(_)));
            assert_eq!(found, known, "{runtime} {os} {architecture}");
        }
    }
}
