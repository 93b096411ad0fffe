//! The rules: one image, or one entry of an index, against one runtime.
//!
//! Does not know who declared the runtime.

use super::exec_faults;
use super::identical_layers::have_identical_layers;
use super::{FaultCode, Finding, Verdict};
use crate::inspect::{Inspection, InspectionOutcome, InspectionTarget};
use crate::oci::{Compression, IndexChild, IndexEntry, MediaTypeFamily, PlatformImage};
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime, Service};

impl Finding {
    pub(super) fn reject_attestation(&mut self) {
        let evidence = "the tag points at an attestation, which holds no program".to_owned();
        self.add_fault(FaultCode::AttestationTagged, None, evidence);
    }

    /// A single image.
    pub(super) fn check_single(&mut self, runtime: Runtime, single: &PlatformImage, seen: Option<&Inspection>) {
        let platform = &single.platform;
        let made_for = || format!("the image is made for {platform}, not {}", runtime.platform());
        let starts = seen.and_then(Inspection::starts);
        let is_other = platform.is_known() && platform.architecture() != runtime.profile().architecture;
        match (runtime.compatibility_with(platform), &single.config_error) {
            (Compatibility::Compatible, _) => self.check_program(single, platform, seen),
            (Compatibility::WrongOs, _) => self.add_fault(FaultCode::WrongOs, Some(platform), made_for()),
            // A single image is started without a look at its label; so what starts there is no fault, but the label is.
            (Compatibility::WrongArchitecture | Compatibility::Unknown(_), _) if starts == Some(true) && is_other => {
                let evidence = format!("its label says {platform}, but its programs are for {}", runtime.platform());
                self.add_fault(FaultCode::PlatformMismatch, Some(platform), evidence);
            }
            (Compatibility::WrongArchitecture, _) => {
                self.add_fault(FaultCode::WrongArchitecture, Some(platform), made_for());
                self.check_program(single, platform, seen);
                // Of the same fault, the label is the evidence, and the program tells how it would show.
                if let [.., label, program] = self.faults.as_mut_slice()
                    && label.code == program.code
                {
                    label.failed_program = program.failed_program.take();
                    self.faults.pop();
                }
            }
            // What kind of the same processor it needs, no program tells.
            (Compatibility::Unknown(_), _) if starts == Some(false) || starts == Some(true) && !platform.is_known() => {
                self.check_program(single, platform, seen);
            }
            (Compatibility::Unknown(_), Some(reason)) => self.add_unknown(reason.clone()),
            (Compatibility::Unknown(reason), None) => {
                self.add_unknown(format!("the image claims {platform}: {reason}"))
            }
        }
        self.check_layer_formats(runtime, platform, single);
    }

    /// What the image starts, as far as it was looked at.
    fn check_program(&mut self, single: &PlatformImage, platform: &Platform, seen: Option<&Inspection>) {
        if let Some(fault) =
            seen.and_then(|seen| exec_faults::detect_exec_fault(seen, platform, &single.process.build_hints))
        {
            self.verdict = Verdict::Fails;
            self.faults.push(fault);
        }
        // What cannot be pulled does not start; whether it will ever be pulled is not known here.
        if let (Some(InspectionOutcome::Unavailable(reason)), true) =
            (seen.map(|seen| &seen.outcome), self.verdict != Verdict::Fails)
        {
            self.add_unknown(reason.clone());
        }
    }

    /// The same where no runtime is declared, but for what an image that only holds data may well have.
    pub(super) fn check_own_program(
        &mut self,
        single: Option<&PlatformImage>,
        platform: &Platform,
        seen: Option<&Inspection>,
    ) {
        let Some(single) = single else { return };
        let fault = seen.and_then(|seen| exec_faults::detect_exec_fault(seen, platform, &single.process.build_hints));
        if let Some(fault) = fault.filter(|fault| !exec_faults::may_be_data_image(fault)) {
            self.verdict = Verdict::Fails;
            self.faults.push(fault);
        }
    }

    /// The layer formats that a service refuses, as far as that is certain; where it depends on a version that is not
    /// stated, it is unknown.
    fn check_layer_formats(&mut self, runtime: Runtime, platform: &Platform, single: &PlatformImage) {
        let has = |compression| single.layers.iter().any(|layer| layer.compression == compression);
        let service = runtime.profile().service;
        match (service, single.family) {
            // <https://github.com/aws/aws-sam-cli/issues/5834> and others: Lambda's `UnsupportedImageLayerDetected`.
            (Service::Lambda, MediaTypeFamily::Docker) if has(Compression::None) => {
                let evidence = "it has an uncompressed layer under Docker's media types".to_owned();
                self.add_fault(FaultCode::LayerFormatRefused, Some(platform), evidence);
            }
            (Service::Lambda | Service::AppRunner, _) if has(Compression::Zstd) => {
                self.add_unknown("it has zstd layers, which this service is not documented to take".to_owned());
            }
            // containerd knows Docker's type for zstd since 2.0 (containerd/containerd#9859); Podman and Docker
            // Engine without the containerd image store do not.
            (_, MediaTypeFamily::Docker) if has(Compression::Zstd) => {
                self.add_unknown(
                    "it has zstd layers under Docker's media types, which only newer hosts take".to_owned(),
                );
            }
            _ => {}
        }
    }

