//! Reads a tar archive as a stream of entries: ustar, pax, GNU and older formats.
//!
//! Follows Go's `archive/tar` (`src/archive/tar/reader.go`). [`crate::layers`] explains why the crate `tar` is not
//! used.

mod header;
mod pax;
mod sparse;

use std::io::{BufRead, BufReader, ErrorKind, Read};

use self::header::{BLOCK, TarHeader};
use self::pax::PaxRecords;
use self::sparse::SparseMap;
use crate::layers::error::LayerError;
use crate::rootfs::{ContentsCollector, FileContents, Permissions};
use crate::settings::{LayerLimits, LimitExceeded};

pub(super) use self::header::TarEntryKind;

/// The number of bytes that are decompressed at once: at most half of a processor's L2 cache.
const READ_SIZE: usize = 64 * 1024;

/// The maximum number of zeros that are processed for the holes of a sparse file: holes cost an attacker nothing, and
/// mostly the beginning of a file matters.
const MAX_HOLE_BYTES: u64 = 64 * 1024 * 1024;
static ZEROS: [u8; READ_SIZE] = [0; READ_SIZE];

/// The archive ends within an entry.
const TRUNCATED: LayerError = LayerError::Archive("unexpected end of the archive");

/// Reader for the entries of an archive.
pub(super) struct TarReader<R: Read> {
    input: BufReader<R>,
    max_record_bytes: u64,
    /// The unread bytes of the current entry's data and of the padding after it.
    data_remaining: u64,
    padding_remaining: u64,
}

/// An entry, including the fields from the records before it.
pub(super) struct TarEntry {
    pub(super) kind: TarEntryKind,
    pub(super) name: Vec<u8>,
    pub(super) link_target: Vec<u8>,
    pub(super) permissions: Permissions,
    /// The size of the file, holes included.
    pub(super) size: u64,
    sparse_map: Option<SparseMap>,
}

impl<R: Read> TarReader<R> {
    pub(super) fn new(input: R, limits: &LayerLimits) -> Self {
        Self {
            input: BufReader::with_capacity(READ_SIZE, input),
            max_record_bytes: limits.record,
            data_remaining: 0,
            padding_remaining: 0,
        }
    }

    pub(super) fn into_inner(self) -> R {
        self.input.into_inner()
    }

    /// Skips the rest of the current entry and returns the next one.
    pub(super) fn next_entry(&mut self) -> Result<Option<TarEntry>, LayerError> {
        let mut records = PaxRecords::default();
        let mut long_name = None;
        let mut long_target = None;
        loop {
            self.skip_data()?;
            // Go ignores records at the end.
            let Some(header) = self.read_header()? else { return Ok(None) };
            self.data_remaining = header.size()?;
            self.padding_remaining = self.data_remaining.wrapping_neg() % BLOCK as u64;
            match header.typeflag() {
                // Go returns global records as an entry, which containerd skips. Earlier records do not apply to the
                // entry after it.
                b'g' => {
                    pax::check_records(&self.read_record()?)?;
                    (records, long_name, long_target) = (PaxRecords::default(), None, None);
                }
                b'x' => records = PaxRecords::parse(&self.read_record()?)?,
                b'L' => long_name = Some(header::parse_text(&self.read_record()?)).filter(|name| !name.is_empty()),
                b'K' => long_target = Some(header::parse_text(&self.read_record()?)).filter(|name| !name.is_empty()),
                _ => return self.read_entry(&header, &records, long_name, long_target).map(Some),
            }
        }
    }

    fn read_entry(
        &mut self,
        header: &TarHeader,
        records: &PaxRecords,
        long_name: Option<Vec<u8>>,
        long_target: Option<Vec<u8>>,
    ) -> Result<TarEntry, LayerError> {
        let name = records.sparse_name.clone().or_else(|| records.path.clone()).unwrap_or_else(|| header.name());
        let name = long_name.unwrap_or(name);
        let link_target = long_target.or_else(|| records.link_path.clone()).unwrap_or_else(|| header.link_name());
        let kind = header.entry_kind(&name);
        // Directories and links have no data, whatever their size field says: `isHeaderOnly`.
        let has_data = matches!(kind, TarEntryKind::File | TarEntryKind::Unhandled);
        self.data_remaining = if has_data { records.size.unwrap_or(self.data_remaining) } else { 0 };
        self.padding_remaining = self.data_remaining.wrapping_neg() % BLOCK as u64;
        let permissions = Permissions {
            mode: header.mode()? & Permissions::BITS | records.capabilities,
            uid: owner_id(records.uid.map_or_else(|| header.uid(), Ok)?),
            gid: owner_id(records.gid.map_or_else(|| header.gid(), Ok)?),
        };
        let mut entry = TarEntry { kind, name, link_target, permissions, size: self.data_remaining, sparse_map: None };
        if kind == TarEntryKind::File {
            entry.sparse_map = self.read_sparse_map(records)?;
            entry.size = entry.sparse_map.as_ref().map_or(self.data_remaining, SparseMap::size);
        }
        Ok(entry)
    }

