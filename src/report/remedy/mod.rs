//! Remedies: what fixes a fault, as commands with the real names filled in. Every name in a command was parsed by its
//! own grammar, so that no name can inject another command.

mod arrival;
mod change_runtime;
mod script;
mod word;
mod program;
mod unknown;

use self::arrival::copy_command;
use super::model::{FaultCase, FindingCase, Remedy};
use crate::intent::{DeclarationSource, InvalidDeclaration};
use crate::oci::{Image, ImageContent};
use crate::runtime::{Compatibility, Runtime};
use crate::text::collect_unique;
use crate::verdict::{FaultCode, FindingSubject, WrongSide};

/// The maximum number of platforms in a command: more than real images have, and few enough for a message, which
/// contains them several times.
const MAX_PLATFORMS: usize = 32;

/// What to look for in a Dockerfile that builds a program for the wrong platform.
const REBUILD_EACH: &str = "Build each platform separately, without `FROM --platform=$BUILDPLATFORM` in the last stage, a \
                            fixed GOARCH, or a base image pinned to one platform";

impl FaultCase<'_> {
    /// Suggests what fixes the fault, the most likely remedy first.
    pub(super) fn suggest_remedies(&self) -> Vec<Remedy> {
        if self.fault.code == FaultCode::InvalidDeclaration {
            return match &self.case.finding.subject {
                FindingSubject::Declaration(invalid) => self.case.declaration_remedies(invalid),
                _ => Vec::new(),
            };
        }
        if self.case.is_cached() { self.cached_remedies() } else { self.case.at_source(self.pushed_remedies()) }
    }

    /// Suggests what fixes an image in a pull-through cache, to which nobody pushes.
    fn cached_remedies(&self) -> Vec<Remedy> {
        let (
            FaultCode::WrongArchitecture | FaultCode::PlatformMissing | FaultCode::WrongOs | FaultCode::IndexRefused,
            &FindingSubject::Runtime(runtime),
        ) = (self.fault.code, &self.case.finding.subject)
        else {
            return self.case.cached_image_remedies();
        };
        if self.fault.code == FaultCode::IndexRefused {
            let copy = self.case.cached_index_remedy(runtime);
            return [copy].into_iter().chain(self.case.child_digest_remedy(runtime)).collect();
        }
        let mut remedies = self.case.cached_platform_remedies(runtime);
        remedies.extend(self.change_runtime_remedy(runtime));
        remedies
    }

    /// Suggests what fixes an image that somebody pushes.
    fn pushed_remedies(&self) -> Vec<Remedy> {
        let case = &self.case;
        if let (Some(program), false) = (&self.fault.failed_program, self.fault.code == FaultCode::WrongArchitecture) {
            return self.program_remedies(program);
        }
        let uri = case.push_uri();
        match (self.fault.code, &case.finding.subject) {
            (
                FaultCode::WrongArchitecture | FaultCode::PlatformMissing | FaultCode::WrongOs,
                FindingSubject::Runtime(runtime),
            ) => {
                let change = self.change_runtime_remedy(*runtime);
                let side = self.wrong_side();
                // An image that is right stays as it is.
                if let (Some(WrongSide::Consumer), Some(change)) = (side, &change) {
                    return vec![change.clone()];
                }
                let mut remedies =
                    case.separate_images_remedy().unwrap_or_else(|| case.build_or_copy_remedies(*runtime));
                remedies.extend(change.filter(|_| side != Some(WrongSide::Image)));
                remedies
            }
            (FaultCode::IndexRefused, FindingSubject::Runtime(runtime)) => {
                let advice = "Build it as a single image, without attestations".to_owned();
                let build = || vec![Remedy { advice, ..case.build_remedy(*runtime) }];
                let mut remedies = case.separate_images_remedy().unwrap_or_else(build);
                remedies.extend(case.child_digest_remedy(*runtime));
                remedies
            }
            (FaultCode::LayerFormatRefused, FindingSubject::Runtime(runtime)) => vec![gzip_remedy(*runtime, &uri)],
            (FaultCode::DescriptorMismatch | FaultCode::IdenticalLayers, _) => {
                let platforms = case.linux_platforms().join(",");
                let command = format!("docker buildx build --platform {platforms} --no-cache --tag {uri} --push .");
                vec![Remedy::with_command(REBUILD_EACH, command)]
            }
            (FaultCode::PlatformMismatch, FindingSubject::Runtime(runtime)) => {
                let advice = format!("Correct the declared platform: build it for {}", runtime.platform());
                vec![Remedy { advice, ..case.build_remedy(*runtime) }]
            }
            (FaultCode::ImageDamaged, _) => {
                let command = format!("docker buildx imagetools create --tag {uri} SOURCE");
                vec![
                    Remedy::with_command("Copy it again from where it is intact", command),
                    Remedy::advice_only("Or build it and push it again"),
                ]
            }
            (FaultCode::AttestationTagged, _) => {
                let runtimes = case.judgement.runtimes();
                let platforms = collect_unique(runtimes.iter().map(|runtime| runtime.platform().to_string())).join(",");
                let platform = if platforms.is_empty() { platforms } else { format!(" --platform {platforms}") };
                let flags = attestation_flags(&runtimes);
                let command = format!("docker buildx build{platform}{flags} --tag {uri} --push .");
                vec![Remedy::with_command("Push the image, or its index, under this tag again", command)]
            }
            (FaultCode::NotAnImage, _) => vec![Remedy::advice_only(
                "Name the tag or digest of a container image; without `--runtime`, artifacts are skipped",
            )],
            (code, _) => self.setup_remedies(code),
        }
    }
}

