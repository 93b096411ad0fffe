//! The next step if the result is unknown: what makes the image one whose start can be predicted.

use super::gzip_remedy;
use crate::inspect::{Inspection, InspectionOutcome, InspectionTarget};
use crate::oci::{Compression, Image, ImageContent, IndexChild, PlatformImage};
use crate::path::display_path;
use crate::report::model::{FindingCase, Remedy};
use crate::rootfs::UnknownReason;
use crate::runtime::{Compatibility, Runtime};
use crate::text::sanitize_quoted;
use crate::verdict::FindingSubject;

impl FindingCase<'_> {
    /// Suggests what to do next about an unknown result, the most likely step first.
    pub(in crate::report) fn unknown_remedies(&self, inspections: &[Inspection]) -> Vec<Remedy> {
        // The remedies of an invalid declaration are those of its fault.
        if self.finding.unknown.is_empty() || !self.finding.faults.is_empty() {
            return Vec::new();
        }
        let Some(image) = self.image else { return vec![self.unavailable_remedy()] };
        if is_incomplete(image, inspections) {
            let otherwise = if self.is_cached() {
                "delete it from the cache, which then fetches it again"
            } else {
                "push it again"
            };
            let advice = format!("Pull it, to see whether all its parts are there; if not, {otherwise}");
            return vec![Remedy::with_command(advice, format!("docker pull {}", self.context.image_uri()))];
        }
        let FindingSubject::Runtime(runtime) = self.finding.subject else { return Vec::new() };
        if self.finding.is_contested {
            return vec![Remedy::advice_only(format!(
                "Correct the declaration that is outdated: the image's tag, or the repository's tag `{}`",
                self.context.declaration_key
            ))];
        }
        if is_uncertain_platform(image, runtime) {
            return if self.is_cached() {
                self.cached_platform_remedies(runtime)
            } else {
                self.at_source(vec![self.build_remedy(runtime)])
            };
        }
        if let Some(advice) = inspections.iter().find_map(|inspection| advise_on_mounts(inspection, runtime)) {
            return if self.is_cached() {
                self.cached_image_remedies()
            } else {
                self.at_source(vec![Remedy::advice_only(advice)])
            };
        }
        if single_images(image).any(|single| single.layers.iter().any(|layer| layer.compression == Compression::Zstd)) {
            let remedy = || self.at_source(vec![gzip_remedy(runtime, &self.push_uri())]);
            return if self.is_cached() { self.cached_image_remedies() } else { remedy() };
        }
        if self.is_cached() { self.cached_image_remedies() } else { self.at_source(vec![self.build_remedy(runtime)]) }
    }

    /// Suggests finding out why the registry does not return an image.
    fn unavailable_remedy(&self) -> Remedy {
        let advice = "See the state of the image: restore it if it is archived, and check the permissions of its \
                      repository and its KMS key";
        let Some(repository) = self.context.repository else { return Remedy::advice_only(advice) };
        let id = self.context.tag.map_or("imageDigest=DIGEST".to_owned(), |tag| format!("imageTag={tag}"));
        let (account, region, name) = (repository.account(), repository.region(), repository.name());
        let command = format!(
            "aws ecr describe-images --region {region} --registry-id {account} --repository-name {name} --image-ids {id}"
        );
        Remedy::with_command(advice, command)
    }
}

/// Suggests what to do about a path where not all hosts of the runtime mount something.
fn advise_on_mounts(inspection: &Inspection, runtime: Runtime) -> Option<String> {
    let InspectionOutcome::HostDependent(reason) = &inspection.outcome else { return None };
    if InspectionTarget::for_runtime(runtime) != Some(inspection.target) {
        return None;
    }
    match reason {
        UnknownReason::MountRefusedByContainerd { path, found } => {
            let what = if found.starts_with("leads") { "link" } else { "file or link" };
            Some(format!(
                "Remove the {what} at {path} where it is added (COPY or ADD source, or an earlier stage): RUN cannot, \
                 because it mounts there itself"
            ))
        }
        UnknownReason::VolumeRefusedByDocker(path) => {
            let path = sanitize_quoted(&display_path(path));
            Some(format!("Name a directory in VOLUME, outside of /proc, or remove the volume {path}"))
        }
        _ => None,
    }
}

/// Returns whether a manifest, a config or a layer is missing or unreadable.
fn is_incomplete(image: &Image, inspections: &[Inspection]) -> bool {
    matches!(image.content, ImageContent::Unreadable(_))
        || image.is_incomplete()
        || inspections.iter().any(|inspection| matches!(inspection.outcome, InspectionOutcome::Unavailable(_)))
}

/// Returns whether no platform certainly suits the runtime, but one may.
fn is_uncertain_platform(image: &Image, runtime: Runtime) -> bool {
    let found = image.platforms().into_iter().map(|platform| runtime.compatibility_with(platform));
    let found: Vec<Compatibility> = found.collect();
    !found.contains(&Compatibility::Compatible) && found.iter().any(|one| matches!(one, Compatibility::Unknown(_)))
}

fn single_images(image: &Image) -> impl Iterator<Item = &PlatformImage> {
    let (single, entries) = match &image.content {
        ImageContent::Single(single) => (Some(single), &[][..]),
        ImageContent::Index(entries) => (None, entries.as_slice()),
        ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => (None, &[][..]),
    };
    single.into_iter().chain(entries.iter().filter_map(|entry| match &entry.child {
        IndexChild::Read(single) => Some(single),
        IndexChild::NotRead | IndexChild::Unavailable(_) => None,
    }))
}
