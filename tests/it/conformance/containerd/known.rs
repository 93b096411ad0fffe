//! The disagreements that are known, by cause. Each is work to do: if one is fixed, its test fails until it is removed
//! from this list.

use super::Compared;
use super::outcome::{Disagreement, Outcome};

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
    Known {
        cause: "a user or group that is not defined",
        recognize: |one| ["no users found", "no groups found"].iter().any(|words| is_said(one, words)),
    },
    Known {
        cause: "a working directory that cannot be created",
        recognize: |one| is_said(one, "container init: mkdir "),
    },
    Known { cause: "a file at a mount point", recognize: |one| is_said(one, "error mounting") },
    // That runc starts nothing is unknown, so only another certain failure is predicted.
    Known {
        cause: "a link without a target at /dev",
        recognize: |one| one.disagreement == Some(Disagreement::OtherError) && is_said(one, "error setting up ptmx"),
    },
    Known {
        cause: "/etc/passwd or /etc/group cannot be read",
        recognize: |one| ["/passwd: ", "/group: "].iter().any(|file| is_said(one, file)),
    },
    Known { cause: "a relative WORKDIR", recognize: |one| is_said(one, "Cwd must be an absolute path") },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::KNOWN;

    /// The causes in the tables of realistic images.
    fn causes_in_tables(root: &Path) -> BTreeSet<String> {
        let files = fs::read_dir(root.join("tests/it/conformance/containerd/patterns")).unwrap();
        let texts: Vec<String> = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        let lines = texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("? "));
        let causes = lines.filter_map(|line| line.split_once(" !! ")?.1.split_once("; predicted "));
        causes.map(|(cause, _)| cause.to_owned()).collect()
    }

    #[test]
    fn causes_are_documented() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = fs::read_to_string(root.join("docs/how-it-works.md")).unwrap();
        let section = page.split("\n## ").find(|section| section.starts_with("Known disagreements")).unwrap();
        let documented: BTreeSet<String> =
            section.split("**").skip(1).step_by(2).map(|cause| cause.replace('\n', " ").replace("  ", " ")).collect();
        let mut causes = causes_in_tables(root);
        causes.extend(KNOWN.iter().map(|known| known.cause.to_owned()));
        assert_eq!(documented, causes);
    }
}
