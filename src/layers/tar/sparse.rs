//! Reads the maps of sparse files in the four formats of GNU tar.

use super::header::{BLOCK, TarHeader, parse_number};
use super::pax::parse_decimal;
use crate::layers::error::LayerError;
use crate::settings::LimitExceeded;

/// The segments of a sparse file as offset and length in ascending order, and its size including holes.
pub(super) struct SparseMap {
    segments: Vec<(u64, u64)>,
    size: u64,
}

impl SparseMap {
    /// Creates a map from alternating offsets and lengths, for `stored` bytes of data.
    pub(super) fn new(numbers: &[u64], size: u64, stored: u64) -> Result<Self, LayerError> {
        let (pairs, rest) = numbers.as_chunks::<2>();
        let mut end = 0_u64;
        let mut remaining = stored;
        let mut segments = Vec::with_capacity(pairs.len());
        for [offset, length] in pairs.iter().copied() {
            let fits = (offset >= end).then(|| offset.checked_add(length)).flatten().filter(|end| *end <= size);
            end = fits.ok_or(LayerError::Archive("segments of a sparse file overlap or exceed its size"))?;
            remaining =
                remaining.checked_sub(length).ok_or(LayerError::Archive("a sparse file has less data than its map"))?;
            segments.push((offset, length));
        }
        let truncated = LayerError::Archive("a sparse map is truncated");
        if rest.is_empty() { Ok(Self { segments, size }) } else { Err(truncated) }
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (u64, u64)> {
        self.segments.iter().copied()
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// The size of the 21 segments in a continuation block. The byte after them is non-zero if another block follows.
const EXTENSION_ENTRIES_BYTES: usize = 504;

/// Reads the map in a header and its continuation blocks (GNU tar manual, "Old GNU Format").
pub(super) fn read_old_gnu_map(
    header: &TarHeader,
    limit: u64,
    mut next: impl FnMut() -> Result<[u8; BLOCK], LayerError>,
) -> Result<Vec<u64>, LayerError> {
    let mut numbers = Vec::new();
    let (entries, mut has_more) = header.sparse_entries();
    parse_entries(entries, &mut numbers)?;
    while has_more {
        if (numbers.len() * size_of::<u64>()) as u64 > limit {
            return Err(LimitExceeded::Record(limit).into());
        }
        let block = next()?;
        parse_entries(&block[..EXTENSION_ENTRIES_BYTES], &mut numbers)?;
        has_more = block[EXTENSION_ENTRIES_BYTES] != 0;
    }
    Ok(numbers)
}

/// Parses segments, which are two numbers of 12 digits each, up to an empty one.
fn parse_entries(entries: &[u8], numbers: &mut Vec<u64>) -> Result<(), LayerError> {
    for entry in entries.as_chunks::<24>().0.iter().take_while(|entry| entry[0] != 0) {
        numbers.push(parse_number(&entry[..12])?);
        numbers.push(parse_number(&entry[12..])?);
    }
    Ok(())
}

/// Reads the map before the data: decimal numbers, one per line. The first is the number of segments, padded
/// to a block (GNU tar manual, "PAX Format, Version 1.0").
pub(super) fn read_text_map(
    limit: u64,
    mut next: impl FnMut() -> Result<[u8; BLOCK], LayerError>,
) -> Result<Vec<u64>, LayerError> {
    let invalid = || LayerError::Archive("invalid number in a sparse map");
    let mut numbers = Vec::new();
    let mut line = Vec::new();
    let mut expected = None;
    let mut read = 0;
    while expected.is_none_or(|expected| numbers.len() as u64 <= expected) {
        read += BLOCK as u64;
        if read > limit {
            return Err(LimitExceeded::Record(limit).into());
        }
        for byte in next()? {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            numbers.push(parse_decimal(&line).filter(|_| !line.is_empty()).ok_or_else(invalid)?);
            line.clear();
            if expected.is_none() {
                expected = Some(numbers[0].checked_mul(2).ok_or_else(invalid)?);
            }
            if expected.is_some_and(|expected| numbers.len() as u64 > expected) {
                break;
            }
        }
    }
    Ok(numbers.split_off(1))
}
