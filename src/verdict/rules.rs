//! The rules: one image, or one entry of an index, against one runtime.
//!
//! Does not know who declared the runtime.

use super::seen;
use super::twins::are_twins;
use super::{Code, Finding, Verdict};
use crate::inspect::{Inspection, Seen, Site};
use crate::oci::{Child, Compression, Entry, Family, Single};
use crate::platform::Platform;
use crate::runtime::{Fit, Runtime, Service};

impl Finding {
    pub(super) fn attestation(&mut self) {
        let evidence = "the tag points at an attestation, which holds no program".to_owned();
        self.fail(Code::AttestationTagged, None, evidence);
    }

    /// A single image.
    pub(super) fn single(&mut self, runtime: Runtime, single: &Single, seen: Option<&Inspection>) {
        let platform = &single.platform;
        let made_for = || format!("the image is made for {platform}, not {}", runtime.platform());
        let starts = seen.and_then(Inspection::starts);
        let is_other = platform.is_known() && platform.architecture() != runtime.profile().architecture;
        match (runtime.fit(platform), &single.unread) {
            (Fit::Suits, _) => self.program(single, platform, seen),
            (Fit::OtherOs, _) => self.fail(Code::WrongOs, Some(platform), made_for()),
            // A single image is started without a look at its label; so what starts there is no fault, but the label is.
            (Fit::OtherArchitecture | Fit::Unclear(_), _) if starts == Some(true) && is_other => {
                let evidence = format!("its label says {platform}, but its programs are for {}", runtime.platform());
                self.fail(Code::LabelLies, Some(platform), evidence);
            }
            (Fit::OtherArchitecture, _) => {
                self.fail(Code::WrongArchitecture, Some(platform), made_for());
                self.program(single, platform, seen);
                // Of the same fault, the label is the evidence, and the program tells how it would show.
                if let [.., label, program] = self.faults.as_mut_slice()
                    && label.code == program.code
                {
                    label.trouble = program.trouble.take();
                    self.faults.pop();
                }
            }
            // What kind of the same processor it needs, no program tells.
            (Fit::Unclear(_), _) if starts == Some(false) || starts == Some(true) && !platform.is_known() => {
                self.program(single, platform, seen);
            }
            (Fit::Unclear(_), Some(reason)) => self.doubt(reason.clone()),
            (Fit::Unclear(reason), None) => self.doubt(format!("the image claims {platform}: {reason}")),
        }
        self.layers(runtime, platform, single);
    }

    /// What the image starts, as far as it was looked at.
    fn program(&mut self, single: &Single, platform: &Platform, seen: Option<&Inspection>) {
        if let Some(fault) = seen.and_then(|seen| seen::fault(seen, platform, &single.process.traces)) {
            self.verdict = Verdict::Fails;
            self.faults.push(fault);
        }
        // What cannot be pulled does not start; whether it will ever be pulled is not known here.
        if let (Some(Seen::Lost(reason)), true) = (seen.map(|seen| &seen.seen), self.verdict != Verdict::Fails) {
            self.doubt(reason.clone());
        }
    }

    /// The same where no runtime is declared, but for what an image that only holds data may well have.
    pub(super) fn own_label(&mut self, single: Option<&Single>, platform: &Platform, seen: Option<&Inspection>) {
        let Some(single) = single else { return };
        let fault = seen.and_then(|seen| seen::fault(seen, platform, &single.process.traces));
        if let Some(fault) = fault.filter(|fault| !seen::may_be_data(fault)) {
            self.verdict = Verdict::Fails;
            self.faults.push(fault);
        }
    }

    /// The layer formats that a service refuses, as far as that is certain; where it depends on a version that is not
    /// stated, it is unknown.
    fn layers(&mut self, runtime: Runtime, platform: &Platform, single: &Single) {
        let has = |compression| single.layers.iter().any(|layer| layer.compression == compression);
        let service = runtime.profile().service;
        match (service, single.family) {
            // <https://github.com/aws/aws-sam-cli/issues/5834> and others: Lambda's `UnsupportedImageLayerDetected`.
            (Service::Lambda, Family::Docker) if has(Compression::None) => {
                let evidence = "it has an uncompressed layer under Docker's media types".to_owned();
                self.fail(Code::LayerFormatRefused, Some(platform), evidence);
            }
            (Service::Lambda | Service::AppRunner, _) if has(Compression::Zstd) => {
                self.doubt("it has zstd layers, which this service is not documented to take".to_owned());
            }
            // containerd knows Docker's type for zstd since 2.0 (containerd/containerd#9859); Podman and Docker
            // Engine without the containerd image store do not.
            (_, Family::Docker) if has(Compression::Zstd) => {
                self.doubt("it has zstd layers under Docker's media types, which only newer hosts take".to_owned());
            }
            _ => {}
        }
    }

