//! Where an image is meant to run: one table, one entry a runtime.
//!
//! Does not know who declared it, nor any particular image.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::platform::Platform;
use crate::text::sanitize_quoted;

/// A runtime that an image can be meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Runtime {
    /// Amazon ECS (Fargate, EC2, managed instances, Express Mode) on `x86_64`.
    EcsAmd64,
    /// Amazon ECS on arm64.
    EcsArm64,
    /// AWS App Runner, which runs amd64 only.
    AppRunner,
    /// AWS Lambda, architecture `x86_64`.
    LambdaAmd64,
    /// AWS Lambda, architecture arm64.
    LambdaArm64,
    /// Any other container host with Linux on amd64.
    LinuxAmd64,
    /// Any other container host with Linux on arm64.
    LinuxArm64,
}

/// A service, whatever its architecture: what decides the words of a failure and what else is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon ECS.
    Ecs,
    /// AWS App Runner.
    AppRunner,
    /// AWS Lambda.
    Lambda,
    /// Any container host.
    Linux,
}

/// What is particular to one runtime.
#[derive(Debug)]
pub struct RuntimeProfile {
    /// The runtime itself.
    pub runtime: Runtime,
    /// Its stable name, as in JSON.
    pub name: &'static str,
    /// Its name in a sentence.
    pub title: &'static str,
    /// Its service.
    pub service: Service,
    /// Its architecture, as a platform names it.
    pub architecture: &'static str,
}

/// Every runtime, in the order in which help and suggestions list them.
pub const RUNTIMES: [RuntimeProfile; 7] = [
    profile(Runtime::EcsAmd64, "ecs/amd64", "ECS on amd64", Service::Ecs, "amd64"),
    profile(Runtime::EcsArm64, "ecs/arm64", "ECS on arm64", Service::Ecs, "arm64"),
    profile(Runtime::AppRunner, "apprunner", "App Runner", Service::AppRunner, "amd64"),
    profile(Runtime::LambdaAmd64, "lambda/amd64", "Lambda on amd64", Service::Lambda, "amd64"),
    profile(Runtime::LambdaArm64, "lambda/arm64", "Lambda on arm64", Service::Lambda, "arm64"),
    profile(Runtime::LinuxAmd64, "linux/amd64", "Linux on amd64", Service::Linux, "amd64"),
    profile(Runtime::LinuxArm64, "linux/arm64", "Linux on arm64", Service::Linux, "arm64"),
];

/// The names of the services; the first of each is the stable one.
const SERVICE_ALIASES: [(Service, &[&str]); 4] = [
    (Service::Ecs, &["ecs", "fargate", "ecs-express"]),
    (Service::AppRunner, &["apprunner"]),
    (Service::Lambda, &["lambda"]),
    (Service::Linux, &["linux"]),
];

/// The spellings of the architectures; the first of each is the stable one.
const RUNTIME_ARCHITECTURES: [(&str, &[&str]); 2] =
    [("amd64", &["amd64", "x86_64", "x86-64"]), ("arm64", &["arm64", "aarch64"])];

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
    /// Whether the service takes an index (a manifest list) at all. Lambda does not: "Create a function using a
    /// container image", requirements, of the Lambda developer guide.
    #[must_use]
    pub fn accepts_index(self) -> bool {
        self != Self::Lambda
    }

    /// The service of this name, in lower case.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        SERVICE_ALIASES.iter().find(|(_, names)| names.contains(&text)).map(|(service, _)| *service)
    }
}

/// The stable name of an architecture in one of its spellings, in lower case.
#[must_use]
pub fn normalize_architecture(text: &str) -> Option<&'static str> {
    RUNTIME_ARCHITECTURES.iter().find(|(_, names)| names.contains(&text)).map(|(name, _)| *name)
}

