//! The disagreements that are known, by cause. Each is work to do: if one is fixed, its test fails until it is removed
//! from this list.

use std::collections::BTreeSet;

use ecr_preflight::rootfs::Permissions;

use super::Compared;
use super::image::Image;
use super::outcome::Outcome;
use crate::conformance::kernel::tree::OPEN;
use crate::conformance::umoci::layer::EntryKind;

/// A cause, and how it is recognized.
pub struct Known {
    pub cause: &'static str,
    pub recognize: fn(&Compared) -> bool,
}

/// Whether what happened was this refusal.
fn is_said(one: &Compared, words: &str) -> bool {
    match &one.outcome {
        Outcome::Refused(said) | Outcome::NotStarted(said) => said.contains(words),
        _ => false,
    }
}

/// Whether a layer has an entry without an entry for its directory.
fn has_entry_without_directory(image: &Image) -> bool {
    image.layers.iter().any(|layer| {
        let mut directories = BTreeSet::new();
        layer.0.iter().any(|(path, _, what)| {
            let lacks = path.rsplit_once('/').is_some_and(|(above, _)| !directories.contains(above));
            if matches!(what, EntryKind::Directory | EntryKind::Opaque) {
                directories.insert(path.as_str());
            }
            lacks
        })
    })
}

fn has(image: &Image, is_wanted: impl Fn(&(String, Permissions, EntryKind)) -> bool) -> bool {
    image.layers.iter().any(|layer| layer.0.iter().any(&is_wanted))
}

/// Whether a layer has an opaque marker in what is a file before.
fn has_opaque_file(image: &Image) -> bool {
    let is_file = |path: &str| {
        has(image, |(other, _, what)| other == path && !matches!(what, EntryKind::Directory | EntryKind::Opaque))
    };
    has(image, |(path, _, what)| matches!(what, EntryKind::Opaque) && is_file(path))
}

/// The causes; the first that is recognized counts.
pub const KNOWN: &[Known] = &[
    Known {
        cause: "a hard link to a file that is not in the same layer",
        recognize: |one| is_said(one, "failed to extract layer  link "),
    },
    Known {
        cause: "a directory whose times cannot be set, because the layer replaces what is above it",
        recognize: |one| is_said(one, "UtimesNanoAt"),
    },
    Known {
        cause: "a whiteout of what the same layer has",
        recognize: |one| is_said(one, "failed to convert whiteout file"),
    },
    Known {
        cause: "an entry below what is a file in the same layer",
        recognize: |one| is_said(one, "failed to extract layer") && is_said(one, "not a directory"),
    },
    Known { cause: "a USER that /etc/passwd does not name", recognize: |one| is_said(one, "no users found") },
    Known { cause: "a group that /etc/group does not name", recognize: |one| is_said(one, "no groups found") },
    Known {
        cause: "/etc/passwd or /etc/group cannot be read",
        recognize: |one| ["etc/passwd: ", "etc/group: "].iter().any(|file| is_said(one, file)),
    },
    Known { cause: "a relative WORKDIR", recognize: |one| is_said(one, "Cwd must be an absolute path") },
    Known { cause: "a WORKDIR that is a file or a link", recognize: |one| is_said(one, "container init: mkdir") },
    Known { cause: "links and files at mount points", recognize: |one| is_said(one, "error mounting") },
    Known { cause: "entries without their directories", recognize: |one| has_entry_without_directory(&one.image) },
    Known { cause: "an opaque marker in what was a file", recognize: |one| has_opaque_file(&one.image) },
    Known {
        cause: "a hard link's own mode, which its file gets",
        recognize: |one| has(&one.image, |(_, owner, what)| matches!(what, EntryKind::HardLink(_)) && *owner != OPEN),
    },
    Known {
        cause: "the device 0/0, which is a whiteout",
        recognize: |one| has(&one.image, |(.., what)| matches!(what, EntryKind::Device)),
    },
];
