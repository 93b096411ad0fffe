//! What to do about a fault, as commands with the real names filled in.
//!
//! Does not run them. Every name in a command has been parsed by its grammar, so that none can carry another command.

use serde::{Serialize, Serializer};

use super::ReportContext;
use super::declaration_remedy::{change_runtime_remedy, declaration_remedies};
use super::program_remedy::program_remedies;
use crate::oci::{Image, ImageContent};
use crate::runtime::{Compatibility, Runtime};
use crate::verdict::{Fault, FaultCode, Finding, FindingSubject, Judgement};

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
    pub(super) fn with_command(advice: impl Into<String>, command: String) -> Self {
        Self { advice: advice.into(), command: Some(command) }
    }

    pub(super) fn advice_only(advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), command: None }
    }
}

/// How many platforms a command names: more than are built for in practice, and few enough for a message, which says it
/// several times.
const MAX_PLATFORMS: usize = 32;

impl ReportContext<'_> {
    /// How commands call the image. Without a tag they must not be taken for `latest`.
    pub(super) fn image_uri(&self) -> String {
        let name = self.repository.map_or_else(|| "REGISTRY/IMAGE".to_owned(), ToString::to_string);
        self.tag.map_or_else(|| format!("{name}:TAG"), |tag| format!("{name}:{tag}"))
    }
}

/// What to do about one fault, the likeliest first.
pub(super) fn suggest_remedies(
    fault: &Fault,
    finding: &Finding,
    judgement: &Judgement,
    image: Option<&Image>,
    place: ReportContext<'_>,
) -> Vec<Remedy> {
    let address = place.image_uri();
    if let (Some(trouble), false) = (&fault.failed_program, fault.code == FaultCode::WrongArchitecture) {
        return program_remedies(fault, trouble, place);
    }
    match (fault.code, &finding.subject) {
        (FaultCode::InvalidDeclaration, FindingSubject::Declaration(unreadable)) => {
            declaration_remedies(unreadable, judgement, place)
        }
        (
            FaultCode::WrongArchitecture | FaultCode::PlatformMissing | FaultCode::WrongOs,
            FindingSubject::Runtime(runtime),
        ) => {
            let platforms = required_platforms(*runtime, judgement, image);
            let mut remedies = separate_images_remedy(judgement).unwrap_or_else(|| {
                vec![build_remedy(*runtime, &platforms, &address), copy_remedy(*runtime, &platforms, &address)]
            });
            remedies.extend(change_runtime_remedy(*runtime, fault, judgement, place));
            remedies
        }
        (FaultCode::IndexRefused, FindingSubject::Runtime(runtime)) => {
            let platforms = required_platforms(*runtime, judgement, image);
            let mut remedies =
                separate_images_remedy(judgement).unwrap_or_else(|| vec![build_remedy(*runtime, &platforms, &address)]);
            remedies.extend(child_digest_remedy(*runtime, image, place));
            remedies
        }
        (FaultCode::LayerFormatRefused, FindingSubject::Runtime(runtime)) => {
            let output = format!("type=image,name={address},push=true,compression=gzip,force-compression=true");
            let flags = attestation_flags(&[*runtime]);
            let command = format!("docker buildx build --platform {}{flags} --output {output} .", runtime.platform());
            vec![Remedy::with_command("Build it with gzip layers", command)]
        }
        (FaultCode::DescriptorMismatch | FaultCode::IdenticalLayers, _) => {
            let advice = "Build each platform for itself: no `FROM --platform=$BUILDPLATFORM` in the last stage, no \
                          fixed GOARCH, no base pinned to one platform";
            let held = linux_platforms(image).join(",");
            vec![Remedy::with_command(
                advice,
                format!("docker buildx build --platform {held} --tag {address} --push ."),
            )]
        }
        (FaultCode::PlatformMismatch, FindingSubject::Runtime(runtime)) => {
            let platforms = required_platforms(*runtime, judgement, image);
            let mut remedy = build_remedy(*runtime, &platforms, &address);
            remedy.advice = format!("Have the label say so: build it for {}", runtime.platform());
            vec![remedy]
        }
        (FaultCode::AttestationTagged, _) => {
            let runtimes = intended_runtimes(judgement);
            let platforms = deduplicate(runtimes.iter().map(|runtime| runtime.platform().to_string()));
            let platform =
                if platforms.is_empty() { String::new() } else { format!(" --platform {}", platforms.join(",")) };
            let command =
                format!("docker buildx build{platform}{} --tag {address} --push .", attestation_flags(&runtimes));
            vec![Remedy::with_command("Push the image, or its index, under this tag again", command)]
        }
        _ => Vec::new(),
    }
}

