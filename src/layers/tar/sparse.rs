//! Where the data of a sparse file belongs, in the four ways that GNU tar has to say it.
//!
//! Does not read the data.

use super::archive_error;
use super::header::{BLOCK, TarHeader, parse_number};
use super::pax::parse_decimal;
use crate::layers::layer::LayerError;
use crate::settings::LimitExceeded;

/// The pieces of a file, in order, and its size with the holes between them.
pub(super) struct SparseMap {
    segments: Vec<(u64, u64)>,
    size: u64,
}

impl SparseMap {
    /// Of offsets and lengths by turns; `stored` bytes of data are there.
    pub(super) fn new(numbers: &[u64], size: u64, stored: u64) -> Result<Self, LayerError> {
        let (pairs, rest) = numbers.as_chunks::<2>();
        let mut end = 0_u64;
        let mut left = stored;
        let mut pieces = Vec::with_capacity(pairs.len());
        for [offset, length] in pairs.iter().copied() {
            let fits = (offset >= end).then(|| offset.checked_add(length)).flatten().filter(|end| *end <= size);
            end = fits.ok_or(archive_error("the pieces of a sparse file overlap or lie outside of it"))?;
            left = left.checked_sub(length).ok_or(archive_error("a sparse file has less data than its map says"))?;
            pieces.push((offset, length));
        }
        if rest.is_empty() {
            Ok(Self { segments: pieces, size })
        } else {
            Err(archive_error("a sparse file's map is cut off"))
        }
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (u64, u64)> {
        self.segments.iter().copied()
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// How far 21 pieces of a continuing block reach, and the place of the byte that says whether another one follows.
const EXTENSION_ENTRIES_BYTES: usize = 504;

/// The map of a header, and of the blocks that continue it (GNU tar manual, "Old GNU Format").
pub(super) fn read_old_gnu_map(
    header: &TarHeader,
    limit: u64,
    mut next: impl FnMut() -> Result<[u8; BLOCK], LayerError>,
) -> Result<Vec<u64>, LayerError> {
    let mut numbers = Vec::new();
    let (places, mut goes_on) = header.sparse_entries();
    parse_entries(places, &mut numbers)?;
    while goes_on {
        if (numbers.len() * size_of::<u64>()) as u64 > limit {
            return Err(LimitExceeded::Record(limit).into());
        }
        let block = next()?;
        parse_entries(&block[..EXTENSION_ENTRIES_BYTES], &mut numbers)?;
        goes_on = block[EXTENSION_ENTRIES_BYTES] != 0;
    }
    Ok(numbers)
}

/// Takes numbers of 12 digits; an empty place ends them.
fn parse_entries(places: &[u8], numbers: &mut Vec<u64>) -> Result<(), LayerError> {
    for place in places.as_chunks::<24>().0.iter().take_while(|place| place[0] != 0) {
        numbers.push(parse_number(&place[..12])?);
        numbers.push(parse_number(&place[12..])?);
    }
    Ok(())
}

/// The map before the data: decimal numbers on lines of their own, first how many pieces there are, filled up to a whole
/// block (GNU tar manual, "PAX Format, Version 1.0").
pub(super) fn read_text_map(
    limit: u64,
    mut next: impl FnMut() -> Result<[u8; BLOCK], LayerError>,
) -> Result<Vec<u64>, LayerError> {
    let wrong = || archive_error("a sparse file's map has a number that is none");
    let mut numbers = Vec::new();
    let mut line = Vec::new();
    let mut wanted = None;
    let mut read = 0;
    while wanted.is_none_or(|wanted| numbers.len() as u64 <= wanted) {
        read += BLOCK as u64;
        if read > limit {
            return Err(LimitExceeded::Record(limit).into());
        }
        for byte in next()? {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            numbers.push(parse_decimal(&line).filter(|_| !line.is_empty()).ok_or_else(wrong)?);
            line.clear();
            if wanted.is_none() {
                wanted = Some(numbers[0].checked_mul(2).ok_or_else(wrong)?);
            }
            if wanted.is_some_and(|wanted| numbers.len() as u64 > wanted) {
                break;
            }
        }
    }
    Ok(numbers.split_off(1))
}
