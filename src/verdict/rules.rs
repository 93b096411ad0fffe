//! The rules that check one image, or one entry of an index, against one runtime.

use super::exec_faults::{detect_exec_fault, find_inspection, may_be_data_image};
use super::fault::{Fault, FaultCode};
use super::finding::{Finding, Verdict};
use crate::inspect::{Inspection, InspectionOutcome, InspectionTarget};
use crate::oci::{
    Compression, ImageRefusal, IndexChild, IndexEntry, MediaTypeFamily, PlatformImage, ProcessConfig, RefusedBy,
};
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime, Service};

/// Pairs of architectures: programs for the second also start on the first, if the host supports them.
const COMPATIBLE_ARCHITECTURES: [(&str, &str); 2] = [("amd64", "386"), ("arm64", "arm")];

/// Why it is unknown whether an image for Linux starts that declares another operating system: `platformFromConfig` in
/// Docker's `distribution/config.go` refuses it, and containerd 1.6.20 starts it. ECS uses both, and the other services
/// are not documented.
const OS_REFUSAL: &str = "containerd starts such an image, but Docker refuses to pull it";

impl Finding {
    pub(super) fn reject_attestation(&mut self) {
        let evidence = "the tag points at an attestation, which does not contain a program".to_owned();
        self.add_fault(FaultCode::AttestationTagged, None, evidence);
    }

    /// Checks why programs refuse an image: a fault if the service is known to use only such programs. Fargate uses
    /// containerd, and ECS on EC2 uses Docker Engine. It is not documented how App Runner and Lambda unpack images.
    pub(super) fn check_refusal(
        &mut self,
        service: Service,
        platform: Option<&Platform>,
        refusal: Option<&ImageRefusal>,
    ) {
        let Some(ImageRefusal { reason, refused_by }) = refusal else { return };
        let is_certain = match service {
            Service::Ecs => *refused_by <= RefusedBy::ContainerdAndDocker,
            Service::Linux => *refused_by <= RefusedBy::ContainerRuntimes,
            Service::AppRunner | Service::Lambda => *refused_by == RefusedBy::Everyone,
        };
        if is_certain {
            self.unknown.retain(|known| known != reason);
            self.add_fault(FaultCode::ImageDamaged, platform, reason.clone());
        } else if self.verdict != Verdict::Fails {
            self.add_unknown(format!("{reason}: {}", refused_by.describe()));
        }
    }

    /// Checks why programs refuse a single image, as its documents and the layers that were read show.
    fn check_image_refusal(
        &mut self,
        service: Service,
        single: &PlatformImage,
        platform: &Platform,
        inspection: Option<&Inspection>,
    ) {
        let of_layers = inspection.and_then(|inspection| inspection.refusal.clone());
        let refusal = ImageRefusal::stronger(single.refusal.clone(), of_layers);
        self.check_refusal(service, Some(platform), refusal.as_ref());
    }

    pub(super) fn check_single(&mut self, runtime: Runtime, single: &PlatformImage, inspection: Option<&Inspection>) {
        let platform = &single.platform;
        let built_for = || format!("the image is built for {platform}, not {}", runtime.platform());
        let starts = inspection.and_then(Inspection::starts);
        let is_other = platform.is_known() && platform.architecture() != runtime.profile().architecture;
        match (runtime.compatibility_with(platform), &single.config_error) {
            (Compatibility::Compatible, _) => self.check_program(single, platform, inspection),
            (Compatibility::WrongOs, _) if starts == Some(true) => {
                self.add_unknown(format!("the image declares {platform}, but its program is for Linux: {OS_REFUSAL}"));
            }
            (Compatibility::WrongOs, _) => self.add_fault(FaultCode::WrongOs, Some(platform), built_for()),
            // The program decides, not the declared platform.
            (Compatibility::WrongArchitecture | Compatibility::Unknown(_), _) if starts == Some(true) && is_other => {
                self.check_wrong_platform(runtime, platform);
            }
            (Compatibility::WrongArchitecture, _) => {
                self.add_fault(FaultCode::WrongArchitecture, Some(platform), built_for());
                self.check_program(single, platform, inspection);
                // If both faults have the same code, the first provides the evidence and the second the symptom.
                if let [.., declared, program] = self.faults.as_mut_slice()
                    && declared.code == program.code
                {
                    declared.failed_program = program.failed_program.take();
                    self.faults.pop();
                }
            }
            // ELF headers do not name the variant of an architecture that a program needs.
            (Compatibility::Unknown(_), _) if starts == Some(false) || starts == Some(true) && !platform.is_known() => {
                self.check_program(single, platform, inspection);
            }
            (Compatibility::Unknown(_), Some(reason)) => self.add_unknown(reason),
            (Compatibility::Unknown(reason), None) => {
                self.add_unknown(format!("the image declares {platform}: {reason}"));
            }
        }
        self.check_layer_formats(runtime, platform, single);
        self.check_image_refusal(runtime.profile().service, single, platform, inspection);
    }

