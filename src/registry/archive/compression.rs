//! Detects compressed archives. They are not supported: each read would have to decompress the whole archive.

/// The magic numbers and names of compression formats, and the commands that decompress them.
const COMPRESSION_FORMATS: [(&[u8], &str, &str); 4] = [
    (&[0x1f, 0x8b], "gzip", "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
    (b"\xfd7zXZ\0", "xz", "unxz"),
    (b"BZh", "bzip2", "bunzip2"),
];

/// The length of the longest magic number.
pub(super) const MAGIC_LENGTH: usize = 6;

/// The archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("compressed with {format}; only uncompressed archives are supported")]
pub struct CompressedArchiveError {
    format: &'static str,
    /// The command that decompresses the archive with `--stdout FILE`.
    pub decompress_command: &'static str,
}

impl CompressedArchiveError {
    /// Detects a compressed file by its first bytes.
    pub(super) fn detect(first: &[u8]) -> Option<Self> {
        let (_, format, decompress_command) =
            COMPRESSION_FORMATS.iter().find(|(magic, ..)| first.starts_with(magic))?;
        Some(Self { format, decompress_command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_detected_by_its_magic() {
        for (first, format) in [
            (&b"\x1f\x8b\x08\0\0\0"[..], Some("gzip")),
            (b"\x28\xb5\x2f\xfd\0\0", Some("zstd")),
            (b"\xfd7zXZ\0", Some("xz")),
            (b"BZh91A", Some("bzip2")),
            (b"blobs/", None),
            (b"\x1f", None),
            (b"", None),
        ] {
            assert_eq!(CompressedArchiveError::detect(first).map(|found| found.format), format, "{first:?}");
        }
    }
}
