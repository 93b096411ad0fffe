//! A tar archive as a stream of entries: ustar, pax, GNU and the older kind.
//!
//! Does not know what a whiteout is, and does not use the crate `tar`: that one reads long names and pax records whole
//! into memory whatever their size, refuses pax values that hold a newline, and blank numbers. What an archive means is
//! taken from Go's `archive/tar` (`src/archive/tar/reader.go`), because containerd and Docker read layers with it.

mod header;
mod pax;
mod sparse;

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use self::header::{BLOCK, Header};
use self::pax::Records;
use self::sparse::Map;
use crate::layers::layer::LayerError;
use crate::rootfs::Owner;
use crate::rootfs::{Collector, Contents};
use crate::settings::{Bound, Limits};

pub(super) use self::header::Kind;

/// How much is decompressed at once; half of a processor's second-level cache or less.
const READ: usize = 64 * 1024;

/// How many zeros of holes a file's collector is shown. What is kept of a file lies at its beginning; a hole costs its
/// maker nothing, whatever its size.
const MAX_HOLES: u64 = 64 * 1024 * 1024;
static ZEROS: [u8; READ] = [0; READ];

/// The entries of an archive.
pub(super) struct Archive<R: Read> {
    input: BufReader<R>,
    record: u64,
    /// What is left of the current entry's data, and of the padding after it.
    left: u64,
    padding: u64,
}

/// What an entry says.
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) name: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) owner: Owner,
    /// The size of the file, holes included.
    pub(super) size: u64,
    map: Option<Map>,
}

/// The archive is not one that could be unpacked.
pub(super) fn damaged(reason: &'static str) -> LayerError {
    LayerError::Archive(reason)
}

impl<R: Read> Archive<R> {
    pub(super) fn new(input: R, limits: &Limits) -> Self {
        Self { input: BufReader::with_capacity(READ, input), record: limits.record, left: 0, padding: 0 }
    }

    /// What the archive is read from.
    pub(super) fn into_input(self) -> R {
        self.input.into_inner()
    }

