//! Parses the records of a pax header that affect paths and contents. Values are bytes: the standard requires UTF-8,
//! but archives contain other encodings.

use crate::layers::error::LayerError;
use crate::rootfs::Permissions;

/// Fields that replace those of the next entry's header. Empty values replace nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PaxRecords {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<i64>,
    pub(super) gid: Option<i64>,
    /// The name of a sparse file, its size including holes, and the map of formats 0.0 and 0.1 (GNU tar manual,
    /// "Storing Sparse Files").
    pub(super) sparse_name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    pub(super) sparse_map: Option<Vec<u64>>,
    sparse_major: Option<u64>,
    /// The flags of a file with capabilities, as in [`Permissions::mode`].
    pub(super) capabilities: u32,
}

impl PaxRecords {
    /// Parses records of the form `<length> <key>=<value>\n`, where the length includes itself: POSIX.1-2017, pax, "pax
    /// Extended Header".
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, LayerError> {
        let mut records = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = parse_record(bytes).ok_or(MALFORMED)?;
            // Go parses the values of sparse files only if it finds a map.
            let is_sparse = key.starts_with(b"GNU.sparse.");
            let invalid = if is_sparse { LayerError::Unsupported } else { LayerError::Archive };
            records.set(key, value).ok_or(invalid("invalid value in a pax record"))?;
            bytes = rest;
        }
        Ok(records)
    }

    /// Returns whether the sparse map is at the beginning of the data (format 1.0).
    pub(super) fn has_inline_sparse_map(&self) -> bool {
        self.sparse_major == Some(1)
    }

    /// Stores a value. Returns `None` if it is invalid.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = parse_name(value)?,
            b"linkpath" => self.link_path = parse_name(value)?,
            b"size" => self.size = parse_signed(value)?.map(u64::try_from).transpose().ok()?,
            b"uid" => self.uid = parse_signed(value)?,
            b"gid" => self.gid = parse_signed(value)?,
            b"atime" | b"mtime" | b"ctime" if !is_time(value) => return None,
            b"GNU.sparse.name" => self.sparse_name = parse_name(value)?,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.real_size = parse_optional_number(value)?,
            b"GNU.sparse.major" => self.sparse_major = parse_optional_number(value)?,
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                self.sparse_map.get_or_insert_default().push(parse_decimal(value)?);
            }
            b"GNU.sparse.map" => {
                let numbers = value.split(|byte| *byte == b',').filter(|number| !number.is_empty());
                self.sparse_map = Some(numbers.map(parse_decimal).collect::<Option<_>>()?);
            }
            b"SCHILY.xattr.security.capability" => self.capabilities = parse_capabilities(value),
            _ => {}
        }
        Some(())
    }
}

const MALFORMED: LayerError = LayerError::Archive("malformed pax record");

/// Checks the form of records whose values do not matter.
pub(super) fn check_records(mut bytes: &[u8]) -> Result<(), LayerError> {
    while !bytes.is_empty() {
        (_, _, bytes) = parse_record(bytes).ok_or(MALFORMED)?;
    }
    Ok(())
}

/// Splits off the first record: its key, its value, and the bytes after it. Neither a key nor a name may contain a NUL
/// (`parsePAXRecord` and `validPAXRecord` in Go's `src/archive/tar/strconv.go`).
fn parse_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = bytes.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(parse_signed(&bytes[..blank])??).ok()?;
    let record = bytes.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    let is_name = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname");
    let is_valid = !key.is_empty() && !(if is_name { value } else { key }).contains(&0);
    is_valid.then_some((key, value, &bytes[length..]))
}

/// Parses a file's capabilities (`struct vfs_cap_data` in `include/uapi/linux/capability.h`) to flags of
/// [`Permissions::mode`].
fn parse_capabilities(value: &[u8]) -> u32 {
    const VFS_CAP_FLAGS_EFFECTIVE: u32 = 1;
    /// `defaultUnixCaps` in containerd's `oci/spec.go`: those that containers may have by default.
    const DEFAULT: [u32; 14] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31];
    let word = |at: usize| value.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes);
    let default = DEFAULT.iter().fold(0, |set, number| set | 1 << number);
    // The second half of the permitted set follows that of the inheritable one.
    let needs_more = word(0) & VFS_CAP_FLAGS_EFFECTIVE != 0 && (word(4) & !default != 0 || word(12) != 0);
    match value {
        [] => 0,
        _ if needs_more => Permissions::HAS_CAPABILITIES | Permissions::NEEDS_CAPABILITIES,
        _ => Permissions::HAS_CAPABILITIES,
    }
}