    /// Checks an image whose known programs start although it declares another architecture.
    ///
    /// containerd starts a manifest that is not in an index without comparing its config with the host (`Manifest` in
    /// `images/image.go`; 1.6.20 starts images that declare arm64, s390x and no architecture on amd64). Docker compares
    /// only the operating system (`platformFromConfig` in `distribution/config.go`). App Runner starts images for arm64,
    /// as its logs with `exec format error` show. What Lambda does is not documented.
    fn check_wrong_platform(&mut self, runtime: Runtime, platform: &Platform) {
        let evidence = format!("the declared platform is {platform}, but its programs are for {}", runtime.platform());
        match (&self.not_verified, runtime.profile().service) {
            (Some(reason), _) => self.add_unknown(format!("{evidence}, as far as they are known: {reason}")),
            (None, Service::Lambda) => {
                self.add_unknown(format!("{evidence}, and the service is not documented to accept that"));
            }
            (None, Service::Ecs | Service::Linux | Service::AppRunner) => {
                self.add_warning(FaultCode::PlatformMismatch, platform, evidence);
            }
        }
    }

    /// Checks what the image starts, if it was inspected.
    fn check_program(&mut self, single: &PlatformImage, platform: &Platform, inspection: Option<&Inspection>) {
        if let Some(fault) = program_fault(single, platform, inspection) {
            self.push_fault(fault);
        }
        // An image that cannot be pulled does not start, but it may never be pulled.
        if let Some(InspectionOutcome::Unavailable(reason) | InspectionOutcome::HostDependent(reason)) =
            inspection.map(|inspection| &inspection.outcome)
            && self.verdict != Verdict::Fails
            && inspection.is_none_or(|inspection| inspection.refusal.is_none())
        {
            self.add_unknown(reason);
        }
    }

    /// Checks what an image without a declared runtime starts, except for faults that are normal in data images.
    pub(super) fn check_own_program(
        &mut self,
        single: &PlatformImage,
        platform: &Platform,
        inspection: Option<&Inspection>,
    ) {
        if let Some(fault) = program_fault(single, platform, inspection).filter(|fault| !may_be_data_image(fault)) {
            self.push_fault(fault);
        }
        // Without a declared runtime, only what nothing can pull is a fault, and images of data are never run.
        let of_layers = inspection.and_then(|inspection| inspection.refusal.as_ref());
        let refusals = [single.refusal.as_ref(), of_layers].into_iter().flatten();
        if let Some(refusal) = refusals.into_iter().find(|refusal| refusal.refused_by == RefusedBy::Everyone)
            && !single.shown_command.is_empty()
        {
            self.check_refusal(Service::Linux, Some(platform), Some(refusal));
        }
    }

