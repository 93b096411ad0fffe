//! Decompresses Zstandard: a stream of frames, including skippable ones (RFC 8878, sections 3 and 3.1.2).
//!
//! `ruzstd` decodes the blocks. The C library (crate `zstd`) is 2.5 times as fast and of the same size, about 90 kB,
//! but then C code would process malicious bytes, and a cross build would need a C compiler.

use std::io::{self, BufRead, ErrorKind, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::budget::{MemoryBudget, MemoryCharge};
use crate::settings::LimitExceeded;

/// The memory of a decoder in addition to the window, in bytes: its tables, one block (128 KiB) with its literals and
/// sequences, and two blocks in the window's buffer (`SLACK` in `ringbuffer.rs` of `ruzstd`).
const DECODER_OVERHEAD: usize = 2 * 1024 * 1024;

/// The bytes of a frame header up to the window descriptor: RFC 8878, 3.1.1 and 3.1.1.1.
const HEADER_START: usize = 6;

/// The bit of the frame header descriptor, the byte before the window descriptor, that says that there is none. Then
/// the window has the size of the content (RFC 8878, 3.1.1.1.1.2).
const SINGLE_SEGMENT_FLAG: u8 = 1 << 5;

/// Reader for all frames of a stream; `ruzstd` reads only one.
pub(super) struct ZstdReader<R> {
    source: R,
    frame: FrameDecoder,
    in_frame: bool,
    /// The memory of the decoder, which keeps its largest window.
    charge: MemoryCharge,
}

impl<R: BufRead> ZstdReader<R> {
    /// Creates a reader that refuses windows larger than `max_window` bytes, and charges windows to the budget.
    pub(super) fn new(source: R, max_window: u64, budget: &MemoryBudget) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(max_window);
        Self { source, frame, in_frame: false, charge: budget.start_charge() }
    }

    pub(super) fn get_ref(&self) -> &R {
        &self.source
    }

    pub(super) fn into_inner(self) -> R {
        self.source
    }

    /// Starts the next frame that has data. Returns `false` at the end.
    fn start_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let mut header = HeaderReader { source: &mut self.source, start: [0; HEADER_START], length: 0 };
            match self.frame.init(&mut header) {
                Ok(()) => {
                    // The decoder allocates the window, but uses no part of it before the first block.
                    let window = header.window_size().unwrap_or_else(|| self.frame.content_size());
                    self.charge_window(window).map_err(io::Error::other)?;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut Read::take(&mut self.source, length), &mut io::sink())? < length {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
            }
        }
    }
}

impl<R> ZstdReader<R> {
    /// Charges a window of this many bytes. The decoder's buffer is a power of two.
    fn charge_window(&mut self, window: u64) -> Result<(), LimitExceeded> {
        let buffer = usize::try_from(window).ok().and_then(usize::checked_next_power_of_two).unwrap_or(usize::MAX);
        self.charge.grow_to(buffer.saturating_add(DECODER_OVERHEAD))
    }
}

/// Reader that keeps the start of a frame header, because `ruzstd` does not return the size of the window.
struct HeaderReader<'a, R> {
    source: &'a mut R,
    start: [u8; HEADER_START],
    length: usize,
}

impl<R> HeaderReader<'_, R> {
    /// Returns the size of the window in bytes, or `None` if it is that of the content.
    fn window_size(&self) -> Option<u64> {
        let [.., descriptor, window] = self.start;
        let base = 1 << (10 + u32::from(window >> 3));
        (descriptor & SINGLE_SEGMENT_FLAG == 0).then(|| base + base / 8 * u64::from(window & 7))
    }
}

impl<R: Read> Read for HeaderReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let free = &mut self.start[self.length..];
        let kept = count.min(free.len());
        free[..kept].copy_from_slice(&buffer[..kept]);
        self.length += kept;
        Ok(count)
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.in_frame && self.frame.can_collect() > 0 {
                return Read::read(&mut self.frame, buffer);
            }
            if self.in_frame && !self.frame.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.frame.decode_blocks(&mut self.source, one);
                decoded.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
                continue;
            }
            self.in_frame = self.start_frame()?;
            if !self.in_frame {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    /// A frame of 128 zeros with these bytes after the magic number, up to the first block.
    fn frame(header: &[u8]) -> Vec<u8> {
        // A last block (1) that repeats (1 << 1) a byte 128 times: RFC 8878, 3.1.1.2.
        let block = [(128 << 3 | 1 << 1 | 1_u16).to_le_bytes().as_slice(), &[0, 0]].concat();
        [b"\x28\xb5\x2f\xfd", header, &block].concat()
    }

    fn read(stream: &[u8], max_bytes: usize) -> Result<usize, Option<LimitExceeded>> {
        let mut zstd = ZstdReader::new(stream, u64::MAX, &MemoryBudget::new(max_bytes, || false));
        let result = io::copy(&mut zstd, &mut io::sink());
        result.map(|count| usize::try_from(count).unwrap()).map_err(|error| error.downcast().ok())
    }

    #[test]
    fn windows_are_charged_to_the_budget() {
        // 8 MiB and 7/8 of that, which needs a buffer of 16 MiB; and the size of the content.
        for (header, window) in [
            ([0, 13 << 3].as_slice(), 8 * MIB),
            (&[0, 13 << 3 | 7], 16 * MIB),
            (&[SINGLE_SEGMENT_FLAG, 128], 128),
            (&[SINGLE_SEGMENT_FLAG | 2 << 6, 0, 0, 0x80, 0], 8 * MIB),
        ] {
            let needed = window + DECODER_OVERHEAD;
            assert_eq!(read(&frame(header), needed.next_multiple_of(MIB / 4)), Ok(128), "{header:?}");
            assert_eq!(read(&frame(header), needed - 1), Err(Some(LimitExceeded::TotalMemory(needed - 1))));
        }
    }

    #[test]
    fn later_frames_are_charged_only_if_they_are_larger() {
        let [small, large] = [[0, 3 << 3], [0, 13 << 3]].map(|header| frame(&header));
        let stream = [small.as_slice(), &large, &small, &large].concat();
        assert_eq!(read(&stream, 8 * MIB + DECODER_OVERHEAD), Ok(4 * 128));
    }
}
