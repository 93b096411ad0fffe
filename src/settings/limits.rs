//! Limits for reading layers, which are untrusted: everything that is read or kept in memory is bounded.

/// Limits for reading layers. The time limit is [`super::InspectionLimits::timeout_seconds`].
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
    #[error("a record of the archive is longer than {0} bytes")]
    Record(u64),
    #[error("the links on the paths of the layer's entries visit more than {0} names")]
    LinkSteps(usize),
}
