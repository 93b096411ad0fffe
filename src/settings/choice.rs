//! The settings with a fixed set of values, and the names of the values.

/// How far an image is read. Each step trusts less and makes more requests to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InspectionDepth {
    /// The platforms that an index declares are trusted. The config of a single image is read, because only it names the
    /// platform.
    Manifest,
    /// The children of an index are compared, and the configs of those that matter are read.
    Config,
    /// The programs in the layers are inspected too.
    Program,
}

/// Which images get verdict tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictTags {
    /// None.
    Never,
    /// Images that fail.
    Failures,
    /// Images that fail and images that run. An unknown verdict is never tagged, and neither is an image that runs by its
    /// declared platform while its layers could not be read in time: a tag is never removed.
    All,
}

/// The values of a setting, each with its name.
pub(super) type Choices<T, const N: usize> = [(&'static str, T); N];

pub(super) const INSPECTION_DEPTHS: Choices<InspectionDepth, 3> = [
    ("manifest", InspectionDepth::Manifest),
    ("config", InspectionDepth::Config),
    ("program", InspectionDepth::Program),
];

pub(super) const VERDICT_TAGS: Choices<VerdictTags, 3> =
    [("never", VerdictTags::Never), ("failures", VerdictTags::Failures), ("all", VerdictTags::All)];

/// Whether image tags are read for declarations.
pub(super) const IMAGE_TAGS: Choices<bool, 2> = [("read", true), ("ignore", false)];

pub(super) const LOG_LEVELS: Choices<tracing::Level, 3> =
    [("error", tracing::Level::ERROR), ("warn", tracing::Level::WARN), ("info", tracing::Level::INFO)];

impl InspectionDepth {
    /// The name, as in `PREFLIGHT_INSPECT`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        INSPECTION_DEPTHS[self as usize].0
    }
}

/// Parses a name in any case. The error is the list of names: `never, failures or all`.
pub(super) fn parse_choice<T: Copy, const N: usize>(name: &str, choices: &Choices<T, N>) -> Result<T, String> {
    let found = choices.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names = choices.map(|(known, _)| known);
        format!("{} or {}", names[..N - 1].join(", "), names[N - 1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inspection_depths_have_their_own_names() {
        for (name, depth) in INSPECTION_DEPTHS {
            assert_eq!(depth.as_str(), name);
        }
    }
}
