//! What to do about a fault, as commands with the real names filled in.
//!
//! Does not run them. Every name in a command has been parsed by its grammar, so that none can carry another command.

use serde::{Serialize, Serializer};

use super::Place;
use crate::image::{Content, Image};
use crate::intent::Source;
use crate::runtime::{Runtime, RuntimeError, Service};
use crate::verdict::{Code, Fault, Finding, Judgement, Subject};

/// One thing to do. In JSON it is the command, or the advice where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What it does, without a full stop.
    pub advice: String,
    /// The command that does it.
    pub command: Option<String>,
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.command.as_ref().unwrap_or(&self.advice))
    }
}

impl Remedy {
    fn run(advice: impl Into<String>, command: String) -> Self {
        Self { advice: advice.into(), command: Some(command) }
    }
}

impl Place<'_> {
    /// How commands call the image.
    pub(super) fn address(&self) -> String {
        match self.repository {
            Some(repository) => repository.tagged(self.tag),
            None => self.tag.map_or_else(|| "REGISTRY/IMAGE".to_owned(), |tag| format!("REGISTRY/IMAGE:{tag}")),
        }
    }
}

/// How many platforms a command names: more than are built for in practice, and few enough for a message, which says it
/// several times.
const MAX_PLATFORMS: usize = 32;

/// What to do about one fault, the likeliest first.
pub(super) fn remedies(
    fault: &Fault,
    finding: &Finding,
    judgement: &Judgement,
    image: Option<&Image>,
    place: Place<'_>,
) -> Vec<Remedy> {
    let address = place.address();
    match (fault.code, &finding.subject) {
        (Code::IntentUnreadable, Subject::Declaration(error)) => declare(error, judgement, place),
        (Code::WrongArchitecture | Code::PlatformMissing | Code::WrongOs, Subject::Runtime(runtime)) => {
            let mut remedies = vec![build(*runtime, judgement, image, &address), mirror(*runtime, &address)];
            remedies.extend(run_as_it_is(*runtime, fault, &address));
            remedies
        }
        (Code::IndexRefused, Subject::Runtime(runtime)) => {
            let mut remedies = vec![build(*runtime, judgement, image, &address)];
            remedies.extend(child(*runtime, image, place));
            remedies
        }
        (Code::LayerFormatRefused, Subject::Runtime(runtime)) => {
            let output = format!("type=image,name={address},push=true,compression=gzip,force-compression=true");
            let flags = flags(*runtime);
            let command = format!("docker buildx build --platform {}{flags} --output {output} .", runtime.platform());
            vec![Remedy::run("build it with gzip layers", command)]
        }
        (Code::DescriptorLies | Code::IdenticalLayers, _) => {
            let advice = "build each platform for itself: check the Dockerfile's last stage for \
                          `FROM --platform=$BUILDPLATFORM`, a fixed GOARCH and a base pinned to one platform's digest";
            vec![Remedy::run(advice, format!("docker buildx build --platform {} --tag {address} --push .", all(image)))]
        }
        (Code::AttestationTagged, _) => {
            let wanted = wanted(judgement);
            let platform = if wanted.is_empty() { String::new() } else { format!(" --platform {wanted}") };
            let command = format!("docker buildx build{platform} --tag {address} --push .");
            vec![Remedy::run("push the image, or its index, under this tag again", command)]
        }
        _ => Vec::new(),
    }
}

/// Builds it for the runtime; where an index is taken, for everything else that it is meant for or already holds.
fn build(runtime: Runtime, judgement: &Judgement, image: Option<&Image>, address: &str) -> Remedy {
    let wanted = runtime.platform().to_string();
    let is_index = matches!(image.map(|image| &image.content), Some(Content::Index(_)));
    let mut platforms = vec![wanted.clone()];
    if runtime.profile().service.takes_an_index() {
        let others = judgement.intended.iter().filter(|declared| declared.runtime.profile().service.takes_an_index());
        let others = others.map(|declared| declared.runtime.platform().to_string());
        let held = image.filter(|_| is_index).map(Image::platforms).unwrap_or_default();
        let held = held.into_iter().filter(|platform| platform.is_known() && platform.os() == "linux");
        for platform in others.chain(held.map(ToString::to_string).take(MAX_PLATFORMS)) {
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
    }
    let flags = flags(runtime);
    let command = format!("docker buildx build --platform {}{flags} --tag {address} --push .", platforms.join(","));
    Remedy::run(format!("build it for {wanted}"), command)
}

/// Lambda takes no index, and attestations make one.
fn flags(runtime: Runtime) -> &'static str {
    if runtime.profile().service.takes_an_index() { "" } else { " --provenance=false --sbom=false" }
}

