//! Which images are to be inspected, and for which processors: only those that a verdict depends on.
//!
//! Does not read anything.

use crate::exec::Processor;
use crate::image::{Content, Image, Single};
use crate::platform::Platform;
use crate::runtime::{Fit, Runtime};

/// The images, each once, with the processors that they are to start on.
pub(super) fn wanted<'a>(runtimes: &[Runtime], image: &'a Image) -> Vec<(&'a Single, Vec<Processor>)> {
    let mut wanted: Vec<(&Single, Vec<Processor>)> = Vec::new();
    let mut add = |single: &'a Single, architecture: &str| {
        let Some(processor) = Processor::of(architecture) else { return };
        match wanted.iter().position(|(known, _)| known.digest == single.digest) {
            Some(at) if wanted[at].1.contains(&processor) => {}
            Some(at) => wanted[at].1.push(processor),
            None => wanted.push((single, vec![processor])),
        }
    };
    match &image.content {
        Content::Single(single) if runtimes.is_empty() => label(single, &single.platform, &mut add),
        Content::Single(single) => {
            // A platform that does not suit is looked at all the same: the label may be what is wrong.
            for runtime in runtimes.iter().filter(|runtime| runtime.fit(&single.platform) != Fit::OtherOs) {
                add(single, runtime.profile().architecture);
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
                    add(single, runtime.profile().architecture);
                }
            }
        }
        Content::Artifact(_) | Content::Attestation | Content::Unreadable(_) => {}
    }
    wanted
}

/// Without a runtime, an image is held against its own label.
fn label<'a>(single: &'a Single, platform: &Platform, add: &mut impl FnMut(&'a Single, &str)) {
    if platform.os() == "linux" {
        add(single, platform.architecture());
    }
}
