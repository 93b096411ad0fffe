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
            let platforms = platforms(*runtime, judgement, image);
            let mut remedies = vec![build(*runtime, &platforms, &address), mirror(*runtime, &platforms, &address)];
            remedies.extend(run_as_it_is(*runtime, fault, judgement, &address));
            remedies
        }
        (Code::IndexRefused, Subject::Runtime(runtime)) => {
            let mut remedies = vec![build(*runtime, &platforms(*runtime, judgement, image), &address)];
            remedies.extend(child(*runtime, image, place));
            remedies
        }
        (Code::LayerFormatRefused, Subject::Runtime(runtime)) => {
            let output = format!("type=image,name={address},push=true,compression=gzip,force-compression=true");
            let flags = flags(*runtime);
            let command = format!("docker buildx build --platform {}{flags} --output {output} .", runtime.platform());
            vec![Remedy::run("Build it with gzip layers", command)]
        }
        (Code::DescriptorLies | Code::IdenticalLayers, _) => {
            let advice = "Build each platform for itself: no `FROM --platform=$BUILDPLATFORM` in the last stage, no \
                          fixed GOARCH, no base pinned to one platform";
            vec![Remedy::run(advice, format!("docker buildx build --platform {} --tag {address} --push .", all(image)))]
        }
        (Code::AttestationTagged, _) => {
            let wanted = wanted(judgement);
            let platform = if wanted.is_empty() { String::new() } else { format!(" --platform {wanted}") };
            let command = format!("docker buildx build{platform} --tag {address} --push .");
            vec![Remedy::run("Push the image, or its index, under this tag again", command)]
        }
        _ => Vec::new(),
    }
}

/// The platforms that an image for this runtime is to have: its own, and where an index is taken, those of the other
/// intended runtimes and those that an index already holds.
fn platforms(runtime: Runtime, judgement: &Judgement, image: Option<&Image>) -> Vec<String> {
    let mut platforms = vec![runtime.platform().to_string()];
    if !runtime.profile().service.takes_an_index() {
        return platforms;
    }
    let intended = judgement.intended.iter().map(|declared| declared.runtime);
    let intended = intended.filter(|other| other.profile().service.takes_an_index());
    let is_index = |image: &&Image| matches!(image.content, Content::Index(_));
    let held = image.filter(is_index).map(Image::platforms).unwrap_or_default();
    let held = held.into_iter().filter(|platform| platform.is_known() && platform.os() == "linux");
    for platform in
        intended.map(|other| other.platform().to_string()).chain(held.map(ToString::to_string).take(MAX_PLATFORMS))
    {
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    platforms
}

/// Builds it for the runtime.
fn build(runtime: Runtime, platforms: &[String], address: &str) -> Remedy {
    let flags = flags(runtime);
    let command = format!("docker buildx build --platform {}{flags} --tag {address} --push .", platforms.join(","));
    Remedy::run(format!("Build it for {}", runtime.platform()), command)
}

/// Lambda takes no index, and attestations make one.
fn flags(runtime: Runtime) -> &'static str {
    if runtime.profile().service.takes_an_index() { "" } else { " --provenance=false --sbom=false" }
}

/// Copies it again from where it came; `SOURCE` is not known here.
fn mirror(runtime: Runtime, platforms: &[String], address: &str) -> Remedy {
    let copied = "Or, where it was copied from another registry, copy";
    if platforms.len() > 1 {
        let command = format!("skopeo copy --all docker://SOURCE docker://{address}");
        return Remedy::run(format!("{copied} all its platforms"), command);
    }
    let platform = runtime.platform();
    let command =
        format!("docker pull --platform {platform} SOURCE && docker tag SOURCE {address} && docker push {address}");
    Remedy::run(format!("{copied} it for {platform}"), command)
}

/// Runs it on the architecture that it has, where the service offers that.
fn run_as_it_is(runtime: Runtime, fault: &Fault, judgement: &Judgement, address: &str) -> Option<Remedy> {
    let architecture = fault.platform.as_ref().filter(|platform| platform.os() == "linux")?.architecture();
    let service = runtime.profile().service;
    let is_new = |other: &Runtime| judgement.intended.iter().all(|declared| declared.runtime != *other);
    let other = Runtime::of(service, architecture).filter(is_new)?;
    let name = if architecture == "amd64" { "X86_64" } else { "ARM64" };
    match service {
        Service::Ecs => Some(Remedy::run(
            format!("Or run it as it is: declare {other} for the repository, and set in the task definition"),
            format!(r#""runtimePlatform": {{"cpuArchitecture": "{name}", "operatingSystemFamily": "LINUX"}}"#),
        )),
        Service::Lambda => {
            let name = name.to_lowercase();
            let command = format!(
                "aws lambda update-function-code --function-name NAME --image-uri {address} --architectures {name}"
            );
            Some(Remedy::run(format!("Or run it as it is, and declare {other} for the repository"), command))
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
    Some(Remedy::run(format!("Or name the image for {} by its digest", entry.platform), command))
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
    let advice = |runtime: &Runtime| format!("Declare {}, if that is what was meant", runtime.profile().title);
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