    /// Checks for layer formats that the service rejects. If that depends on the host's version, it is unknown.
    fn check_layer_formats(&mut self, runtime: Runtime, platform: &Platform, single: &PlatformImage) {
        let has = |compression| single.layers.iter().any(|layer| layer.compression == compression);
        match (runtime.profile().service, single.family) {
            // <https://github.com/aws/aws-sam-cli/issues/5834> and others: Lambda's `UnsupportedImageLayerDetected`.
            (Service::Lambda, MediaTypeFamily::Docker) if has(Compression::None) => {
                let evidence = "it has an uncompressed layer under Docker's media types".to_owned();
                self.add_fault(FaultCode::LayerFormatRefused, Some(platform), evidence);
            }
            (Service::Lambda | Service::AppRunner, _) if has(Compression::Zstd) => {
                self.add_unknown("it has zstd layers, and the service is not documented to accept them");
            }
            // containerd knows Docker's type for zstd since 2.0 (containerd/containerd#9859); Podman and Docker
            // Engine without the containerd image store do not.
            (_, MediaTypeFamily::Docker) if has(Compression::Zstd) => {
                self.add_unknown("it has zstd layers under Docker's media types, which only newer hosts accept");
            }
            _ => {}
        }
    }

    pub(super) fn check_index(&mut self, runtime: Runtime, entries: &[IndexEntry], inspections: &[Inspection]) {
        // Clients pull the first compatible entry.
        let is_compatible = |platform| runtime.compatibility_with(platform) == Compatibility::Compatible;
        let Some(entry) = entries.iter().find(|entry| is_compatible(&entry.platform)) else {
            return self.check_incompatible_entries(runtime, entries);
        };
        let target = InspectionTarget::for_runtime(runtime);
        let inspection = entry.image().and_then(|single| find_inspection(inspections, single, target));
        self.record_inspection(inspection);
        match &entry.child {
            IndexChild::NotRead => {}
            IndexChild::Unavailable(reason) => self.add_unknown(reason),
            IndexChild::Read(single) => {
                // The index names the platform, but only the config shows that the entry is an image.
                single.config_error.iter().for_each(|reason| self.add_unknown(reason));
                self.check_descriptor(entry, inspection);
                self.check_layer_formats(runtime, &entry.platform, single);
                self.check_program(single, &entry.platform, inspection);
                self.check_image_refusal(runtime.profile().service, single, &entry.platform, inspection);
            }
        }
        self.check_identical_layers(entry, entries, inspection, inspections);
    }

    /// Checks an index without an entry that certainly suits the runtime.
    fn check_incompatible_entries(&mut self, runtime: Runtime, entries: &[IndexEntry]) {
        let compatibility = |entry: &IndexEntry| runtime.compatibility_with(&entry.platform);
        let unknown = entries.iter().find_map(|entry| match (compatibility(entry), &entry.child) {
            (
                Compatibility::Unknown(_),
                IndexChild::Unavailable(reason) | IndexChild::Read(PlatformImage { config_error: Some(reason), .. }),
            ) => Some(reason.clone()),
            (Compatibility::Unknown(reason), _) => Some(format!("the index has {}: {reason}", entry.platform)),
            _ => None,
        });
        if let Some(reason) = unknown {
            self.add_unknown(reason);
        } else if !entries.is_empty() && entries.iter().all(|entry| compatibility(entry) == Compatibility::WrongOs) {
            let evidence = format!("the index has {}, but nothing for Linux", format_platforms(entries));
            self.add_fault(FaultCode::WrongOs, Some(&entries[0].platform), evidence);
        } else {
            let evidence = format!("the index has {}, but not {}", format_platforms(entries), runtime.platform());
            self.add_fault(FaultCode::PlatformMissing, None, evidence);
        }
    }

    /// Checks an index entry against the config of its image. containerd and Docker select an entry by its descriptor
    /// alone, so if the program certainly starts, only the operating system in the config may stop it.
    pub(super) fn check_descriptor(&mut self, entry: &IndexEntry, inspection: Option<&Inspection>) {
        let Some(single) = entry.image() else { return };
        let IndexEntry { platform, digest, .. } = entry;
        if !platform.contradicts(&single.platform) {
            return;
        }
        let declared = &single.platform;
        let evidence = format!("the index lists {} as {platform}, but its config declares {declared}", digest.short());
        let is_other_os = !matches!(declared.os(), "" | "linux");
        match (self.certainly_starts(inspection), is_other_os) {
            (true, true) => self.add_unknown(format!("{evidence}: {OS_REFUSAL}")),
            (true, false) => self.add_warning(FaultCode::DescriptorMismatch, declared, evidence),
            (false, _) => self.add_fault(FaultCode::DescriptorMismatch, Some(declared), evidence),
        }
    }