impl Runtime {
    /// This runtime's entry in the table.
    #[must_use]
    pub fn profile(self) -> &'static RuntimeProfile {
        RUNTIMES.iter().find(|profile| profile.runtime == self).expect("the table has every runtime")
    }

    /// The platform that it runs.
    #[must_use]
    pub fn platform(self) -> Platform {
        Platform::linux(self.profile().architecture)
    }

    /// The runtime of a service on an architecture, where there is one: App Runner has no arm64.
    #[must_use]
    pub fn for_service(service: Service, architecture: &str) -> Option<Self> {
        let fits = |profile: &&RuntimeProfile| profile.service == service && profile.architecture == architecture;
        RUNTIMES.iter().find(fits).map(|profile| profile.runtime)
    }

    /// What it makes of an image that claims this platform.
    #[must_use]
    pub fn compatibility_with(self, platform: &Platform) -> Compatibility {
        let wanted = self.profile().architecture;
        let (os, architecture, variant) = (platform.os(), platform.architecture(), platform.variant());
        if !os.is_empty() && os != "linux" {
            return Compatibility::WrongOs;
        }
        match (wanted, architecture, variant) {
            (_, "", _) => Compatibility::Unknown("its architecture is not stated"),
            ("amd64", "386", _) => {
                Compatibility::Unknown("a 386 image starts only where the host runs 32-bit programs")
            }
            ("arm64", "arm", _) => {
                Compatibility::Unknown("a 32-bit arm image starts only where the host runs 32-bit programs")
            }
            (wanted, architecture, _) if wanted != architecture => Compatibility::WrongArchitecture,
            _ if os.is_empty() => Compatibility::Unknown("its operating system is not stated"),
            (_, _, "") => Compatibility::Compatible,
            _ => Compatibility::Unknown("its variant asks more of the processor than every host has"),
        }
    }
}

/// How a platform suits a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// It is what the runtime runs.
    Compatible,
    /// It is made for another operating system.
    WrongOs,
    /// It is made for another architecture.
    WrongArchitecture,
    /// It cannot be told from the platform alone, because …
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

/// The word names no runtime; with the valid spellings nearest to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` names no runtime; did you mean {}?", .nearest.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(" or "))]
pub struct RuntimeError {
    /// What was written, cut to 100 characters.
    pub word: String,
    /// The nearest valid spellings: at least one, best first.
    pub nearest: Vec<Runtime>,
}

impl FromStr for Runtime {
    type Err = RuntimeError;

    /// Reads `service/architecture`, with `/`, `:` or `-` between them, in any case; `apprunner` alone.
    fn from_str(text: &str) -> Result<Self, RuntimeError> {
        let word = text.to_ascii_lowercase();
        let named = |(at, separator): (usize, char)| {
            let service = Service::from_name(&word[..at])?;
            Self::for_service(service, normalize_architecture(&word[at + separator.len_utf8()..])?)
        };
        if word == "apprunner" {
            return Ok(Self::AppRunner);
        }
        let mut splits = word.char_indices().filter(|(_, c)| matches!(c, '/' | ':' | '-'));
        splits.find_map(named).ok_or_else(|| RuntimeError {
            word: sanitize_quoted(text),
            nearest: suggest_runtimes(&word.chars().take(100).collect::<String>()),
        })
    }
}

