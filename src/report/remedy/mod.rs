//! Remedies: what fixes a fault, as commands with the real names filled in. Every name in a command was parsed by its
//! own grammar, so that no name can inject another command.

mod declaration;
mod program;

use self::declaration::{change_runtime_remedy, declaration_remedies};
use self::program::program_remedies;
use super::model::{Remedy, ReportContext};
use crate::oci::{Image, ImageContent};
use crate::runtime::{Compatibility, Runtime};
use crate::verdict::{Fault, FaultCode, Finding, FindingSubject, Judgement};

/// The maximum number of platforms in a command: more than real images have, and few enough for a message, which
/// contains them several times.
const MAX_PLATFORMS: usize = 32;

/// Suggests what fixes a fault, the most likely remedy first.
pub(super) fn suggest_remedies(
    fault: &Fault,
    finding: &Finding,
    judgement: &Judgement,
    image: Option<&Image>,
    context: ReportContext<'_>,
) -> Vec<Remedy> {
    if let (Some(program), false) = (&fault.failed_program, fault.code == FaultCode::WrongArchitecture) {
        return program_remedies(fault, program, context);
    }
    let uri = context.image_uri();
    match (fault.code, &finding.subject) {
        (FaultCode::InvalidDeclaration, FindingSubject::Declaration(invalid)) => {
            declaration_remedies(invalid, judgement, context)
        }
        (
            FaultCode::WrongArchitecture | FaultCode::PlatformMissing | FaultCode::WrongOs,
            FindingSubject::Runtime(runtime),
        ) => {
            let platforms = required_platforms(*runtime, judgement, image);
            let mut remedies = separate_images_remedy(judgement).unwrap_or_else(|| {
                vec![build_remedy(*runtime, &platforms, &uri), copy_remedy(*runtime, &platforms, &uri)]
            });
            remedies.extend(change_runtime_remedy(*runtime, fault, judgement, context));
            remedies
        }
        (FaultCode::IndexRefused, FindingSubject::Runtime(runtime)) => {
            let platforms = required_platforms(*runtime, judgement, image);
            let mut remedies = separate_images_remedy(judgement).unwrap_or_else(|| {
                let build = build_remedy(*runtime, &platforms, &uri);
                vec![Remedy { advice: "Build it as a single image, without attestations".to_owned(), ..build }]
            });
            remedies.extend(child_digest_remedy(*runtime, image, context));
            remedies
        }
        (FaultCode::LayerFormatRefused, FindingSubject::Runtime(runtime)) => {
            let output = format!("type=image,name={uri},push=true,compression=gzip,force-compression=true");
            let flags = attestation_flags(&[*runtime]);
            let command = format!("docker buildx build --platform {}{flags} --output {output} .", runtime.platform());
            vec![Remedy::with_command("Build it with gzip layers", command)]
        }
        (FaultCode::DescriptorMismatch | FaultCode::IdenticalLayers, _) => {
            let advice = "Build each platform separately, without `FROM --platform=$BUILDPLATFORM` in the last stage, a fixed \
                          GOARCH, or a base image pinned to one platform";
            let platforms = linux_platforms(image).join(",");
            let command = format!("docker buildx build --platform {platforms} --tag {uri} --push .");
            vec![Remedy::with_command(advice, command)]
        }
        (FaultCode::PlatformMismatch, FindingSubject::Runtime(runtime)) => {
            let mut remedy = build_remedy(*runtime, &required_platforms(*runtime, judgement, image), &uri);
            remedy.advice = format!("Correct the declared platform: build it for {}", runtime.platform());
            vec![remedy]
        }
        (FaultCode::ImageDamaged, _) => vec![
            Remedy::with_command(
                "Copy it again from where it is intact",
                format!("docker buildx imagetools create --tag {uri} SOURCE"),
            ),
            Remedy::advice_only("Or build it and push it again".to_owned()),
        ],
        (FaultCode::AttestationTagged, _) => {
            let runtimes = intended_runtimes(judgement);
            let platforms = deduplicate(runtimes.iter().map(|runtime| runtime.platform().to_string()));
            let platform =
                if platforms.is_empty() { String::new() } else { format!(" --platform {}", platforms.join(",")) };
            let command = format!("docker buildx build{platform}{} --tag {uri} --push .", attestation_flags(&runtimes));
            vec![Remedy::with_command("Push the image, or its index, under this tag again", command)]
        }
        _ => Vec::new(),
    }
}

