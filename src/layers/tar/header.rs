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
    /// A type that no container runtime creates ("unhandled tar header type" in containerd and Docker), among them
    /// sparse files in the old GNU format.
    Unhandled,
}

/// The format of a header, which determines the fields after the link name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderFormat {
    V7,
    Ustar,
    Star,
    Gnu,
}

/// A header with a correct checksum and valid numbers. Offsets: POSIX.1-2017, pax, "ustar Header Block"; GNU tar manual, "Basic Tar
/// Format"; as in Go's `src/archive/tar/format.go`.
pub(super) struct TarHeader([u8; BLOCK]);

impl TarHeader {
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self, LayerError> {
        let stored = parse_octal(&block[148..156])?;
        // The checksum field itself counts as blanks. Some old programs summed signed bytes; Go accepts both.
        let byte = |at: usize| if (148..156).contains(&at) { b' ' } else { block[at] };
        let unsigned: i64 = (0..BLOCK).map(|at| i64::from(byte(at))).sum();
        let signed: i64 = (0..BLOCK).map(|at| i64::from(byte(at).cast_signed())).sum();
        if stored != unsigned && stored != signed {
            return Err(LayerError::Archive("a header's checksum is wrong"));
        }
        let header = Self(*block);
        header.check_numbers()?;
        Ok(header)
    }

    /// Checks all numbers that Go parses (`readHeader` in `reader.go`), also those that nothing here needs: times, and
    /// device numbers except in the oldest format.
    fn check_numbers(&self) -> Result<(), LayerError> {
        let common = [100..108, 108..116, 116..124, 124..136, 136..148];
        let devices = [329..337, 337..345].into_iter().filter(|_| self.format() != HeaderFormat::V7);
        let star_times = [476..488, 488..500].into_iter().filter(|_| self.format() == HeaderFormat::Star);
        let mut fields = common.into_iter().chain(devices).chain(star_times);
        fields.try_for_each(|field| parse_number(&self.0[field]).map(drop))
    }

    /// Detects the format (`getFormat` in Go's `format.go`). The version of ustar does not matter.
    fn format(&self) -> HeaderFormat {
        match &self.0[257..265] {
            magic if magic.starts_with(b"ustar\0") && &self.0[508..] == b"tar\0" => HeaderFormat::Star,
            magic if magic.starts_with(b"ustar\0") => HeaderFormat::Ustar,
            b"ustar  \0" => HeaderFormat::Gnu,
            _ => HeaderFormat::V7,
        }
    }

    pub(super) fn typeflag(&self) -> u8 {
        self.0[156]
    }

    /// Returns the kind of the entry. Old archives mark directories only by a trailing slash in the name.
    pub(super) fn entry_kind(&self, name: &[u8]) -> TarEntryKind {
        match self.typeflag() {
            0 if name.ends_with(b"/") => TarEntryKind::Directory,
            0 | b'0' => TarEntryKind::File,
            b'1' => TarEntryKind::HardLink,
            b'2' => TarEntryKind::Symlink,
            b'3' if self.has_null_device_numbers() => TarEntryKind::NullDevice,
            b'3' | b'4' | b'6' => TarEntryKind::Special,
            b'5' => TarEntryKind::Directory,
            _ => TarEntryKind::Unhandled,
        }
    }

    /// Returns whether the major and the minor device number are 0. Archives older than ustar have none.
    fn has_null_device_numbers(&self) -> bool {
        let is_zero = |field: &[u8]| matches!(parse_number(field), Ok(0));
        self.format() == HeaderFormat::V7 || is_zero(&self.0[329..337]) && is_zero(&self.0[337..345])
    }

    /// Returns the name, including the prefix of ustar and star. The old GNU format has times in its place; but where
    /// these are not numbers, Go takes the field for the prefix that its own writer put there before Go 1.8.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = parse_text(&self.0[..100]);
        let has_invalid_time = || {
            let mut times = [345..357, 357..369].into_iter().map(|field| &self.0[field]);
            times.any(|time| time[0] != 0 && parse_number(time).is_err())
        };
        let prefix = match self.format() {
            HeaderFormat::Star => parse_text(&self.0[345..476]),
            HeaderFormat::Ustar => parse_text(&self.0[345..500]),
            HeaderFormat::Gnu if has_invalid_time() => {
                Some(parse_text(&self.0[345..500])).filter(|prefix| prefix.is_ascii()).unwrap_or_default()
            }
            HeaderFormat::Gnu | HeaderFormat::V7 => Vec::new(),
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

    pub(super) fn uid(&self) -> Result<i64, LayerError> {
        parse_number(&self.0[108..116])
    }

    pub(super) fn gid(&self) -> Result<i64, LayerError> {
        parse_number(&self.0[116..124])
    }

    /// Returns the size of the data; 0 for an entry that cannot have any, whatever its field contains.
    pub(super) fn size(&self) -> Result<u64, LayerError> {
        let size = parse_number(&self.0[124..136])?;
        if matches!(self.typeflag(), b'1'..=b'6') {
            return Ok(0);
        }
        u64::try_from(size).map_err(|_| LayerError::Archive("a negative size"))
    }
}

/// Returns the text of a field up to the first NUL.
pub(super) fn parse_text(field: &[u8]) -> Vec<u8> {
    field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// Parses a number: octal digits, or a binary number, whose highest bit is set (`parseNumeric` in Go's
/// `src/archive/tar/strconv.go`). The binary number is a two's complement.
fn parse_number(field: &[u8]) -> Result<i64, LayerError> {
    if field[0] & 0x80 == 0 {
        return parse_octal(field);
    }
    let invalid = || LayerError::Archive("a number in a header is too large");
    let sign = if field[0] & 0x40 == 0 { 0 } else { 0xff };
    let first = i64::from((field[0] ^ sign) & 0x7f);
    let add = |sum: i64, byte: &u8| Some(sum.checked_mul(256)? | i64::from(byte ^ sign));
    let value = field[1..].iter().try_fold(first, add).ok_or_else(invalid)?;
    Ok(if sign == 0 { value } else { !value })
}

/// Parses octal digits between blanks and NULs. No digits mean zero (`parseOctal` in Go).
fn parse_octal(field: &[u8]) -> Result<i64, LayerError> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !is_blank(byte)) else { return Ok(0) };
    let end = field.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    let mut digits = field[start..end].split(|byte| *byte == 0).next().unwrap_or_default().iter();
    digits
        .try_fold(0_i64, |sum, digit| match digit {
            b'0'..=b'7' => Some(sum.checked_mul(8)? + i64::from(digit - b'0')),
            _ => None,
        })
        .ok_or(LayerError::Archive("invalid number in a header"))
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
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", -1),
            (b"\xff\xff\xff\xff\xff\xff\xff\x00", -256),
        ] {
            assert_eq!(parse_number(field).ok(), Some(value), "{field:?}");
        }
        for field in [b"0000855\0".as_slice(), b"-1\0\0\0\0\0\0", b"12 34\0\0\0", b"\x80\0\0\x01\0\0\0\0\0\0\0\0"] {
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
