//! Where an image is meant to run: one table, one entry a runtime.
//!
//! Does not know who declared it, nor any particular image.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::platform::Platform;
use crate::text::quoted;

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
pub struct Profile {
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
pub const RUNTIMES: [Profile; 7] = [
    profile(Runtime::EcsAmd64, "ecs/amd64", "ECS on amd64", Service::Ecs, "amd64"),
    profile(Runtime::EcsArm64, "ecs/arm64", "ECS on arm64", Service::Ecs, "arm64"),
    profile(Runtime::AppRunner, "apprunner", "App Runner", Service::AppRunner, "amd64"),
    profile(Runtime::LambdaAmd64, "lambda/amd64", "Lambda on amd64", Service::Lambda, "amd64"),
    profile(Runtime::LambdaArm64, "lambda/arm64", "Lambda on arm64", Service::Lambda, "arm64"),
    profile(Runtime::LinuxAmd64, "linux/amd64", "Linux on amd64", Service::Linux, "amd64"),
    profile(Runtime::LinuxArm64, "linux/arm64", "Linux on arm64", Service::Linux, "arm64"),
];

/// The names of the services; the first of each is the stable one.
const SERVICES: [(Service, &[&str]); 4] = [
    (Service::Ecs, &["ecs", "fargate", "ecs-express"]),
    (Service::AppRunner, &["apprunner"]),
    (Service::Lambda, &["lambda"]),
    (Service::Linux, &["linux"]),
];

/// The spellings of the architectures; the first of each is the stable one.
const ARCHITECTURES: [(&str, &[&str]); 2] =
    [("amd64", &["amd64", "x86_64", "x86-64"]), ("arm64", &["arm64", "aarch64"])];

const fn profile(
    runtime: Runtime,
    name: &'static str,
    title: &'static str,
    service: Service,
    architecture: &'static str,
) -> Profile {
    Profile { runtime, name, title, service, architecture }
}

impl Service {
    /// Whether the service takes an index (a manifest list) at all. Lambda does not: "Create a function using a
    /// container image", requirements, of the Lambda developer guide.
    #[must_use]
    pub fn takes_an_index(self) -> bool {
        self != Self::Lambda
    }

    /// The service of this name, in lower case.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        SERVICES.iter().find(|(_, names)| names.contains(&text)).map(|(service, _)| *service)
    }
}

/// The stable name of an architecture in one of its spellings, in lower case.
#[must_use]
pub fn architecture_named(text: &str) -> Option<&'static str> {
    ARCHITECTURES.iter().find(|(_, names)| names.contains(&text)).map(|(name, _)| *name)
}

impl Runtime {
    /// This runtime's entry in the table.
    #[must_use]
    pub fn profile(self) -> &'static Profile {
        RUNTIMES.iter().find(|profile| profile.runtime == self).expect("the table has every runtime")
    }

    /// The platform that it runs.
    #[must_use]
    pub fn platform(self) -> Platform {
        Platform::linux(self.profile().architecture)
    }

    /// The runtime of a service on an architecture, where there is one: App Runner has no arm64.
    #[must_use]
    pub fn of(service: Service, architecture: &str) -> Option<Self> {
        let fits = |profile: &&Profile| profile.service == service && profile.architecture == architecture;
        RUNTIMES.iter().find(fits).map(|profile| profile.runtime)
    }

    /// What it makes of an image that claims this platform.
    #[must_use]
    pub fn fit(self, platform: &Platform) -> Fit {
        let wanted = self.profile().architecture;
        let (os, architecture, variant) = (platform.os(), platform.architecture(), platform.variant());
        if !os.is_empty() && os != "linux" {
            return Fit::OtherOs;
        }
        match (wanted, architecture, variant) {
            (_, "", _) => Fit::Unclear("its architecture is not stated"),
            ("amd64", "386", _) => Fit::Unclear("a 386 image starts only where the host runs 32-bit programs"),
            ("arm64", "arm", _) => Fit::Unclear("a 32-bit arm image starts only where the host runs 32-bit programs"),
            (wanted, architecture, _) if wanted != architecture => Fit::OtherArchitecture,
            _ if os.is_empty() => Fit::Unclear("its operating system is not stated"),
            (_, _, "") => Fit::Suits,
            _ => Fit::Unclear("its variant asks more of the processor than every host has"),
        }
    }
}

/// How a platform suits a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is what the runtime runs.
    Suits,
    /// It is made for another operating system.
    OtherOs,
    /// It is made for another architecture.
    OtherArchitecture,
    /// It cannot be told from the platform alone, because …
    Unclear(&'static str),
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
            let service = Service::named(&word[..at])?;
            Self::of(service, architecture_named(&word[at + separator.len_utf8()..])?)
        };
        if word == "apprunner" {
            return Ok(Self::AppRunner);
        }
        let mut splits = word.char_indices().filter(|(_, c)| matches!(c, '/' | ':' | '-'));
        splits.find_map(named).ok_or_else(|| RuntimeError {
            word: quoted(text),
            nearest: nearest(&word.chars().take(100).collect::<String>()),
        })
    }
}

/// The valid spellings nearest to a word: those of the service or of the architecture that it names, else those at the
/// least edit distance.
fn nearest(word: &str) -> Vec<Runtime> {
    let having = |fits: &dyn Fn(&Profile) -> bool| -> Vec<Runtime> {
        RUNTIMES.iter().filter(|profile| fits(profile)).map(|profile| profile.runtime).collect()
    };
    let head = word.split(['/', ':', '-']).next().unwrap_or(word);
    let tail = word.rsplit(['/', ':']).next().unwrap_or(word);
    if let Some(architecture) = architecture_named(word) {
        return having(&|p| p.architecture == architecture && p.service == Service::Linux);
    }
    let edits = |name: &str| strsim::osa_distance(word, name);
    if let Some(service) = Service::named(word).or_else(|| Service::named(head)) {
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
        use Fit::{OtherArchitecture, OtherOs, Suits};
        let fit = |runtime: Runtime, os, architecture, variant| runtime.fit(&Platform::new(os, architecture, variant));
        assert_eq!(fit(Runtime::EcsArm64, "linux", "aarch64", "v8"), Suits);
        assert_eq!(fit(Runtime::EcsArm64, "linux", "amd64", ""), OtherArchitecture);
        assert_eq!(fit(Runtime::AppRunner, "", "arm64", ""), OtherArchitecture);
        assert_eq!(fit(Runtime::EcsAmd64, "windows", "amd64", ""), OtherOs);
        assert_eq!(fit(Runtime::EcsAmd64, "linux", "s390x", ""), OtherArchitecture);
        for (runtime, os, architecture, variant) in [
            (Runtime::EcsAmd64, "linux", "", ""),
            (Runtime::EcsAmd64, "", "amd64", ""),
            (Runtime::EcsAmd64, "linux", "386", ""),
            (Runtime::EcsAmd64, "linux", "amd64", "v3"),
            (Runtime::EcsArm64, "linux", "arm", "v7"),
            (Runtime::EcsArm64, "linux", "arm64", "v9"),
        ] {
            assert!(matches!(fit(runtime, os, architecture, variant), Fit::Unclear(_)), "{runtime} {architecture}");
        }
    }
}
