//! The settings that have a fixed set of values.

/// How far an image is read. Each level trusts less and sends more requests to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InspectionDepth {
    /// The platforms in an index are trusted. The config of a single image is read, because only it names the platform.
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
    /// Images that fail and images that run. Because tags are never removed, an image does not get a tag if its verdict
    /// is unknown, or if it runs by its declared platform but its layers could not be read.
    All,
}

/// What a gate does if an image certainly does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateMode {
    /// It lets the deployment pass, and says that it would have stopped it.
    Warn,
    /// It stops the deployment.
    Fail,
}

/// Whether pushes are judged by what runs their images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerUse {
    /// No. The table is not read.
    Off,
    /// Yes. If what runs an image cannot be read, it is judged without, and the report says so.
    On,
    /// Yes. If what runs an image cannot be read, the event fails and is delivered again.
    Required,
}

/// The values of a setting, each with its name.
pub(super) type Choices<T, const N: usize> = [(&'static str, T); N];

pub(super) const DEPTHS: Choices<InspectionDepth, 3> = [
    ("manifest", InspectionDepth::Manifest),
    ("config", InspectionDepth::Config),
    ("program", InspectionDepth::Program),
];

pub(super) const VERDICT_TAGS: Choices<VerdictTags, 3> =
    [("never", VerdictTags::Never), ("failures", VerdictTags::Failures), ("all", VerdictTags::All)];

/// Whether image tags are read for declarations.
pub(super) const IMAGE_TAGS: Choices<bool, 2> = [("read", true), ("ignore", false)];

pub(super) const GATES: Choices<GateMode, 2> = [("warn", GateMode::Warn), ("fail", GateMode::Fail)];

pub(super) const CONSUMERS: Choices<ConsumerUse, 3> =
    [("off", ConsumerUse::Off), ("on", ConsumerUse::On), ("required", ConsumerUse::Required)];

pub(super) const LOG_LEVELS: Choices<tracing::Level, 3> =
    [("error", tracing::Level::ERROR), ("warn", tracing::Level::WARN), ("info", tracing::Level::INFO)];

impl InspectionDepth {
    /// Returns the name, as in `PREFLIGHT_INSPECT`.
    pub fn as_str(self) -> &'static str {
        DEPTHS[self as usize].0
    }
}

/// Parses a name in upper or lower case. The error lists the names: `never, failures or all`.
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
        for (name, depth) in DEPTHS {
            assert_eq!(depth.as_str(), name);
        }
    }
}