    pub(super) fn index(
        &mut self,
        runtime: Runtime,
        intended: &[Runtime],
        entries: &[Entry],
        inspections: &[Inspection],
    ) {
        // A client takes the first that suits; the rest are alternatives.
        if let Some(entry) = entries.iter().find(|entry| runtime.fit(&entry.platform) == Fit::Suits) {
            let single = entry.single();
            let seen = single.and_then(|single| seen::of(inspections, single, Site::of(runtime)));
            return self.selected(runtime, intended, entry, entries, seen);
        }
        let perhaps = entries.iter().find_map(|entry| match (runtime.fit(&entry.platform), &entry.child) {
            (Fit::Unclear(_), Child::Missing(reason) | Child::Read(Single { unread: Some(reason), .. })) => {
                Some(reason.clone())
            }
            (Fit::Unclear(reason), _) => Some(format!("the index offers {}: {reason}", entry.platform)),
            _ => None,
        });
        let other_os = |entry: &Entry| runtime.fit(&entry.platform) == Fit::OtherOs;
        if let Some(reason) = perhaps {
            self.doubt(reason);
        } else if !entries.is_empty() && entries.iter().all(other_os) {
            let evidence = format!("the index holds {}, nothing for Linux", list(entries));
            self.fail(Code::WrongOs, Some(&entries[0].platform), evidence);
        } else {
            let evidence = format!("the index holds {}, not {}", list(entries), runtime.platform());
            self.fail(Code::PlatformMissing, None, evidence);
        }
    }

    fn selected(
        &mut self,
        runtime: Runtime,
        intended: &[Runtime],
        entry: &Entry,
        entries: &[Entry],
        seen: Option<&Inspection>,
    ) {
        match &entry.child {
            Child::Unread => {}
            Child::Missing(reason) => self.doubt(reason.clone()),
            Child::Read(single) => {
                // The index says what it is for, but not whether what it lists is an image.
                single.unread.iter().for_each(|reason| self.doubt(reason.clone()));
                self.descriptor(entry);
                self.layers(runtime, &entry.platform, single);
                self.program(single, &entry.platform, seen);
            }
        }
        // Only one of two platforms with the same files can be right, and which one is not known here. Where both are
        // meant to run it is certain that one fails.
        self.twins(entry, entries, seen, |twin| intended.iter().any(|runtime| runtime.fit(twin) == Fit::Suits));
    }

    /// The index entry against the config of its child.
    pub(super) fn descriptor(&mut self, entry: &Entry) {
        let Some(single) = entry.single() else { return };
        if entry.platform.contradicts(&single.platform) {
            let Entry { platform, digest, .. } = entry;
            let evidence =
                format!("the index lists {} as {platform}, but its config says {}", digest.short(), single.platform);
            self.fail(Code::DescriptorLies, Some(&single.platform), evidence);
        }
    }

    /// Another architecture of the same index with the same files: a fault where `certain`, else a doubt; neither where
    /// this one was seen to start.
    pub(super) fn twins(
        &mut self,
        entry: &Entry,
        entries: &[Entry],
        seen: Option<&Inspection>,
        certain: impl Fn(&Platform) -> bool,
    ) {
        let lies = self.faults.iter().any(|fault| fault.code == Code::LabelLies);
        // A program that starts is the right one, and one that fails for another reason tells of that.
        if seen.is_some_and(|seen| seen.starts().is_some()) && !lies {
            return;
        }
        let Some(twin) = entries.iter().find(|other| are_twins(entry, other)) else { return };
        let said =
            format!("{} and {} have the same layers, and at most one of them can start", entry.platform, twin.platform);
        if lies || certain(&twin.platform) {
            self.fail(Code::IdenticalLayers, Some(&entry.platform), said);
        } else {
            self.doubt(said);
        }
    }
}

pub(super) fn list(entries: &[Entry]) -> String {
    /// As many as a sentence bears.
    const MOST: usize = 8;
    let mut names: Vec<String> = entries.iter().map(|entry| entry.platform.to_string()).collect();
    names.dedup();
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    match (names.is_empty(), more) {
        (true, _) => "no image".to_owned(),
        (_, 0) => names.join(", "),
        (_, more) => format!("{} and {more} more", names.join(", ")),
    }
}
