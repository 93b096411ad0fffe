//! Reads the maps of sparse files in pax archives, in three formats of GNU tar. No container runtime creates a sparse
//! file in the old format.

use super::header::BLOCK;
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
            end = fits.ok_or(LayerError::Unsupported("segments of a sparse file overlap or exceed its size"))?;
            remaining = remaining
                .checked_sub(length)
                .ok_or(LayerError::Unsupported("a sparse file has less data than its map"))?;
            segments.push((offset, length));
        }
        let truncated = LayerError::Unsupported("a sparse map is truncated");
        if rest.is_empty() { Ok(Self { segments, size }) } else { Err(truncated) }
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (u64, u64)> {
        self.segments.iter().copied()
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// Reads the map before the data: decimal numbers, one per line. The first is the number of segments, padded
/// to a block (GNU tar manual, "PAX Format, Version 1.0").
pub(super) fn read_text_map(
    limit: u64,
    mut next: impl FnMut() -> Result<[u8; BLOCK], LayerError>,
) -> Result<Vec<u64>, LayerError> {
    let invalid = || LayerError::Unsupported("invalid number in a sparse map");
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