    /// The next entry; what was not read of the one before is skipped.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, LayerError> {
        let mut records = Records::default();
        let mut long_name = None;
        let mut long_target = None;
        let mut described = false;
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return if described { Err(damaged("it ends after a record without an entry")) } else { Ok(None) };
            };
            self.left = header.size()?;
            self.padding = self.left.wrapping_neg() % BLOCK as u64;
            match header.kind_byte() {
                // Go hands global records on as an entry, which containerd skips.
                b'g' => continue,
                b'x' => records = Records::parse(&self.record()?)?,
                b'L' => long_name = Some(header::text(&self.record()?)),
                b'K' => long_target = Some(header::text(&self.record()?)),
                _ => return self.entry(&header, &records, long_name, long_target).map(Some),
            }
            described = true;
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        records: &Records,
        long_name: Option<Vec<u8>>,
        long_target: Option<Vec<u8>>,
    ) -> Result<Entry, LayerError> {
        let name = records.sparse_name.clone().or_else(|| records.path.clone()).unwrap_or_else(|| header.name());
        let name = long_name.unwrap_or(name);
        let target = long_target.or_else(|| records.target.clone()).unwrap_or_else(|| header.target());
        let kind = header.kind(&name)?;
        if let Some(size) = records.size {
            self.left = size;
        }
        // The size of a directory or a link says nothing about what follows: `isHeaderOnly`.
        if kind != Kind::File {
            self.left = 0;
        }
        self.padding = self.left.wrapping_neg() % BLOCK as u64;
        let number = |number: u64| u32::try_from(number).map_err(|_| damaged("a user or group has too large a number"));
        let owner = Owner {
            mode: header.mode()?,
            user: number(records.user.map_or_else(|| header.user(), Ok)?)?,
            group: number(records.group.map_or_else(|| header.group(), Ok)?)?,
        };
        let mut entry = Entry { kind, name, target, owner, size: self.left, map: None };
        if kind == Kind::File {
            entry.map = self.map(header, records)?;
            entry.size = entry.map.as_ref().map_or(self.left, Map::size);
        }
        Ok(entry)
    }

    /// Where the data of a sparse file belongs.
    fn map(&mut self, header: &Header, records: &Records) -> Result<Option<Map>, LayerError> {
        let record = self.record;
        let pieces = if header.is_gnu_sparse() {
            sparse::old(header, record, || self.header_block())?
        } else if records.map_is_data() {
            sparse::text(record, || self.data_block())?
        } else if let Some(map) = &records.map {
            map.clone()
        } else {
            return Ok(None);
        };
        let size = if header.is_gnu_sparse() { header.real_size()? } else { records.real_size.unwrap_or(self.left) };
        Map::new(&pieces, size, self.left).map(Some)
    }

    /// What is kept of the current entry's contents.
    pub(super) fn contents(&mut self, entry: &Entry) -> Result<Contents, LayerError> {
        let mut collector = Collector::default();
        let Some(map) = &entry.map else {
            self.pass(self.left, |bytes| collector.push(bytes))?;
            return Ok(collector.finish());
        };
        let mut at = 0;
        let mut holes = MAX_HOLES;
        for (offset, length) in map.pieces() {
            let mut hole = offset - at;
            if hole > holes {
                break;
            }
            holes -= hole;
            while hole > 0 {
                let length = hole.min(READ as u64);
                collector.push(&ZEROS[..usize::try_from(length).unwrap_or(READ)]);
                hole -= length;
            }
            self.pass(length, |bytes| collector.push(bytes))?;
            at = offset + length;
        }
        let mut contents = collector.finish();
        contents.size = entry.size;
        Ok(contents)
    }

    /// Reads the stream to its end, whatever comes after the archive.
    pub(super) fn finish(&mut self) -> Result<(), LayerError> {
        while self.fill()? > 0 {
            self.input.consume(self.input.buffer().len());
        }
        Ok(())
    }

    /// The next header; none at the end, which two blocks of zeros make, or the end of the stream.
    fn header(&mut self) -> Result<Option<Header>, LayerError> {
        if self.fill()? == 0 {
            return Ok(None);
        }
        let block = self.block()?;
        if block != [0; BLOCK] {
            return Header::new(&block).map(Some);
        }
        if self.fill()? == 0 || self.block()? == [0; BLOCK] { Ok(None) } else { Err(damaged("a header is empty")) }
    }

    fn block(&mut self) -> Result<[u8; BLOCK], LayerError> {
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block).map_err(LayerError::reading)?;
        Ok(block)
    }

    /// A block that continues a header.
    fn header_block(&mut self) -> Result<[u8; BLOCK], LayerError> {
        self.block()
    }

    /// A block of the current entry's data.
    fn data_block(&mut self) -> Result<[u8; BLOCK], LayerError> {
        let left = self.left.checked_sub(BLOCK as u64);
        self.left = left.ok_or(damaged("a sparse file ends within its map"))?;
        self.block()
    }

    /// The current entry's data, which describes the entry after it.
    fn record(&mut self) -> Result<Vec<u8>, LayerError> {
        if self.left > self.record {
            return Err(Bound::Record(self.record).into());
        }
        let mut record = Vec::new();
        self.pass(self.left, |bytes| record.extend_from_slice(bytes))?;
        Ok(record)
    }

    fn skip(&mut self) -> Result<(), LayerError> {
        self.pass(self.left, |_| ())?;
        // The padding of the last entry may be missing, as Go allows.
        while self.padding > 0 {
            let length = (self.fill()? as u64).min(self.padding);
            if length == 0 {
                break;
            }
            self.input.consume(usize::try_from(length).unwrap_or(0));
            self.padding -= length;
        }
        self.padding = 0;
        Ok(())
    }

    /// Passes the next bytes of the current entry's data on.
    fn pass(&mut self, mut length: u64, mut to: impl FnMut(&[u8])) -> Result<(), LayerError> {
        self.left -= length;
        while length > 0 {
            if self.fill()? == 0 {
                return Err(LayerError::reading(ErrorKind::UnexpectedEof.into()));
            }
            let bytes = self.input.buffer();
            let some = usize::try_from(length).map_or(bytes.len(), |length| length.min(bytes.len()));
            to(&bytes[..some]);
            self.input.consume(some);
            length -= some as u64;
        }
        Ok(())
    }

    /// How many bytes can be had at once; none at the end.
    fn fill(&mut self) -> Result<usize, LayerError> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LayerError::reading(error)),
            }
        }
    }
}
