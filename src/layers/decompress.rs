//! A layer's bytes as its tar stream: gzip of several members, zstd of several frames, or as it is.
//!
//! Does not believe media types: containerd looks at the first bytes too (`DetectCompression` in
//! `pkg/archive/compression/compression.go`), so a wrong type neither saves an image nor breaks it.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::source::Source;
use super::zstd::Zstd;
use crate::settings::{Bound, Limits};

/// How much of the transfer is asked for at once. Larger reads gained nothing measurable.
const READ: usize = 128 * 1024;

/// The magic numbers of RFC 1952 (with the only method, deflate) and RFC 8878. A frame to be skipped may come first; the
/// lower four bits of its first byte are free.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ZSTD_SKIP: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The bytes that were sniffed, and those after them.
type Sniffed<R> = Chain<Cursor<Vec<u8>>, BufReader<Source<R>>>;

enum Stream<R: Read> {
    Gzip(Box<MultiGzDecoder<Sniffed<R>>>),
    Zstd(Box<Zstd<Sniffed<R>>>),
    Plain(Sniffed<R>),
}

/// The tar stream, which ends with a [`Bound`] as its error where it grows too large.
pub(super) struct Decompressed<R: Read> {
    stream: Stream<R>,
    count: u64,
    limits: Limits,
}

impl<R: Read> Decompressed<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// Where they do not arrive.
    pub(super) fn new(source: Source<R>, limits: &Limits) -> io::Result<Self> {
        let mut source = BufReader::with_capacity(READ, source);
        let mut magic = Vec::new();
        Read::take(&mut source, ZSTD.len() as u64).read_to_end(&mut magic)?;
        let is_gzip = magic.starts_with(&GZIP);
        let is_zstd = magic == ZSTD || magic.len() == ZSTD.len() && magic[0] & 0xf0 == 0x50 && magic[1..] == ZSTD_SKIP;
        let whole = Cursor::new(magic).chain(source);
        let stream = match (is_gzip, is_zstd) {
            (true, _) => Stream::Gzip(Box::new(MultiGzDecoder::new(whole))),
            (_, true) => Stream::Zstd(Box::new(Zstd::new(whole, limits.window))),
            _ => Stream::Plain(whole),
        };
        Ok(Self { stream, count: 0, limits: *limits })
    }

    /// How many bytes were decompressed.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The transfer, however far it was read.
    pub(super) fn into_source(self) -> Source<R> {
        let sniffed = match self.stream {
            Stream::Gzip(stream) => stream.into_inner(),
            Stream::Zstd(stream) => stream.into_source(),
            Stream::Plain(stream) => stream,
        };
        sniffed.into_inner().1.into_inner()
    }

    fn compressed(&self) -> u64 {
        let sniffed = match &self.stream {
            Stream::Gzip(stream) => stream.get_ref(),
            Stream::Zstd(stream) => stream.source(),
            Stream::Plain(stream) => stream,
        };
        sniffed.get_ref().1.get_ref().count()
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match &mut self.stream {
            Stream::Gzip(stream) => stream.read(buffer),
            Stream::Zstd(stream) => stream.read(buffer),
            Stream::Plain(stream) => stream.read(buffer),
        }?;
        self.count += length as u64;
        let Limits { bytes, ratio, ratio_from, .. } = self.limits;
        let compressed = self.compressed();
        if self.count.max(compressed) > bytes {
            return Err(io::Error::other(Bound::Bytes(bytes)));
        }
        if self.count > ratio_from && self.count > ratio.saturating_mul(compressed) {
            return Err(io::Error::other(Bound::Ratio(ratio)));
        }
        Ok(length)
    }
}