    pub(super) fn check_index(
        &mut self,
        runtime: Runtime,
        intended: &[Runtime],
        entries: &[IndexEntry],
        inspections: &[Inspection],
    ) {
        // A client takes the first that suits; the rest are alternatives.
        if let Some(entry) =
            entries.iter().find(|entry| runtime.compatibility_with(&entry.platform) == Compatibility::Compatible)
        {
            let single = entry.image();
            let seen = single.and_then(|single| {
                exec_faults::find_inspection(inspections, single, InspectionTarget::for_runtime(runtime))
            });
            return self.check_selected_entry(runtime, intended, entry, entries, seen);
        }
        let perhaps =
            entries.iter().find_map(|entry| match (runtime.compatibility_with(&entry.platform), &entry.child) {
                (
                    Compatibility::Unknown(_),
                    IndexChild::Unavailable(reason)
                    | IndexChild::Read(PlatformImage { config_error: Some(reason), .. }),
                ) => Some(reason.clone()),
                (Compatibility::Unknown(reason), _) => Some(format!("the index offers {}: {reason}", entry.platform)),
                _ => None,
            });
        let other_os = |entry: &IndexEntry| runtime.compatibility_with(&entry.platform) == Compatibility::WrongOs;
        if let Some(reason) = perhaps {
            self.add_unknown(reason);
        } else if !entries.is_empty() && entries.iter().all(other_os) {
            let evidence = format!("the index holds {}, nothing for Linux", format_platforms(entries));
            self.add_fault(FaultCode::WrongOs, Some(&entries[0].platform), evidence);
        } else {
            let evidence = format!("the index holds {}, not {}", format_platforms(entries), runtime.platform());
            self.add_fault(FaultCode::PlatformMissing, None, evidence);
        }
    }

    fn check_selected_entry(
        &mut self,
        runtime: Runtime,
        intended: &[Runtime],
        entry: &IndexEntry,
        entries: &[IndexEntry],
        seen: Option<&Inspection>,
    ) {
        match &entry.child {
            IndexChild::NotRead => {}
            IndexChild::Unavailable(reason) => self.add_unknown(reason.clone()),
            IndexChild::Read(single) => {
                // The index says what it is for, but not whether what it lists is an image.
                single.config_error.iter().for_each(|reason| self.add_unknown(reason.clone()));
                self.check_descriptor(entry);
                self.check_layer_formats(runtime, &entry.platform, single);
                self.check_program(single, &entry.platform, seen);
            }
        }
        // Only one of two platforms with the same files can be right, and which one is not known here. Where both are
        // meant to run it is certain that one fails.
        self.check_identical_layers(entry, entries, seen, |twin| {
            intended.iter().any(|runtime| runtime.compatibility_with(twin) == Compatibility::Compatible)
        });
    }

    /// The index entry against the config of its child.
    pub(super) fn check_descriptor(&mut self, entry: &IndexEntry) {
        let Some(single) = entry.image() else { return };
        if entry.platform.contradicts(&single.platform) {
            let IndexEntry { platform, digest, .. } = entry;
            let evidence =
                format!("the index lists {} as {platform}, but its config says {}", digest.short(), single.platform);
            self.add_fault(FaultCode::DescriptorMismatch, Some(&single.platform), evidence);
        }
    }

    /// Another architecture of the same index with the same files: a fault where `certain`, else a doubt; neither where
    /// this one was seen to start.
    pub(super) fn check_identical_layers(
        &mut self,
        entry: &IndexEntry,
        entries: &[IndexEntry],
        seen: Option<&Inspection>,
        certain: impl Fn(&Platform) -> bool,
    ) {
        let lies = self.faults.iter().any(|fault| fault.code == FaultCode::PlatformMismatch);
        // A program that starts is the right one, and one that fails for another reason tells of that.
        if seen.is_some_and(|seen| seen.starts().is_some()) && !lies {
            return;
        }
        let Some(twin) = entries.iter().find(|other| have_identical_layers(entry, other)) else { return };
        let said =
            format!("{} and {} have the same layers, and at most one of them can start", entry.platform, twin.platform);
        if lies || certain(&twin.platform) {
            self.add_fault(FaultCode::IdenticalLayers, Some(&entry.platform), said);
        } else {
            self.add_unknown(said);
        }
    }
}

pub(super) fn format_platforms(entries: &[IndexEntry]) -> String {
    /// As many as a sentence bears.
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