/// The valid spellings nearest to a word: those of the service or of the architecture that it names, else those at the
/// least edit distance.
fn suggest_runtimes(word: &str) -> Vec<Runtime> {
    let having = |fits: &dyn Fn(&RuntimeProfile) -> bool| -> Vec<Runtime> {
        RUNTIMES.iter().filter(|profile| fits(profile)).map(|profile| profile.runtime).collect()
    };
    let head = word.split(['/', ':', '-']).next().unwrap_or(word);
    let tail = word.rsplit(['/', ':']).next().unwrap_or(word);
    if let Some(architecture) = normalize_architecture(word) {
        return having(&|p| p.architecture == architecture && p.service == Service::Linux);
    }
    let edits = |name: &str| strsim::osa_distance(word, name);
    if let Some(service) = Service::from_name(word).or_else(|| Service::from_name(head)) {
        let of_service = having(&|p| p.service == service);
        let close = |runtime: &Runtime| strsim::osa_distance(tail, runtime.profile().architecture) <= 2;
        let closest: Vec<Runtime> = of_service.iter().copied().filter(close).collect();
        return if head == word || closest.len() != 1 { of_service } else { closest };
    }
    let least = RUNTIMES.iter().map(|profile| edits(profile.name)).min().unwrap_or_default();
    having(&|p| edits(p.name) == least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for profile in &RUNTIMES {
            assert_eq!(profile.name.parse(), Ok(profile.runtime));
            assert_eq!(profile.runtime.to_string(), profile.name);
        }
    }

    #[test]
    fn good_spellings_are_read() {
        for (text, name) in [
            ("ecs/x86_64", "ecs/amd64"),
            ("ecs/x86-64", "ecs/amd64"),
            ("ecs-x86-64", "ecs/amd64"),
            ("ECS/ARM64", "ecs/arm64"),
            ("ecs:aarch64", "ecs/arm64"),
            ("ecs-arm64", "ecs/arm64"),
            ("fargate/arm64", "ecs/arm64"),
            ("ecs-express/amd64", "ecs/amd64"),
            ("ecs-express-arm64", "ecs/arm64"),
            ("apprunner/amd64", "apprunner"),
            ("apprunner:x86_64", "apprunner"),
            ("lambda-x86_64", "lambda/amd64"),
            ("linux/aarch64", "linux/arm64"),
        ] {
            assert_eq!(text.parse::<Runtime>().map(|r| r.to_string()), Ok(name.to_owned()), "{text}");
        }
    }

    #[test]
    fn bad_spellings_get_the_nearest_good_ones() {
        for (text, nearest) in [
            ("ecs", "`ecs/amd64` or `ecs/arm64`"),
            ("fargate", "`ecs/amd64` or `ecs/arm64`"),
            ("lambda", "`lambda/amd64` or `lambda/arm64`"),
            ("apprunner/arm64", "`apprunner`"),
            ("app-runner", "`apprunner`"),
            ("apprunnr", "`apprunner`"),
            ("esc/arm64", "`ecs/arm64`"),
            ("ecs/amr64", "`ecs/amd64` or `ecs/arm64`"),
            ("ecs/arm", "`ecs/arm64`"),
            ("arm64", "`linux/arm64`"),
            ("x86_64", "`linux/amd64`"),
            ("ecs/s390x", "`ecs/amd64` or `ecs/arm64`"),
        ] {
            let message = text.parse::<Runtime>().unwrap_err().to_string();
            assert_eq!(message, format!("`{text}` names no runtime; did you mean {nearest}?"));
        }
        for hostile in ["", "/", "é/arm64", "ecs/é", "-", "ecs-", &"é".repeat(1000)] {
            assert!(!hostile.parse::<Runtime>().unwrap_err().nearest.is_empty(), "{hostile}");
        }
    }

    #[test]
    fn a_platform_suits_differs_or_cannot_be_told() {
        use Compatibility::{Compatible, WrongArchitecture, WrongOs};
        let fit = |runtime: Runtime, os, architecture, variant| {
            runtime.compatibility_with(&Platform::new(os, architecture, variant))
        };
        assert_eq!(fit(Runtime::EcsArm64, "linux", "aarch64", "v8"), Compatible);
        assert_eq!(fit(Runtime::EcsArm64, "linux", "amd64", ""), WrongArchitecture);
        assert_eq!(fit(Runtime::AppRunner, "", "arm64", ""), WrongArchitecture);
        assert_eq!(fit(Runtime::EcsAmd64, "windows", "amd64", ""), WrongOs);
        assert_eq!(fit(Runtime::EcsAmd64, "linux", "s390x", ""), WrongArchitecture);
        for (runtime, os, architecture, variant) in [
            (Runtime::EcsAmd64, "linux", "", ""),
            (Runtime::EcsAmd64, "", "amd64", ""),
            (Runtime::EcsAmd64, "linux", "386", ""),
            (Runtime::EcsAmd64, "linux", "amd64", "v3"),
            (Runtime::EcsArm64, "linux", "arm", "v7"),
            (Runtime::EcsArm64, "linux", "arm64", "v9"),
        ] {
            assert!(
                matches!(fit(runtime, os, architecture, variant), Compatibility::Unknown(_)),
                "{runtime} {architecture}"
            );
        }
    }
}
