//! The disagreements that are known, by cause. Each is work to do: if one is fixed, its test fails until it is removed
//! from this list.

use super::Compared;
use super::outcome::Outcome;

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

/// The causes; the first that is recognized counts.
pub const KNOWN: &[Known] = &[
    // What starts is often known before the lower layers are read.
    Known { cause: "a layer that was not read is refused", recognize: |one| is_said(one, "failed to extract layer") },
    // The container runtime reports these first, and the prediction is an error that comes later.
    Known { cause: "a group that /etc/group does not name", recognize: |one| is_said(one, "no groups found") },
    Known {
        cause: "/etc/passwd or /etc/group cannot be read",
        recognize: |one| ["/passwd: ", "/group: "].iter().any(|file| is_said(one, file)),
    },
    Known { cause: "a relative WORKDIR", recognize: |one| is_said(one, "Cwd must be an absolute path") },
];
