//! The disagreements that are known, by cause. Each is work to do: if one is fixed, its test fails until it is removed
//! from this list.

use std::collections::BTreeSet;

use super::Compared;
use super::image::Image;
use super::outcome::Outcome;
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

/// The causes; the first that is recognized counts.
pub const KNOWN: &[Known] = &[
    Known {
        cause: "a hard link to a file that is not in the same layer",
        recognize: |one| is_said(one, "failed to extract layer") && is_said(one, "link "),
    },
    Known {
        cause: "a directory with entries that the same layer replaces: its times cannot be set",
        recognize: |one| is_said(one, "UtimesNanoAt"),
    },
    Known { cause: "another refusal of a layer", recognize: |one| is_said(one, "failed to extract layer") },
    Known { cause: "a user that /etc/passwd does not name", recognize: |one| is_said(one, "no users found") },
    Known { cause: "a group that /etc/group does not name", recognize: |one| is_said(one, "no groups found") },
    Known { cause: "a user without /etc/passwd", recognize: |one| is_said(one, "etc/passwd: ") },
    Known { cause: "a group without /etc/group", recognize: |one| is_said(one, "etc/group: ") },
    Known { cause: "a relative working directory", recognize: |one| is_said(one, "Cwd must be an absolute path") },
    Known { cause: "what cannot be mounted over", recognize: |one| is_said(one, "error mounting") },
    Known { cause: "entries without their directories", recognize: |one| has_entry_without_directory(&one.image) },
];