/// Parses a name: `None` if it is invalid, `Some(None)` if it is empty.
#[allow(clippy::option_option, reason = "an invalid value differs from an empty one")]
fn parse_name(value: &[u8]) -> Option<Option<Vec<u8>>> {
    (!value.contains(&0)).then(|| (!value.is_empty()).then(|| value.to_vec()))
}

/// Parses a number: `None` if it is invalid, `Some(None)` if it is empty.
#[allow(clippy::option_option, reason = "an invalid value differs from an empty one")]
fn parse_optional_number(value: &[u8]) -> Option<Option<u64>> {
    if value.is_empty() { Some(None) } else { parse_decimal(value).map(Some) }
}

/// Parses a signed number: `None` if it is invalid, `Some(None)` if it is empty.
#[allow(clippy::option_option, reason = "an invalid value differs from an empty one")]
fn parse_signed(value: &[u8]) -> Option<Option<i64>> {
    if value.is_empty() { Some(None) } else { std::str::from_utf8(value).ok()?.parse().ok().map(Some) }
}

/// Returns whether a value is empty or a time: signed seconds, with or without a decimal fraction (`parsePAXTime` in Go).
fn is_time(value: &[u8]) -> bool {
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = parts.next().unwrap_or_default();
    let fraction = parts.next().unwrap_or_default();
    value.is_empty() || matches!(parse_signed(seconds), Some(Some(_))) && fraction.iter().all(u8::is_ascii_digit)
}

/// Parses decimal digits. Go's sizes and offsets are signed, so larger numbers are invalid.
pub(super) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with(['+', '-']))?;
    digits.parse::<i64>().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_have_newlines_and_any_bytes() {
        let records = PaxRecords::parse(b"13 path=a\nb\xff\n30 mtime=1350244992.023960108\n7 uid=\n9 gid=10\n");
        let expected = PaxRecords { path: Some(b"a\nb\xff".to_vec()), gid: Some(10), ..PaxRecords::default() };
        assert_eq!(records.ok(), Some(expected));
    }

    #[test]
    fn values_that_go_accepts_are_accepted() {
        let records = PaxRecords::parse(
            b"9 uid=+1\n10 gid=-1\n14 ctime=-1.5\n9 mtime=\n14 comment=a\0\n12 atime=1.\n11 size=+5\n",
        );
        assert_eq!(
            records.ok(),
            Some(PaxRecords { uid: Some(1), gid: Some(-1), size: Some(5), ..PaxRecords::default() })
        );
    }

    #[test]
    fn capabilities_beyond_the_default_are_flagged() {
        let data = |effective: u8, low: u32, high: u32| {
            [&[effective, 0, 0, 2], low.to_le_bytes().as_slice(), &[0; 4], &high.to_le_bytes(), &[0; 4]].concat()
        };
        let (has, needs) = (Permissions::HAS_CAPABILITIES, Permissions::NEEDS_CAPABILITIES);
        for (value, flags) in [
            (data(1, 1 << 10, 0), has),
            (data(1, 1 << 12, 0), has | needs),
            (data(0, 1 << 12, 0), has),
            (data(1, 0, 1 << 6), has | needs),
            (b"x".to_vec(), has),
            (Vec::new(), 0),
        ] {
            assert_eq!(parse_capabilities(&value), flags, "{value:?}");
        }
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in [
            b"path=a\n" as &[u8], b"11 path=ab", b"99 path=ab\n", b"3 path=ab\n", b"10 path:ab\n", b"-1 path=a\n",
            b"99999999999999999999 path=a\n", b"11 path=a\0\n", b"12 uname=a\0\n", b"9 a\0=bcd\n", b"5 =a\n",
            b"11 mtime=x\n", b"14 atime=1.5x\n", b"8 uid=x\n", b"11 size=-1\n", b"30 size=99999999999999999999\n",
            b"24 GNU.sparse.map=1,x,2\n",
        ] {
            assert!(PaxRecords::parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