    /// Checks for another architecture in the index with the same layers and process: a fault if the program certainly
    /// starts on one of them, or is certainly for another one than this, otherwise unknown. An entry whose program is
    /// known to start or to fail for another reason is not checked.
    pub(super) fn check_identical_layers(
        &mut self,
        entry: &IndexEntry,
        entries: &[IndexEntry],
        inspection: Option<&Inspection>,
        inspections: &[Inspection],
    ) {
        let is_mismatch = self.faults.iter().any(|fault| fault.code == FaultCode::PlatformMismatch);
        if inspection.is_some_and(|inspection| inspection.starts().is_some()) && !is_mismatch {
            return;
        }
        let Some(other) = entries.iter().find(|other| have_identical_layers(entry, other)) else { return };
        let target = InspectionTarget::for_platform(&other.platform);
        let of_other = other.image().and_then(|single| find_inspection(inspections, single, target));
        let starts_on_other = of_other
            .is_some_and(|inspection| inspection.starts() == Some(true) && inspection.not_verified_reason().is_none());
        let (one, other) = (&entry.platform, &other.platform);
        let evidence = format!("{one} and {other} have the same layers, and at most one of them can start");
        if is_mismatch || starts_on_other {
            self.add_fault(FaultCode::IdenticalLayers, Some(one), evidence);
        } else {
            self.add_unknown(evidence);
        }
    }
}

fn program_fault(single: &PlatformImage, platform: &Platform, inspection: Option<&Inspection>) -> Option<Fault> {
    detect_exec_fault(inspection?, platform, &single.process.build_hints)
}

/// Returns whether two entries of an index declare different architectures but have the same layers and start the same
/// command in the same way. Images without a command are exempt: they start nothing, and images that only carry data may
/// be the same for all platforms.
fn have_identical_layers(a: &IndexEntry, b: &IndexEntry) -> bool {
    let (one, other) = (a.platform.architecture(), b.platform.architecture());
    let differ = a.platform.is_known()
        && b.platform.is_known()
        && a.platform.os() == b.platform.os()
        && one != other
        && !COMPATIBLE_ARCHITECTURES.contains(&(one, other))
        && !COMPATIBLE_ARCHITECTURES.contains(&(other, one));
    let (Some(one), Some(other)) = (a.image(), b.image()) else { return differ && a.digest == b.digest };
    let digests = |single: &PlatformImage| single.layers.iter().map(|layer| layer.digest.clone()).collect::<Vec<_>>();
    // Another command, `PATH`, directory or user may start another program in the same layers.
    let start = |single: &PlatformImage| {
        let ProcessConfig { argv, path, working_directory, user, .. } = single.process.clone();
        (argv, path, working_directory, user)
    };
    let is_config_read = |single: &PlatformImage| single.platform != Platform::default();
    let is_same_start = match (is_config_read(one), is_config_read(other)) {
        (true, true) => !one.shown_command.is_empty() && start(one) == start(other),
        // The configs of platforms that no runtime needs are not read.
        _ => !one.shown_command.is_empty() || !other.shown_command.is_empty(),
    };
    differ && is_same_start && !one.layers.is_empty() && digests(one) == digests(other)
}

/// Formats the platforms of an index for a sentence.
pub(super) fn format_platforms(entries: &[IndexEntry]) -> String {
    /// The maximum number of platforms in a sentence.
    const MAX_LISTED_PLATFORMS: usize = 8;
    let mut names: Vec<String> = entries.iter().map(|entry| entry.platform.to_string()).collect();
    names.dedup();
    let more = names.len().saturating_sub(MAX_LISTED_PLATFORMS);
    names.truncate(MAX_LISTED_PLATFORMS);
    match (names.is_empty(), more) {
        (true, _) => "no image".to_owned(),
        (_, 0) => names.join(", "),
        (_, more) => format!("{} and {more} more", names.join(", ")),
    }
}
