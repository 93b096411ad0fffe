//! Which images are to be inspected, and for which sites: only those that a verdict depends on.
//!
//! Does not read anything.

use super::Site;
use crate::exec::Processor;
use crate::oci::{Content, Image, Single};
use crate::platform::Platform;
use crate::runtime::{Fit, Runtime};

/// The images, each once, with the sites that they are to start on.
pub(super) fn wanted<'a>(runtimes: &[Runtime], image: &'a Image) -> Vec<(&'a Single, Vec<Site>)> {
    let mut wanted: Vec<(&Single, Vec<Site>)> = Vec::new();
    let mut add = |single: &'a Single, site: Option<Site>| {
        let Some(site) = site else { return };
        match wanted.iter().position(|(known, _)| known.digest == single.digest) {
            Some(at) if wanted[at].1.contains(&site) => {}
            Some(at) => wanted[at].1.push(site),
            None => wanted.push((single, vec![site])),
        }
    };
    match &image.content {
        Content::Single(single) if runtimes.is_empty() => label(single, &single.platform, &mut add),
        Content::Single(single) => {
            // A platform that does not suit is looked at all the same: the label may be what is wrong.
            for runtime in runtimes.iter().filter(|runtime| runtime.fit(&single.platform) != Fit::OtherOs) {
                add(single, Site::of(*runtime));
            }
        }
        Content::Index(entries) if runtimes.is_empty() => {
            let children = entries.iter().filter_map(|entry| Some((entry.single()?, &entry.platform)));
            children.for_each(|(single, platform)| label(single, platform, &mut add));
        }
        Content::Index(entries) => {
            for runtime in runtimes.iter().filter(|runtime| runtime.profile().service.takes_an_index()) {
                let selected = entries.iter().find(|entry| runtime.fit(&entry.platform) == Fit::Suits);
                if let Some(single) = selected.and_then(|entry| entry.single()) {
                    add(single, Site::of(*runtime));
                }
            }
        }
        Content::Artifact(_) | Content::Attestation | Content::Unreadable(_) => {}
    }
    wanted
}

/// Without a runtime, an image is held against its own label.
fn label<'a>(single: &'a Single, platform: &Platform, add: &mut impl FnMut(&'a Single, Option<Site>)) {
    if platform.os() == "linux" {
        let processor = Processor::of(platform.architecture());
        add(single, processor.map(|processor| Site { processor, is_lambda: false }));
    }
}

/// Every image for Linux, each once, with the processor of the family that its label claims; where the label names
/// another, any will do, since the header of its first program tells.
pub(super) fn labelled(image: &Image) -> Vec<(&Single, Site)> {
    let singles: Vec<&Single> = match &image.content {
        Content::Single(single) => vec![single],
        Content::Index(entries) => entries.iter().filter_map(|entry| entry.single()).collect(),
        Content::Artifact(_) | Content::Attestation | Content::Unreadable(_) => Vec::new(),
    };
    let mut labelled: Vec<(&Single, Site)> = Vec::new();
    for single in singles.into_iter().filter(|single| matches!(single.platform.os(), "" | "linux")) {
        let processor = match single.platform.architecture() {
            "arm64" | "arm" => Processor::Arm64,
            _ => Processor::Amd64,
        };
        if labelled.iter().all(|(known, _)| known.digest != single.digest) {
            labelled.push((single, Site { processor, is_lambda: false }));
        }
    }
    labelled
}
