//! Parses one header of a tar archive, without the records before it.

use crate::layers::error::LayerError;

/// The unit of an archive in bytes, and the size of a header.
pub(super) const BLOCK: usize = 512;

/// What an entry creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::layers) enum TarEntryKind {
    File,
    HardLink,
    Symlink,
    Directory,
    /// A character device with the numbers 0 and 0.
    NullDevice,
    Special,
}

/// A header with a correct checksum. Offsets: POSIX.1-2017, pax, "ustar Header Block"; GNU tar manual, "Basic Tar
/// Format"; as in Go's `src/archive/tar/format.go`.
pub(super) struct TarHeader([u8; BLOCK]);

impl TarHeader {
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self, LayerError> {
        let stored = parse_number(&block[148..156])?;
        // The checksum field itself counts as blanks. Some old programs summed signed bytes; Go accepts both.
        let byte = |at: usize| if (148..156).contains(&at) { b' ' } else { block[at] };
        let unsigned: u64 = (0..BLOCK).map(|at| u64::from(byte(at))).sum();
        let signed: i64 = (0..BLOCK).map(|at| i64::from(byte(at).cast_signed())).sum();
        if stored == unsigned || i64::try_from(stored) == Ok(signed) {
            Ok(Self(*block))
        } else {
            Err(LayerError::Archive("a header's checksum is wrong"))
        }
    }

    pub(super) fn typeflag(&self) -> u8 {
        self.0[156]
    }

    /// Returns the kind of the entry. Old archives mark directories only by a trailing slash in the name.
    pub(super) fn entry_kind(&self, name: &[u8]) -> Result<TarEntryKind, LayerError> {
        Ok(match self.typeflag() {
            0 if name.ends_with(b"/") => TarEntryKind::Directory,
            0 | b'0' | b'S' => TarEntryKind::File,
            b'1' => TarEntryKind::HardLink,
            b'2' => TarEntryKind::Symlink,
            b'3' if self.has_null_device_numbers()? => TarEntryKind::NullDevice,
            b'3' | b'4' | b'6' => TarEntryKind::Special,
            b'5' => TarEntryKind::Directory,
            _ => return Err(LayerError::Archive("unsupported entry type")),
        })
    }

    /// Returns whether the major and the minor device number are 0. Archives older than ustar have none.
    fn has_null_device_numbers(&self) -> Result<bool, LayerError> {
        let is_old = &self.0[257..262] != b"ustar";
        Ok(is_old || parse_number(&self.0[329..337])? == 0 && parse_number(&self.0[337..345])? == 0)
    }

    /// Returns the name, including the prefix of ustar and star.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = parse_text(&self.0[..100]);
        let prefix = match &self.0[257..265] {
            b"ustar\x0000" if &self.0[508..] == b"tar\0" => parse_text(&self.0[345..476]),
            b"ustar\x0000" => parse_text(&self.0[345..500]),
            _ => Vec::new(),
        };
        if prefix.is_empty() { name } else { [prefix, name].join(&b'/') }
    }

    pub(super) fn link_name(&self) -> Vec<u8> {
        parse_text(&self.0[157..257])
    }

    /// Returns the permission bits, without the file type that some archives repeat here.
    pub(super) fn mode(&self) -> Result<u32, LayerError> {
        Ok(u32::try_from(parse_number(&self.0[100..108])? & 0o7777).unwrap_or(0))
    }

    pub(super) fn uid(&self) -> Result<u64, LayerError> {
        parse_number(&self.0[108..116])
    }

    pub(super) fn gid(&self) -> Result<u64, LayerError> {
        parse_number(&self.0[116..124])
    }

    pub(super) fn size(&self) -> Result<u64, LayerError> {
        parse_number(&self.0[124..136])
    }

    /// Returns whether this is a sparse file in the old GNU format.
    pub(super) fn is_gnu_sparse(&self) -> bool {
        self.typeflag() == b'S' && &self.0[257..265] == b"ustar  \0"
    }

    pub(super) fn real_size(&self) -> Result<u64, LayerError> {
        parse_number(&self.0[483..495])
    }

    /// Returns the segments of a sparse file, and whether a block with more follows.
    pub(super) fn sparse_entries(&self) -> (&[u8], bool) {
        (&self.0[386..482], self.0[482] != 0)
    }
}

/// Returns the text of a field up to the first NUL.
pub(super) fn parse_text(field: &[u8]) -> Vec<u8> {
    field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// Parses a number: octal digits between blanks and NULs (no digits mean zero), or a binary number, whose highest bit
/// is set (`parseNumeric` in Go's `src/archive/tar/strconv.go`).
pub(super) fn parse_number(field: &[u8]) -> Result<u64, LayerError> {
    let invalid = || LayerError::Archive("invalid number in a header");
    if field[0] & 0x80 != 0 {
        let first = u64::from(field[0] & 0x7f);
        let add = |sum: u64, byte: &u8| Some(sum.checked_mul(256)? | u64::from(*byte));
        let value = field[1..].iter().try_fold(first, add).ok_or_else(invalid)?;
        return if value > i64::MAX as u64 { Err(invalid()) } else { Ok(value) };
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let mut digits = field[start..].split(is_blank).next().unwrap_or_default().iter();
    digits
        .try_fold(0_u64, |sum, digit| match digit {
            b'0'..=b'7' => Some(sum.checked_mul(8)? + u64::from(digit - b'0')),
            _ => None,
        })
        .ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_blank_or_binary() {
        for (field, value) in [
            (b"0000755\0".as_slice(), 0o755),
            (b"   755 \0", 0o755),
            (b"\0\0\0\0\0\0\0\0", 0),
            (b"77777777", 0o77_777_777),
            (b"\x80\0\0\0\0\0\x01\x02", 0x102),
            (b"\x80\0\0\0\x10\0\0\0\0\0\0\0", 0x1000_0000_0000_0000),
        ] {
            assert_eq!(parse_number(field).ok(), Some(value), "{field:?}");
        }
        for field in [b"0000855\0".as_slice(), b"-1\0\0\0\0\0\0", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert!(parse_number(field).is_err(), "{field:?}");
        }
    }

    #[test]
    fn checksum_may_sum_signed_bytes() {
        let mut block = [0; BLOCK];
        block[..2].copy_from_slice(b"\xffx");
        for sum in [255 + 120 + 8 * 32, 120 + 8 * 32 - 1] {
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            assert!(TarHeader::parse(&block).is_ok());
        }
        block[0] = b'a';
        assert!(TarHeader::parse(&block).is_err());
    }
}
