//! How much of a layer is read, and how much of it is remembered.
//!
//! Does not know time: a deadline is kept by whoever hands over the bytes.

/// The bounds of reading layers. A layer is hostile until it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a caller sets single bounds and takes the rest from the default")]
pub struct LayerLimits {
    /// The bytes of one layer, as stored and decompressed alike.
    pub bytes: u64,
    /// How many times larger a layer may become, once it is larger than [`Limits::ratio_from`].
    pub ratio: u64,
    /// Up to this many decompressed bytes any ratio is taken.
    pub ratio_from: u64,
    /// The largest window of a zstd frame in bytes, which is memory.
    pub window: u64,
    /// The entries of one layer.
    pub entries: usize,
    /// The names of a root filesystem, those that are implied included.
    pub total_entries: usize,
    /// The length of a path or a link's target in bytes, and of a path that links lead to.
    pub path: usize,
    /// The components of a path.
    pub depth: usize,
    /// The bytes of names, link targets and heads of files that are kept of a layer, and likewise of a root filesystem.
    pub memory: usize,
    /// The bytes of a record that describes the entry after it.
    pub record: u64,
}

impl Default for LayerLimits {
    fn default() -> Self {
        Self {
            // At 120 MB/s, what the share of a processor inflates that a function of 512 MB is given, about a minute.
            bytes: 8 * 1024 * 1024 * 1024,
            // Programs and text shrink to a third or a fifth, zeros by deflate to a thousandth at best.
            ratio: 200,
            // A file of zeros, as databases preallocate them, is no bomb.
            ratio_from: 512 * 1024 * 1024,
            // The most that `zstd --ultra -22` makes is 128 MiB, image builders 8 MiB (level 19 of the C library and
            // the best of klauspost/compress); RFC 8878, 3.1.1.1.2, asks decoders for no less than 8 MiB.
            window: 32 * 1024 * 1024,
            // Ten times a full Debian with its documentation; `node_modules` of large applications come near 300,000.
            entries: 1_000_000,
            total_entries: 1_500_000,
            // PATH_MAX in `include/uapi/linux/limits.h`, the closing NUL included: no runtime can unpack more.
            path: 4095,
            // An eighth of what PATH_MAX holds; a deep `node_modules` has 40. It keeps 4,000 bytes from implying 2,000
            // directories.
            depth: 256,
            // 250,000 names of 80 bytes and 8,000 programs take 60 MiB; where a layer keeps its entries out of order, a
            // tenth fewer.
            memory: 64 * 1024 * 1024,
            // `maxSpecialFileSize` of Go's archive/tar, which containerd and Docker read layers with.
            record: 1024 * 1024,
        }
    }
}

/// What was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitExceeded {
    /// See [`Limits::bytes`].
    #[error("the layer is larger than {0} bytes")]
    Bytes(u64),
    /// See [`Limits::ratio`].
    #[error("the layer decompresses to more than {0} times its size")]
    Ratio(u64),
    /// See [`Limits::entries`].
    #[error("the layer has more than {0} entries")]
    Entries(usize),
    /// See [`Limits::entries_in_all`].
    #[error("the layers make more than {0} names")]
    TotalEntries(usize),
    /// See [`Limits::path`].
    #[error("a path or a link's target is longer than {0} bytes")]
    Path(usize),
    /// See [`Limits::depth`].
    #[error("a path has more than {0} components")]
    Depth(usize),
    /// See [`Limits::kept`].
    #[error("the names take more than {0} bytes")]
    Memory(usize),
    /// See [`Limits::record`].
    #[error("a record of the archive is longer than {0} bytes")]
    Record(u64),
    /// Whiteouts that go through the same names again and again.
    #[error("the layer's whiteouts go through more than {0} names")]
    WhiteoutSteps(usize),
    /// Links that lead through one another on the way to every entry.
    #[error("the layer's entries lie behind links through more than {0} names")]
    LinkSteps(usize),
}
