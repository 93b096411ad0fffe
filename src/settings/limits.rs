//! Limits for reading layers, which are untrusted: everything that is read or kept in memory is bounded. The setting
//! `PREFLIGHT_LIMITS` changes them, for example `bytes=2G seconds=120`.

use std::fmt;

use crate::text::sanitize_quoted;

/// Limits for reading layers. The time limit is [`InspectionLimits::timeout_seconds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers set single limits and take the rest from the default")]
pub struct LayerLimits {
    /// The bytes of one layer, both as stored and decompressed.
    pub bytes: u64,
    /// The ratio of decompressed to stored bytes, which applies above [`LayerLimits::ratio_from`] decompressed bytes.
    pub ratio: u64,
    /// The number of decompressed bytes up to which any ratio is accepted.
    pub ratio_from: u64,
    /// The window of a zstd frame in bytes, which is kept in memory.
    pub window: u64,
    /// The entries of one layer.
    pub entries: usize,
    /// The names in a root filesystem, including parent directories without entries of their own.
    pub total_entries: usize,
    /// The bytes of a path, a link target, or the path that a link resolves to.
    pub path: usize,
    /// The components of a path.
    pub depth: usize,
    /// The bytes of names, link targets and beginnings of files that are kept for a layer, and for a root filesystem.
    pub memory: usize,
    /// The bytes of a record that describes the next entry: a pax header or a GNU long name.
    pub record: u64,
}

impl Default for LayerLimits {
    fn default() -> Self {
        Self {
            // About a minute at 120 MB/s, the rate at which the processor share of a 512 MB function decompresses gzip.
            bytes: 8 * 1024 * 1024 * 1024,
            // Programs and text compress to a third or a fifth; deflate compresses zeros at most to a thousandth.
            ratio: 200,
            // Databases preallocate files of zeros, which are not malicious.
            ratio_from: 512 * 1024 * 1024,
            // `zstd --ultra -22` uses up to 128 MiB, image builders 8 MiB (level 19 of the C library and the best level
            // of klauspost/compress). RFC 8878, 3.1.1.1.2, recommends that decoders support at least 8 MiB.
            window: 32 * 1024 * 1024,
            // Ten times a full Debian with documentation; a large `node_modules` has almost 300,000.
            entries: 1_000_000,
            total_entries: 1_500_000,
            // PATH_MAX in `include/uapi/linux/limits.h`, without its NUL byte.
            path: 4095,
            // A deep `node_modules` has 40. Without a limit, a path of 4,000 bytes would imply 2,000 directories.
            depth: 256,
            // Enough for 400,000 names and 8,000 programs.
            memory: 64 * 1024 * 1024,
            // `maxSpecialFileSize` of Go's archive/tar, which containerd and Docker use.
            record: 1024 * 1024,
        }
    }
}

/// The limit that a layer or an image exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum LimitExceeded {
    #[error("the layer is larger than {0} bytes")]
    Bytes(u64),
    #[error("the layer decompresses to more than {0} times its size")]
    Ratio(u64),
    #[error("the layer has more than {0} entries")]
    Entries(usize),
    #[error("the layers have more than {0} names")]
    TotalEntries(usize),
    #[error("a path or a link's target is longer than {0} bytes")]
    Path(usize),
    #[error("a path has more than {0} components")]
    Depth(usize),
    #[error("the names take more than {0} bytes")]
    Memory(usize),
    #[error("reading the layers takes more than {0} bytes of memory")]
    TotalMemory(usize),
    #[error("a record of the archive is longer than {0} bytes")]
    Record(u64),
    #[error("the links on the paths of the layer's entries visit more than {0} names")]
    LinkSteps(usize),
}

/// The limits of an inspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers set single limits and take the rest from the default")]
pub struct InspectionLimits {
    /// The limits for reading layers.
    pub layers: LayerLimits,
    /// The size of the layer cache in bytes.
    pub cache_bytes: usize,
    /// The memory for all layers that are read or kept at the same time, in bytes: their names, decoders and transfers,
    /// and the cache. By default, [`InspectionLimits::for_function_memory`] of the function.
    pub total_memory: usize,
    /// How long an inspection may take, in seconds. The function also ends it 30 seconds before its own timeout.
    pub timeout_seconds: u64,
}

impl Default for InspectionLimits {
    fn default() -> Self {
        Self {
            layers: LayerLimits::default(),
            cache_bytes: 64 * 1024 * 1024,
            // That of a function of 512 MB. An image at its limits needs 150 MiB.
            total_memory: 160 * 1024 * 1024,
            // Lambda's limit for an invocation.
            timeout_seconds: 900,
        }
    }
}

/// A limit of either integer type. A number that does not fit becomes the maximum.
trait LimitValue {
    fn get(&self) -> u64;
    fn set(&mut self, number: u64);
}

impl LimitValue for u64 {
    fn get(&self) -> u64 {
        *self
    }

    fn set(&mut self, number: u64) {
        *self = number;
    }
}

