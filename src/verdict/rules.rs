//! The rules that check one image against one runtime.

use super::exec_faults::{detect_exec_fault, may_be_data_image};
use super::fault::{Fault, FaultCode};
use super::finding::{Finding, Verdict};
use crate::inspect::{Inspection, InspectionOutcome};
use crate::oci::{Compression, ImageRefusal, MediaTypeFamily, PlatformImage, RefusedBy};
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime, Service};

/// Why it is unknown whether an image for Linux starts that declares another operating system: `platformFromConfig` in
/// Docker's `distribution/config.go` refuses it, and containerd 1.6.20 starts it. ECS uses both, and the other services
/// are not documented.
pub(super) const OS_REFUSAL: &str = "containerd starts such an image, but Docker refuses to pull it";

impl Finding {
    pub(super) fn reject_attestation(&mut self) {
        let evidence = "the tag points at an attestation, which does not contain a program".to_owned();
        self.add_fault(FaultCode::AttestationTagged, None, evidence);
    }

    /// Checks why programs refuse an image: a fault if the service is known to use only such programs. Fargate uses
    /// containerd, and ECS on EC2 uses Docker Engine. It is not documented how other services unpack
    /// images.
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
            Service::AppRunner | Service::Lambda | Service::AgentCore => *refused_by == RefusedBy::Everyone,
        };
        if is_certain {
            self.unknown.retain(|known| known != reason);
            self.add_fault(FaultCode::ImageDamaged, platform, reason.clone());
        } else if self.verdict != Verdict::Fails {
            self.add_unknown(format!("{reason}: {}", refused_by.describe()));
        }
    }

    /// Checks why programs refuse a single image, as its documents and the layers that were read show.
    pub(super) fn check_image_refusal(
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
    /// as its logs with `exec format error` show. What Lambda and AgentCore do is not documented.
    fn check_wrong_platform(&mut self, runtime: Runtime, platform: &Platform) {
        let evidence = format!("the declared platform is {platform}, but its programs are for {}", runtime.platform());
        match (&self.not_verified, runtime.profile().service) {
            (Some(reason), _) => self.add_unknown(format!("{evidence}, as far as they are known: {reason}")),
            (None, Service::Lambda | Service::AgentCore) => {
                self.add_unknown(format!("{evidence}, and the service is not documented to accept that"));
            }
            (None, Service::Ecs | Service::Linux | Service::AppRunner) => {
                self.add_warning(FaultCode::PlatformMismatch, platform, evidence);
            }
        }
    }

    /// Checks what the image starts, if it was inspected.
    pub(super) fn check_program(
        &mut self,
        single: &PlatformImage,
        platform: &Platform,
        inspection: Option<&Inspection>,
    ) {
        if let Some(fault) = program_fault(single, platform, inspection) {
            self.push_fault(fault);
        }
        // An image that cannot be pulled does not start, but it may never be pulled.
        if let Some(Inspection { outcome, refusal: None, .. }) = inspection
            && matches!(outcome, InspectionOutcome::Unavailable(_) | InspectionOutcome::HostDependent(_))
            && self.verdict != Verdict::Fails
        {
            outcome.unknown_reason().into_iter().for_each(|reason| self.add_unknown(reason));
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
    pub(super) fn check_layer_formats(&mut self, runtime: Runtime, platform: &Platform, single: &PlatformImage) {
        let has = |compression| single.layers.iter().any(|layer| layer.compression == compression);
        match (runtime.profile().service, single.family) {
            // <https://github.com/aws/aws-sam-cli/issues/5834> and others: Lambda's `UnsupportedImageLayerDetected`.
            (Service::Lambda, MediaTypeFamily::Docker) if has(Compression::None) => {
                let evidence = "it has an uncompressed layer under Docker's media types".to_owned();
                self.add_fault(FaultCode::LayerFormatRefused, Some(platform), evidence);
            }
            (Service::Lambda | Service::AppRunner | Service::AgentCore, _) if has(Compression::Zstd) => {
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
}

fn program_fault(single: &PlatformImage, platform: &Platform, inspection: Option<&Inspection>) -> Option<Fault> {
    detect_exec_fault(inspection?, platform, &single.process.build_hints)
}