    /// Reads the map of a sparse file.
    fn read_sparse_map(&mut self, records: &PaxRecords) -> Result<Option<SparseMap>, LayerError> {
        let limit = self.max_record_bytes;
        let numbers = if records.has_inline_sparse_map() {
            sparse::read_text_map(limit, || self.read_data_block())?
        } else if let Some(map) = &records.sparse_map {
            map.clone()
        } else {
            return Ok(None);
        };
        let size = records.real_size.unwrap_or(self.data_remaining);
        SparseMap::new(&numbers, size, self.data_remaining).map(Some)
    }

    pub(super) fn read_contents(
        &mut self,
        entry: &TarEntry,
        mut collector: ContentsCollector,
    ) -> Result<FileContents, LayerError> {
        let Some(map) = &entry.sparse_map else {
            self.read_data(self.data_remaining, |bytes| collector.push(bytes))?;
            return Ok(collector.finish());
        };
        let mut at = 0;
        let mut holes = MAX_HOLE_BYTES;
        for (offset, length) in map.segments() {
            let mut hole = offset - at;
            if hole > holes {
                break;
            }
            holes -= hole;
            while hole > 0 {
                let length = hole.min(READ_SIZE as u64);
                collector.push(&ZEROS[..usize::try_from(length).unwrap_or(READ_SIZE)]);
                hole -= length;
            }
            self.read_data(length, |bytes| collector.push(bytes))?;
            at = offset + length;
        }
        let mut contents = collector.finish();
        contents.size = entry.size;
        Ok(contents)
    }

    /// Reads the stream to its end, past the end of the archive.
    pub(super) fn drain(&mut self) -> Result<(), LayerError> {
        while self.fill_buffer().map_err(LayerError::after_archive)? > 0 {
            self.input.consume(self.input.buffer().len());
        }
        Ok(())
    }

    /// Returns the next header, or `None` at the end: two blocks of zeros, or the end of the stream.
    fn read_header(&mut self) -> Result<Option<TarHeader>, LayerError> {
        if self.fill_buffer()? == 0 {
            return Ok(None);
        }
        let block = self.read_block()?;
        if block != [0; BLOCK] {
            return TarHeader::parse(&block).map(Some);
        }
        if self.fill_buffer()? == 0 || self.read_block()? == [0; BLOCK] {
            Ok(None)
        } else {
            Err(LayerError::Archive("unexpected zero block"))
        }
    }

    fn read_block(&mut self) -> Result<[u8; BLOCK], LayerError> {
        let mut block = [0; BLOCK];
        let mut length = 0;
        while length < BLOCK {
            let available = self.fill_buffer()?.min(BLOCK - length);
            if available == 0 {
                return Err(TRUNCATED);
            }
            block[length..length + available].copy_from_slice(&self.input.buffer()[..available]);
            self.input.consume(available);
            length += available;
        }
        Ok(block)
    }

    fn read_data_block(&mut self) -> Result<[u8; BLOCK], LayerError> {
        let left = self.data_remaining.checked_sub(BLOCK as u64);
        self.data_remaining = left.ok_or(LayerError::Unsupported("a sparse map is truncated"))?;
        self.read_block()
    }

    /// Reads the current entry's data, which is a record about the next entry.
    fn read_record(&mut self) -> Result<Vec<u8>, LayerError> {
        if self.data_remaining > self.max_record_bytes {
            return Err(LimitExceeded::Record(self.max_record_bytes).into());
        }
        let mut record = Vec::new();
        self.read_data(self.data_remaining, |bytes| record.extend_from_slice(bytes))?;
        Ok(record)
    }

    fn skip_data(&mut self) -> Result<(), LayerError> {
        self.read_data(self.data_remaining, |_| ())?;
        // The padding of the last entry may be missing, as Go allows.
        while self.padding_remaining > 0 {
            let length = (self.fill_buffer()? as u64).min(self.padding_remaining);
            if length == 0 {
                break;
            }
            self.input.consume(usize::try_from(length).unwrap_or(0));
            self.padding_remaining -= length;
        }
        self.padding_remaining = 0;
        Ok(())
    }

    /// Passes the next bytes of the current entry's data to a function.
    fn read_data(&mut self, mut length: u64, mut consume: impl FnMut(&[u8])) -> Result<(), LayerError> {
        self.data_remaining -= length;
        while length > 0 {
            if self.fill_buffer()? == 0 {
                return Err(TRUNCATED);
            }
            let bytes = self.input.buffer();
            let count = usize::try_from(length).map_or(bytes.len(), |length| length.min(bytes.len()));
            consume(&bytes[..count]);
            self.input.consume(count);
            length -= count as u64;
        }
        Ok(())
    }

    /// Fills the buffer if it is empty, and returns the number of bytes in it; 0 at the end.
    fn fill_buffer(&mut self) -> Result<usize, LayerError> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(LayerError::from_read_error(error)),
            }
        }
    }
}

/// Converts the ID of a user or group as `lchown` does: to 32 bits, and a value of only ones leaves the owner, which is
/// root.
fn owner_id(id: i64) -> u32 {
    let id = u32::try_from(id & i64::from(u32::MAX)).unwrap_or_default();
    if id == u32::MAX { 0 } else { id }
}
