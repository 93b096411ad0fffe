//! The rules: one image, or one entry of an index, against one runtime.
//!
//! Does not know who declared the runtime.

use super::twins::are_twins;
use super::{Code, Finding};
use crate::image::{Child, Compression, Entry, Family, Single};
use crate::platform::Platform;
use crate::runtime::{Fit, Runtime, Service};

impl Finding {
    pub(super) fn attestation(&mut self) {
        let evidence = "the tag points at an attestation, which holds no program".to_owned();
        self.fail(Code::AttestationTagged, None, evidence);
    }

    /// A single image, or the child of an index that the runtime selects as being of this platform.
    pub(super) fn single(&mut self, runtime: Runtime, platform: &Platform, single: &Single) {
        let made_for = || format!("the image is made for {platform}, not {}", runtime.platform());
        match (runtime.fit(platform), &single.unread) {
            (Fit::Suits, _) => {}
            (Fit::OtherOs, _) => self.fail(Code::WrongOs, Some(platform), made_for()),
            (Fit::OtherArchitecture, _) => self.fail(Code::WrongArchitecture, Some(platform), made_for()),
            (Fit::Unclear(_), Some(reason)) => self.doubt(reason.clone()),
            (Fit::Unclear(reason), None) => self.doubt(format!("the image claims {platform}: {reason}")),
        }
        self.layers(runtime, platform, single);
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

    pub(super) fn index(&mut self, runtime: Runtime, intended: &[Runtime], entries: &[Entry]) {
        // A client takes the first that suits; the rest are alternatives.
        if let Some(entry) = entries.iter().find(|entry| runtime.fit(&entry.platform) == Fit::Suits) {
            return self.selected(runtime, intended, entry, entries);
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

    fn selected(&mut self, runtime: Runtime, intended: &[Runtime], entry: &Entry, entries: &[Entry]) {
        match &entry.child {
            Child::Unread => {}
            Child::Missing(reason) => self.doubt(reason.clone()),
            Child::Read(single) => {
                self.descriptor(entry);
                self.layers(runtime, &entry.platform, single);
            }
        }
        // Only one of two platforms with the same files can be right, and which one is not known here. Where both are
        // meant to run it is certain that one fails.
        self.twins(entry, entries, |twin| intended.iter().any(|runtime| runtime.fit(twin) == Fit::Suits));
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

    /// Another architecture of the same index with the same files: a fault where `certain`, else a doubt.
    pub(super) fn twins(&mut self, entry: &Entry, entries: &[Entry], certain: impl Fn(&Platform) -> bool) {
        let Some(twin) = entries.iter().find(|other| are_twins(entry, other)) else { return };
        let said =
            format!("{} and {} have the same layers, and at most one of them can start", entry.platform, twin.platform);
        if certain(&twin.platform) {
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
