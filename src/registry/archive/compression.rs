//! A compressed archive: it cannot be sought in, and is told by its first bytes.
//!
//! Does not decompress it: that would take the whole of it for every look, or room on the disk that nobody granted.

/// The first bytes of what archives are compressed to, with the tool that undoes it.
const COMPRESSION_FORMATS: [(&[u8], &str, &str); 4] = [
    (&[0x1f, 0x8b], "gzip", "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
    (b"\xfd7zXZ\0", "xz", "unxz"),
    (b"BZh", "bzip2", "bunzip2"),
];

/// How many first bytes tell.
pub(super) const MAGIC_LENGTH: usize = 6;

/// The archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is compressed with {format}, and only a plain tar archive can be sought in")]
pub struct CompressedArchiveError {
    format: &'static str,
    /// The command that writes the plain archive, once `--stdout FILE` stands behind it.
    pub decompress_command: &'static str,
}

impl CompressedArchiveError {
    /// What these first bytes tell.
    pub(super) fn detect(first: &[u8]) -> Option<Self> {
        let (_, with, undone_by) = COMPRESSION_FORMATS.iter().find(|(magic, ..)| first.starts_with(magic))?;
        Some(Self { format: with, decompress_command: undone_by })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_by_its_first_bytes() {
        for (first, with) in [
            (&b"\x1f\x8b\x08\0\0\0"[..], Some("gzip")),
            (b"\x28\xb5\x2f\xfd\0\0", Some("zstd")),
            (b"\xfd7zXZ\0", Some("xz")),
            (b"BZh91A", Some("bzip2")),
            (b"blobs/", None),
            (b"\x1f", None),
            (b"", None),
        ] {
            assert_eq!(CompressedArchiveError::detect(first).map(|found| found.format), with, "{first:?}");
        }
    }
}