fn intended_runtimes(judgement: &Judgement) -> Vec<Runtime> {
    judgement.intended.iter().map(|declared| declared.runtime).collect()
}

/// Suggests separate images if no image suits every declared runtime, because one service does not accept an index and
/// another runtime needs another platform.
fn separate_images_remedy(judgement: &Judgement) -> Option<Vec<Remedy>> {
    let runtimes = intended_runtimes(judgement);
    let single = runtimes.iter().find(|runtime| !runtime.profile().service.accepts_index())?;
    let other = runtimes.iter().find(|runtime| runtime.platform() != single.platform())?;
    let (single, other) = (single.profile().title, other.profile().title);
    Some(vec![Remedy::advice_only(format!(
        "No image suits both: {single} does not accept an index, and {other} needs another platform. Push one image for \
         each, under separate tags or to separate repositories"
    ))])
}

/// Returns the platforms that an image for this runtime needs: that of the runtime and, if the service accepts an
/// index, those of the other intended runtimes and of an existing index.
fn required_platforms(runtime: Runtime, judgement: &Judgement, image: Option<&Image>) -> Vec<String> {
    let own = runtime.platform().to_string();
    if !runtime.profile().service.accepts_index() {
        return vec![own];
    }
    let intended = intended_runtimes(judgement).into_iter().map(|other| other.platform().to_string());
    let is_index = matches!(image.map(|image| &image.content), Some(ImageContent::Index(_)));
    let present = if is_index { linux_platforms(image) } else { Vec::new() };
    deduplicate([own].into_iter().chain(intended).chain(present))
}

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

fn build_remedy(runtime: Runtime, platforms: &[String], uri: &str) -> Remedy {
    let flags = attestation_flags(&[runtime]);
    let command = format!("docker buildx build --platform {}{flags} --tag {uri} --push .", platforms.join(","));
    Remedy::with_command(format!("Build it for {}", runtime.platform()), command)
}

/// Returns the flags for a build without attestations, which turn a single image into an index, if a service does not
/// accept an index.
fn attestation_flags(runtimes: &[Runtime]) -> &'static str {
    let accept_index = runtimes.iter().all(|runtime| runtime.profile().service.accepts_index());
    if accept_index { "" } else { " --provenance=false --sbom=false" }
}

/// Suggests copying the image again. The source is unknown, so the command contains `SOURCE`.
fn copy_remedy(runtime: Runtime, platforms: &[String], uri: &str) -> Remedy {
    let copied = "Or, if it was copied from another registry, copy";
    if platforms.len() > 1 {
        let command = format!("skopeo copy --all docker://SOURCE docker://{uri}");
        return Remedy::with_command(format!("{copied} all its platforms"), command);
    }
    let platform = runtime.platform();
    let command = format!("docker pull --platform {platform} SOURCE && docker tag SOURCE {uri} && docker push {uri}");
    Remedy::with_command(format!("{copied} it for {platform}"), command)
}

/// Suggests using the image of an index that Lambda accepts, by its digest.
fn child_digest_remedy(runtime: Runtime, image: Option<&Image>, context: ReportContext<'_>) -> Option<Remedy> {
    let ImageContent::Index(entries) = &image?.content else { return None };
    let entry =
        entries.iter().find(|entry| runtime.compatibility_with(&entry.platform) == Compatibility::Compatible)?;
    let uri = format!("{}@{}", context.repository_uri(), entry.digest);
    let command = format!("aws lambda update-function-code --function-name NAME --image-uri {uri}");
    Some(Remedy::with_command(format!("Or use the image for {} by its digest", entry.platform), command))
}
