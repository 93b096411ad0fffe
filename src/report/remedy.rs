//! What to do about a fault, as commands with the real names filled in.
//!
//! Does not run them. Every name in a command has been parsed by its grammar, so that none can carry another command.

use serde::{Serialize, Serializer};

use super::Place;
use super::declare::{as_it_is, declare};
use super::repair::repair;
use crate::oci::{Content, Image};
use crate::runtime::{Fit, Runtime};
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
    pub(super) fn run(advice: impl Into<String>, command: String) -> Self {
        Self { advice: advice.into(), command: Some(command) }
    }

    pub(super) fn advise(advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), command: None }
    }
}

/// How many platforms a command names: more than are built for in practice, and few enough for a message, which says it
/// several times.
const MAX_PLATFORMS: usize = 32;

impl Place<'_> {
    /// How commands call the image. Without a tag they must not be taken for `latest`.
    pub(super) fn address(&self) -> String {
        let name = self.repository.map_or_else(|| "REGISTRY/IMAGE".to_owned(), ToString::to_string);
        self.tag.map_or_else(|| format!("{name}:TAG"), |tag| format!("{name}:{tag}"))
    }
}

/// What to do about one fault, the likeliest first.
pub(super) fn remedies(
    fault: &Fault,
    finding: &Finding,
    judgement: &Judgement,
    image: Option<&Image>,
    place: Place<'_>,
) -> Vec<Remedy> {
    let address = place.address();
    if let (Some(trouble), false) = (&fault.trouble, fault.code == Code::WrongArchitecture) {
        return repair(fault, trouble, place);
    }
    match (fault.code, &finding.subject) {
        (Code::IntentUnreadable, Subject::Declaration(unreadable)) => declare(unreadable, judgement, place),
        (Code::WrongArchitecture | Code::PlatformMissing | Code::WrongOs, Subject::Runtime(runtime)) => {
            let platforms = platforms(*runtime, judgement, image);
            let mut remedies = part(judgement)
                .unwrap_or_else(|| vec![build(*runtime, &platforms, &address), mirror(*runtime, &platforms, &address)]);
            remedies.extend(as_it_is(*runtime, fault, judgement, place));
            remedies
        }
        (Code::IndexRefused, Subject::Runtime(runtime)) => {
            let platforms = platforms(*runtime, judgement, image);
            let mut remedies = part(judgement).unwrap_or_else(|| vec![build(*runtime, &platforms, &address)]);
            remedies.extend(child(*runtime, image, place));
            remedies
        }
        (Code::LayerFormatRefused, Subject::Runtime(runtime)) => {
            let output = format!("type=image,name={address},push=true,compression=gzip,force-compression=true");
            let flags = flags(&[*runtime]);
            let command = format!("docker buildx build --platform {}{flags} --output {output} .", runtime.platform());
            vec![Remedy::run("Build it with gzip layers", command)]
        }
        (Code::DescriptorLies | Code::IdenticalLayers, _) => {
            let advice = "Build each platform for itself: no `FROM --platform=$BUILDPLATFORM` in the last stage, no \
                          fixed GOARCH, no base pinned to one platform";
            let held = held(image).join(",");
            vec![Remedy::run(advice, format!("docker buildx build --platform {held} --tag {address} --push ."))]
        }
        (Code::LabelLies, Subject::Runtime(runtime)) => {
            let platforms = platforms(*runtime, judgement, image);
            let mut remedy = build(*runtime, &platforms, &address);
            remedy.advice = format!("Have the label say so: build it for {}", runtime.platform());
            vec![remedy]
        }
        (Code::AttestationTagged, _) => {
            let runtimes = runtimes(judgement);
            let platforms = unique(runtimes.iter().map(|runtime| runtime.platform().to_string()));
            let platform =
                if platforms.is_empty() { String::new() } else { format!(" --platform {}", platforms.join(",")) };
            let command = format!("docker buildx build{platform}{} --tag {address} --push .", flags(&runtimes));
            vec![Remedy::run("Push the image, or its index, under this tag again", command)]
        }
        _ => Vec::new(),
    }
}

fn runtimes(judgement: &Judgement) -> Vec<Runtime> {
    judgement.intended.iter().map(|declared| declared.runtime).collect()
}

/// What to do where no image can suit all that is declared: a service that takes no index beside another architecture.
fn part(judgement: &Judgement) -> Option<Vec<Remedy>> {
    let runtimes = runtimes(judgement);
    let single = runtimes.iter().find(|runtime| !runtime.profile().service.takes_an_index())?;
    let other = runtimes.iter().find(|runtime| runtime.platform() != single.platform())?;
    let (single, other) = (single.profile().title, other.profile().title);
    let advice = format!(
        "No one image suits both: {single} takes no index, and {other} needs another platform. Push one for each, under \
         tags or into repositories of their own"
    );
    Some(vec![Remedy::advise(advice)])
}

/// The platforms that an image for this runtime is to have: its own, and where an index is taken, those of the other
/// intended runtimes and those that an index already holds.
fn platforms(runtime: Runtime, judgement: &Judgement, image: Option<&Image>) -> Vec<String> {
    let own = runtime.platform().to_string();
    if !runtime.profile().service.takes_an_index() {
        return vec![own];
    }
    let intended = runtimes(judgement).into_iter().map(|other| other.platform().to_string());
    let is_index = matches!(image.map(|image| &image.content), Some(Content::Index(_)));
    let held = if is_index { held(image) } else { Vec::new() };
    unique([own].into_iter().chain(intended).chain(held))
}

/// The Linux platforms that an image promises.
fn held(image: Option<&Image>) -> Vec<String> {
    let platforms = image.map(Image::platforms).unwrap_or_default();
    let known = platforms.into_iter().filter(|platform| platform.is_known() && platform.os() == "linux");
    known.map(ToString::to_string).take(MAX_PLATFORMS).collect()
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

/// Builds it for the runtime.
fn build(runtime: Runtime, platforms: &[String], address: &str) -> Remedy {
    let flags = flags(&[runtime]);
    let command = format!("docker buildx build --platform {}{flags} --tag {address} --push .", platforms.join(","));
    Remedy::run(format!("Build it for {}", runtime.platform()), command)
}

/// Lambda takes no index, and attestations make one.
fn flags(runtimes: &[Runtime]) -> &'static str {
    let takes = runtimes.iter().all(|runtime| runtime.profile().service.takes_an_index());
    if takes { "" } else { " --provenance=false --sbom=false" }
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

/// The one child of an index that Lambda would take, by its digest.
fn child(runtime: Runtime, image: Option<&Image>, place: Place<'_>) -> Option<Remedy> {
    let Content::Index(entries) = &image?.content else { return None };
    let entry = entries.iter().find(|entry| runtime.fit(&entry.platform) == Fit::Suits)?;
    let repository = place.repository.map_or_else(|| "REGISTRY/IMAGE".to_owned(), ToString::to_string);
    let uri = format!("{repository}@{}", entry.digest);
    let command = format!("aws lambda update-function-code --function-name NAME --image-uri {uri}");
    Some(Remedy::run(format!("Or name the image for {} by its digest", entry.platform), command))
}
