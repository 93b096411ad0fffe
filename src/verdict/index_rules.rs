//! The rules that check an index and its entries against one runtime.

use super::exec_faults::find_inspection;
use super::fault::FaultCode;
use super::finding::Finding;
use super::rules::OS_REFUSAL;
use crate::inspect::{Inspection, InspectionTarget};
use crate::oci::{IndexChild, IndexEntry, PlatformImage, ProcessConfig};
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime};

/// Pairs of architectures: programs for the second also start on the first, if the host supports them.
const COMPATIBLE_ARCHITECTURES: [(&str, &str); 2] = [("amd64", "386"), ("arm64", "arm")];

impl Finding {
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
        match (Self::certainly_starts(inspection), is_other_os) {
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
        let starts_on_other = Self::certainly_starts(of_other);
        let (one, other) = (&entry.platform, &other.platform);
        let evidence = format!("{one} and {other} have the same layers, and at most one of them can start");
        if is_mismatch || starts_on_other {
            self.add_fault(FaultCode::IdenticalLayers, Some(one), evidence);
        } else {
            self.add_unknown(evidence);
        }
    }
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