impl LimitValue for usize {
    fn get(&self) -> u64 {
        *self as u64
    }

    fn set(&mut self, number: u64) {
        *self = Self::try_from(number).unwrap_or(Self::MAX);
    }
}

/// The name of a limit in the setting, and its field.
type LimitSetting = (&'static str, fn(&mut InspectionLimits) -> &mut dyn LimitValue);

const LIMIT_SETTINGS: [LimitSetting; 12] = [
    ("bytes", |limits| &mut limits.layers.bytes),
    ("ratio", |limits| &mut limits.layers.ratio),
    ("ratio-from", |limits| &mut limits.layers.ratio_from),
    ("window", |limits| &mut limits.layers.window),
    ("entries", |limits| &mut limits.layers.entries),
    ("names", |limits| &mut limits.layers.total_entries),
    ("path", |limits| &mut limits.layers.path),
    ("depth", |limits| &mut limits.layers.depth),
    ("memory", |limits| &mut limits.layers.memory),
    ("cache", |limits| &mut limits.cache_bytes),
    ("total-memory", |limits| &mut limits.total_memory),
    ("seconds", |limits| &mut limits.timeout_seconds),
];

/// The units of numbers, as powers of 1024.
const SIZE_UNITS: [(char, u32); 3] = [('K', 1), ('M', 2), ('G', 3)];

impl InspectionLimits {
    /// Parses limits separated by spaces or commas. Limits that are not named keep their defaults.
    ///
    /// # Errors
    /// Returns the allowed form and the word if a word is invalid.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::default().with(text)
    }

    /// Returns the default limits of a function with this much memory, in the unit of `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`
    /// ("Defined runtime environment variables" in the AWS Lambda developer guide): 1 MiB.
    pub(super) fn for_function_memory(mebibytes: usize) -> Self {
        // The rest is for the program, the manifests (16 of 4 MiB, in several representations), and the memory that the
        // allocator keeps after threads freed it: up to 80 MiB with 160 MiB in use (`make bench-hostile`).
        let total_memory = mebibytes.saturating_mul(1024 * 1024) / 16 * 5;
        Self { total_memory, ..Self::default() }
    }

    /// Changes the limits that are named in a text of the form that [`Self::parse`] takes.
    pub(super) fn with(self, text: &str) -> Result<Self, String> {
        let mut limits = self;
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            let setting = word.split_once('=').and_then(|(name, number)| {
                let (_, field) = LIMIT_SETTINGS.iter().find(|(known, _)| *known == name)?;
                Some((field, parse_number(number)?))
            });
            let Some((field, number)) = setting else {
                let names = LIMIT_SETTINGS.map(|(name, _)| name).join(", ");
                let word = sanitize_quoted(word);
                return Err(format!("NAME=NUMBER with an optional unit K, M or G; the names are {names} (`{word}`)"));
            };
            field(&mut limits).set(number);
        }
        Ok(limits)
    }
}

/// Writes the limits that differ from their defaults, in the form that [`InspectionLimits::parse`] takes.
impl fmt::Display for InspectionLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut limits, mut defaults, mut separator) = (*self, Self::default(), "");
        for (name, field) in LIMIT_SETTINGS {
            let number = field(&mut limits).get();
            if number != field(&mut defaults).get() {
                write!(f, "{separator}{name}={number}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

/// Parses a positive number with an optional unit.
fn parse_number(text: &str) -> Option<u64> {
    let unit = SIZE_UNITS.iter().find(|(unit, _)| text.ends_with(*unit));
    let digits = unit.map_or(text, |(unit, _)| text.trim_end_matches(*unit));
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(1024_u64.pow(unit.map_or(0, |(_, power)| *power)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_limits_are_set_and_others_keep_defaults() {
        let limits = InspectionLimits::parse("bytes=2G, entries=10K seconds=120").unwrap();
        assert_eq!((limits.layers.bytes, limits.layers.entries, limits.timeout_seconds), (2 << 30, 10_240, 120));
        assert_eq!(limits.layers.path, LayerLimits::default().path);
        assert_eq!(InspectionLimits::parse(" "), Ok(InspectionLimits::default()));
    }

    #[test]
    fn every_name_sets_its_own_limit() {
        let mut all = Vec::new();
        for (name, field) in LIMIT_SETTINGS {
            let mut limits = InspectionLimits::default();
            field(&mut limits).set(7);
            assert!(limits != InspectionLimits::default() && !all.contains(&limits), "{name}");
            assert_eq!(limits.to_string(), format!("{name}=7"));
            all.push(limits);
        }
    }

    #[test]
    fn invalid_limits_are_rejected() {
        for invalid in
            ["bytes", "bytes=", "bytes=0", "bytes=-1", "bytes=2T", "bytes=2GG2", "byte=1", "=1", "bytes=99999999999G"]
        {
            let error = InspectionLimits::parse(invalid).unwrap_err();
            assert!(error.contains(&format!("(`{invalid}`)")), "{error}");
        }
    }
}
