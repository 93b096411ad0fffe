//! Decompresses a layer: gzip with any number of members, zstd with any number of frames, or uncompressed.
//!
//! As in containerd (`DetectCompression` in `pkg/archive/compression/compression.go`), the first bytes decide, not the
//! media type.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::budget::MemoryBudget;
use super::hashing_reader::HashingReader;
use super::zstd::ZstdReader;
use crate::name::Digest;
use crate::settings::{LayerLimits, LimitExceeded};

/// The buffer size for the transfer. Larger reads were not measurably faster.
const READ_SIZE: usize = 128 * 1024;

/// The magic numbers of RFC 1952 (with deflate, its only method) and RFC 8878. A skippable frame may come first; the
/// lower four bits of its first byte are arbitrary.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ZSTD_SKIPPABLE_MAGIC: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The inspected bytes, followed by the rest.
type SniffedReader<R> = Chain<Cursor<Vec<u8>>, BufReader<HashingReader<R>>>;

enum LayerDecoder<R: Read> {
    Gzip(Box<MultiGzDecoder<SniffedReader<R>>>),
    Zstd(Box<ZstdReader<SniffedReader<R>>>),
    Plain(SniffedReader<R>),
}

/// Reader for the tar stream. If it exceeds a limit, the error contains a [`LimitExceeded`].
pub(super) struct DecompressReader<R: Read> {
    decoder: LayerDecoder<R>,
    /// Hashes the decompressed bytes of a compressed layer.
    hasher: Option<Sha256>,
    decompressed_bytes: u64,
    limits: LayerLimits,
}

impl<R: Read> DecompressReader<R> {
    /// Detects the compression from the first bytes. Fails if the transfer fails.
    pub(super) fn new(source: HashingReader<R>, limits: &LayerLimits, budget: &MemoryBudget) -> io::Result<Self> {
        let mut source = BufReader::with_capacity(READ_SIZE, source);
        let mut magic = Vec::new();
        Read::take(&mut source, ZSTD_MAGIC.len() as u64).read_to_end(&mut magic)?;
        let is_gzip = magic.starts_with(&GZIP_MAGIC);
        let is_zstd = magic == ZSTD_MAGIC
            || magic.len() == ZSTD_MAGIC.len() && magic[0] & 0xf0 == 0x50 && magic[1..] == ZSTD_SKIPPABLE_MAGIC;
        let whole = Cursor::new(magic).chain(source);
        let decoder = match (is_gzip, is_zstd) {
            (true, _) => LayerDecoder::Gzip(Box::new(MultiGzDecoder::new(whole))),
            (_, true) => LayerDecoder::Zstd(Box::new(ZstdReader::new(whole, limits.window, budget))),
            _ => LayerDecoder::Plain(whole),
        };
        let hasher = (is_gzip || is_zstd).then(Sha256::new);
        Ok(Self { decoder, hasher, decompressed_bytes: 0, limits: *limits })
    }

    /// Returns the digest of the bytes that were decompressed so far; `None` if the layer is not compressed.
    pub(super) fn decompressed_digest(&self) -> Option<Digest> {
        self.hasher.clone().map(Digest::from_hasher)
    }

    pub(super) fn decompressed_bytes(&self) -> u64 {
        self.decompressed_bytes
    }

    /// Returns the transfer, which may have unread bytes.
    pub(super) fn into_inner(self) -> HashingReader<R> {
        let sniffed = match self.decoder {
            LayerDecoder::Gzip(stream) => stream.into_inner(),
            LayerDecoder::Zstd(stream) => stream.into_inner(),
            LayerDecoder::Plain(stream) => stream,
        };
        sniffed.into_inner().1.into_inner()
    }

    fn compressed_bytes(&self) -> u64 {
        let sniffed = match &self.decoder {
            LayerDecoder::Gzip(stream) => stream.get_ref(),
            LayerDecoder::Zstd(stream) => stream.get_ref(),
            LayerDecoder::Plain(stream) => stream,
        };
        sniffed.get_ref().1.get_ref().bytes_read()
    }
}

impl<R: Read> Read for DecompressReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match &mut self.decoder {
            LayerDecoder::Gzip(stream) => stream.read(buffer),
            LayerDecoder::Zstd(stream) => stream.read(buffer),
            LayerDecoder::Plain(stream) => stream.read(buffer),
        }?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..length]);
        }
        self.decompressed_bytes += length as u64;
        let LayerLimits { bytes, ratio, ratio_from, .. } = self.limits;
        let compressed = self.compressed_bytes();
        if self.decompressed_bytes.max(compressed) > bytes {
            return Err(io::Error::other(LimitExceeded::Bytes(bytes)));
        }
        if self.decompressed_bytes > ratio_from && self.decompressed_bytes > ratio.saturating_mul(compressed) {
            return Err(io::Error::other(LimitExceeded::Ratio(ratio)));
        }
        Ok(length)
    }
}