/// Copies it again from where it came; `SOURCE` is not known here.
fn mirror(runtime: Runtime, address: &str) -> Remedy {
    let platform = runtime.platform();
    if runtime.profile().service.takes_an_index() {
        let command = format!("skopeo copy --all docker://SOURCE docker://{address}");
        Remedy::run("or, where it was copied from another registry, copy all its platforms", command)
    } else {
        let command =
            format!("docker pull --platform {platform} SOURCE && docker tag SOURCE {address} && docker push {address}");
        Remedy::run(format!("or, where it was copied from another registry, copy it for {platform}"), command)
    }
}

/// Runs it on the architecture that it has, where the service offers that.
fn run_as_it_is(runtime: Runtime, fault: &Fault, address: &str) -> Option<Remedy> {
    let architecture = fault.platform.as_ref().filter(|platform| platform.os() == "linux")?.architecture();
    let service = runtime.profile().service;
    let other = Runtime::of(service, architecture)?;
    let name = if architecture == "amd64" { "X86_64" } else { "ARM64" };
    match service {
        Service::Ecs => Some(Remedy::run(
            format!("or run it as it is: in the task definition, and declare {other} for the repository"),
            format!(r#""runtimePlatform": {{"cpuArchitecture": "{name}", "operatingSystemFamily": "LINUX"}}"#),
        )),
        Service::Lambda => {
            let name = name.to_lowercase();
            let command = format!(
                "aws lambda update-function-code --function-name NAME --image-uri {address} --architectures {name}"
            );
            Some(Remedy::run(format!("or run it as it is, and declare {other} for the repository"), command))
        }
        Service::AppRunner | Service::Linux => None,
    }
}

/// The one child of an index that Lambda would take, by its digest.
fn child(runtime: Runtime, image: Option<&Image>, place: Place<'_>) -> Option<Remedy> {
    let Content::Index(entries) = &image?.content else { return None };
    let entry = entries.iter().find(|entry| runtime.fit(&entry.platform) == crate::runtime::Fit::Suits)?;
    let repository = place.repository.map_or_else(|| "REGISTRY/IMAGE".to_owned(), ToString::to_string);
    let uri = format!("{repository}@{}", entry.digest);
    let command = format!("aws lambda update-function-code --function-name NAME --image-uri {uri}");
    Some(Remedy::run(format!("or name the image for {} by its digest", entry.platform), command))
}

/// Writes the declaration again, with the nearest valid spelling.
fn declare(error: &RuntimeError, judgement: &Judgement, place: Place<'_>) -> Vec<Remedy> {
    let mut by_label = false;
    let nearest = error.nearest.iter().map(|runtime| {
        let mut words: Vec<String> = judgement.intended.iter().map(|declared| declared.runtime.to_string()).collect();
        by_label = judgement.intended.iter().any(|declared| declared.declared_by == Source::Label);
        words.push(runtime.to_string());
        (runtime, words.join(" "))
    });
    let advice = |runtime: &Runtime| format!("declare {}, if that is what was meant", runtime.profile().title);
    let remedy = |(runtime, value): (&Runtime, String)| match place.repository {
        Some(repository) => Remedy::run(
            advice(runtime),
            format!(
                "aws ecr tag-resource --resource-arn {} --tags \"Key={},Value={value}\"",
                repository.arn(),
                place.key
            ),
        ),
        None => Remedy { advice: format!("{}: `{}={value}`", advice(runtime), place.key), command: None },
    };
    nearest.map(remedy).collect()
}

/// The intended platforms, comma-separated.
fn wanted(judgement: &Judgement) -> String {
    let mut names: Vec<String> =
        judgement.intended.iter().map(|declared| declared.runtime.platform().to_string()).collect();
    names.dedup();
    names.join(",")
}

/// The platforms that the image promises, comma-separated.
fn all(image: Option<&Image>) -> String {
    let platforms = image.map(Image::platforms).unwrap_or_default();
    let known = platforms.into_iter().filter(|platform| platform.is_known()).map(ToString::to_string);
    known.take(MAX_PLATFORMS).collect::<Vec<_>>().join(",")
}