fn intended_runtimes(judgement: &Judgement) -> Vec<Runtime> {
    judgement.intended.iter().map(|declared| declared.runtime).collect()
}

/// What to do where no image can suit all that is declared: a service that takes no index beside another architecture.
fn separate_images_remedy(judgement: &Judgement) -> Option<Vec<Remedy>> {
    let runtimes = intended_runtimes(judgement);
    let single = runtimes.iter().find(|runtime| !runtime.profile().service.accepts_index())?;
    let other = runtimes.iter().find(|runtime| runtime.platform() != single.platform())?;
    let (single, other) = (single.profile().title, other.profile().title);
    let advice = format!(
        "No one image suits both: {single} takes no index, and {other} needs another platform. Push one for each, under \
         tags or into repositories of their own"
    );
    Some(vec![Remedy::advice_only(advice)])
}

/// The platforms that an image for this runtime is to have: its own, and where an index is taken, those of the other
/// intended runtimes and those that an index already holds.
fn required_platforms(runtime: Runtime, judgement: &Judgement, image: Option<&Image>) -> Vec<String> {
    let own = runtime.platform().to_string();
    if !runtime.profile().service.accepts_index() {
        return vec![own];
    }
    let intended = intended_runtimes(judgement).into_iter().map(|other| other.platform().to_string());
    let is_index = matches!(image.map(|image| &image.content), Some(ImageContent::Index(_)));
    let held = if is_index { linux_platforms(image) } else { Vec::new() };
    deduplicate([own].into_iter().chain(intended).chain(held))
}

/// The Linux platforms that an image promises.
fn linux_platforms(image: Option<&Image>) -> Vec<String> {
    let platforms = image.map(Image::platforms).unwrap_or_default();
    let known = platforms.into_iter().filter(|platform| platform.is_known() && platform.os() == "linux");
    known.map(ToString::to_string).take(MAX_PLATFORMS).collect()
}

fn deduplicate(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

/// Builds it for the runtime.
fn build_remedy(runtime: Runtime, platforms: &[String], address: &str) -> Remedy {
    let flags = attestation_flags(&[runtime]);
    let command = format!("docker buildx build --platform {}{flags} --tag {address} --push .", platforms.join(","));
    Remedy::with_command(format!("Build it for {}", runtime.platform()), command)
}

/// Lambda takes no index, and attestations make one.
fn attestation_flags(runtimes: &[Runtime]) -> &'static str {
    let takes = runtimes.iter().all(|runtime| runtime.profile().service.accepts_index());
    if takes { "" } else { " --provenance=false --sbom=false" }
}

/// Copies it again from where it came; `SOURCE` is not known here.
fn copy_remedy(runtime: Runtime, platforms: &[String], address: &str) -> Remedy {
    let copied = "Or, where it was copied from another registry, copy";
    if platforms.len() > 1 {
        let command = format!("skopeo copy --all docker://SOURCE docker://{address}");
        return Remedy::with_command(format!("{copied} all its platforms"), command);
    }
    let platform = runtime.platform();
    let command =
        format!("docker pull --platform {platform} SOURCE && docker tag SOURCE {address} && docker push {address}");
    Remedy::with_command(format!("{copied} it for {platform}"), command)
}

/// The one child of an index that Lambda would take, by its digest.
fn child_digest_remedy(runtime: Runtime, image: Option<&Image>, place: ReportContext<'_>) -> Option<Remedy> {
    let ImageContent::Index(entries) = &image?.content else { return None };
    let entry =
        entries.iter().find(|entry| runtime.compatibility_with(&entry.platform) == Compatibility::Compatible)?;
    let repository = place.repository.map_or_else(|| "REGISTRY/IMAGE".to_owned(), ToString::to_string);
    let uri = format!("{repository}@{}", entry.digest);
    let command = format!("aws lambda update-function-code --function-name NAME --image-uri {uri}");
    Some(Remedy::with_command(format!("Or name the image for {} by its digest", entry.platform), command))
}
