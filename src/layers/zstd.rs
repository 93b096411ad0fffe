//! Decompresses Zstandard: a stream of frames, including skippable ones (RFC 8878, sections 3 and 3.1.2).
//!
//! `ruzstd` decodes the blocks. The C library (crate `zstd`) is 2.5 times as fast and of the same size, about 90 kB,
//! but then C code would process malicious bytes, and a cross build would need a C compiler.

use std::io::{self, BufRead, ErrorKind, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Reader for all frames of a stream; `ruzstd` reads only one.
pub(super) struct ZstdReader<R> {
    source: R,
    frame: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> ZstdReader<R> {
    /// Creates a reader that refuses windows larger than `max_window` bytes.
    pub(super) fn new(source: R, max_window: u64) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(max_window);
        Self { source, frame, in_frame: false }
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
            match self.frame.init(&mut self.source) {
                Ok(()) => return Ok(true),
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