impl FindingCase<'_> {
    /// Suggests separate images if no image suits every declared runtime, because one service does not accept an index
    /// and another runtime needs another platform.
    fn separate_images_remedy(&self) -> Option<Vec<Remedy>> {
        let runtimes = self.judgement.runtimes();
        let single = runtimes.iter().find(|runtime| !runtime.profile().service.accepts_index())?;
        let other = runtimes.iter().find(|runtime| runtime.platform() != single.platform())?;
        let (single, other) = (single.profile().title, other.profile().title);
        Some(vec![Remedy::advice_only(format!(
            "No image suits both: {single} does not accept an index, and {other} needs another platform. Push one image \
             for each, under separate tags or to separate repositories"
        ))])
    }

    /// Returns the runtime and the other intended ones. All need the same platform if one of them accepts no index.
    fn all_runtimes(&self, runtime: Runtime) -> Vec<Runtime> {
        let intended = self.judgement.runtimes();
        if intended.contains(&runtime) { intended } else { [runtime].into_iter().chain(intended).collect() }
    }

    /// Returns the platforms that an image for this runtime needs: those of all intended runtimes and, unless a service
    /// accepts no index, those of an existing index.
    fn required_platforms(&self, runtime: Runtime) -> Vec<String> {
        let runtimes = self.all_runtimes(runtime);
        if !runtimes.iter().all(|runtime| runtime.profile().service.accepts_index()) {
            return vec![runtime.platform().to_string()];
        }
        let intended = runtimes.into_iter().map(|runtime| runtime.platform().to_string());
        let is_index = matches!(self.image.map(|image| &image.content), Some(ImageContent::Index(_)));
        let present = if is_index { self.linux_platforms() } else { Vec::new() };
        collect_unique(intended.chain(present))
    }

    fn linux_platforms(&self) -> Vec<String> {
        let platforms = self.image.map(Image::platforms).unwrap_or_default();
        let known = platforms.into_iter().filter(|platform| platform.is_known() && platform.os() == "linux");
        known.map(ToString::to_string).take(MAX_PLATFORMS).collect()
    }

    fn build_remedy(&self, runtime: Runtime) -> Remedy {
        let (platforms, uri) = (self.required_platforms(runtime), self.push_uri());
        let flags = attestation_flags(&self.all_runtimes(runtime));
        let command = format!("docker buildx build --platform {}{flags} --tag {uri} --push .", platforms.join(","));
        Remedy::with_command(format!("Build it for {}", platforms.join(" and ")), command)
    }

    /// Suggests building the image or copying it again, in the order of their likelihood. The source of a copy is
    /// unknown, so the command contains `SOURCE`.
    fn build_or_copy_remedies(&self, runtime: Runtime) -> Vec<Remedy> {
        let (build, runtimes) = (self.build_remedy(runtime), self.all_runtimes(runtime));
        let accepts_index = runtimes.iter().all(|runtime| runtime.profile().service.accepts_index());
        let what =
            if accepts_index { "all its platforms".to_owned() } else { format!("it for {}", runtime.platform()) };
        let copy = copy_command("SOURCE", &self.push_uri(), &runtimes);
        if let Some(date) = self.copied_since() {
            let advice = format!("It was created on {date}, so it was probably copied, not built: copy {what} again");
            let build_it = build.advice.replacen("Build", "Or, if you built it, build", 1);
            return vec![Remedy::with_command(advice, copy), Remedy { advice: build_it, ..build }];
        }
        let advice = format!("Or, if it was copied from another registry, copy {what}");
        vec![build, Remedy::with_command(advice, copy)]
    }

    /// Suggests using the image of an index that Lambda accepts, by its digest.
    fn child_digest_remedy(&self, runtime: Runtime) -> Option<Remedy> {
        let ImageContent::Index(entries) = &self.image?.content else { return None };
        let is_compatible = |platform| runtime.compatibility_with(platform) == Compatibility::Compatible;
        let entry = entries.iter().find(|entry| is_compatible(&entry.platform))?;
        let uri = format!("{}@{}", self.context.repository_uri(), entry.digest);
        let command = format!("aws lambda update-function-code --function-name NAME --image-uri {uri}");
        Some(Remedy::with_command(format!("Or use the image for {} by its digest", entry.platform), command))
    }

    /// Suggests replacing an unknown word of a declaration by each of its nearest runtimes.
    fn declaration_remedies(&self, invalid: &InvalidDeclaration) -> Vec<Remedy> {
        let others = self.judgement.findings.iter().filter_map(|finding| match &finding.subject {
            FindingSubject::Declaration(word) if word != invalid => Some(word.error.nearest[0]),
            _ => None,
        });
        let others: Vec<Runtime> = self.judgement.runtimes().into_iter().chain(others).collect();
        let remedy = |nearest: &Runtime| {
            let mut runtimes: Vec<Runtime> = others.iter().copied().chain([*nearest]).collect();
            runtimes.sort();
            runtimes.dedup();
            let names: Vec<&str> = runtimes.iter().map(|runtime| runtime.profile().name).collect();
            self.declaration_remedy(invalid.declared_by, &names.join(" "), *nearest)
        };
        invalid.error.nearest.iter().map(remedy).collect()
    }

    /// Suggests changing a declaration at its source.
    fn declaration_remedy(&self, source: DeclarationSource, value: &str, nearest: Runtime) -> Remedy {
        let (key, meant) = (self.context.declaration_key, format!("If {} was meant", nearest.profile().title));
        match (source, self.context.repository) {
            (DeclarationSource::RepositoryTag, Some(repository)) => {
                let arn = repository.arn();
                let command = format!("aws ecr tag-resource --resource-arn {arn} --tags \"Key={key},Value={value}\"");
                Remedy::with_command(format!("{meant}, tag the repository"), command)
            }
            (DeclarationSource::Label, _) => {
                let advice = format!("{meant}, label the image in its Dockerfile");
                Remedy::with_command(advice, format!("LABEL {key}=\"{value}\""))
            }
            _ => Remedy::advice_only(format!("{meant}, declare `{value}`")),
        }
    }
}

/// Suggests building an image whose layers every service accepts.
fn gzip_remedy(runtime: Runtime, uri: &str) -> Remedy {
    let output = format!("type=image,name={uri},push=true,compression=gzip,force-compression=true");
    let (platform, flags) = (runtime.platform(), attestation_flags(&[runtime]));
    let command = format!("docker buildx build --platform {platform}{flags} --output {output} .");
    Remedy::with_command("Build it with gzip layers", command)
}

/// Returns the flags against attestations, which turn a single image into an index, if a service does not accept one.
fn attestation_flags(runtimes: &[Runtime]) -> &'static str {
    let accept_index = runtimes.iter().all(|runtime| runtime.profile().service.accepts_index());
    if accept_index { "" } else { " --provenance=false --sbom=false" }
}
