//! A layer's bytes as they arrive: counted and hashed.
//!
//! Does not decompress them.

use std::io::{self, ErrorKind, Read};

use sha2::{Digest as _, Sha256};

use crate::name::Digest;

/// Takes bytes from a transfer, and remembers how it failed: decoders word a failed transfer as their own error.
#[derive(Debug)]
pub(super) struct Source<R> {
    transfer: R,
    hasher: Sha256,
    count: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Source<R> {
    pub(super) fn new(transfer: R) -> Self {
        Self { transfer, hasher: Sha256::new(), count: 0, failed: None }
    }

    /// How many bytes have arrived.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Reads what is left, at most as far as `limit` bytes of the whole, and gives the digest of the whole; nothing
    /// where there is more.
    ///
    /// # Errors
    /// Where the transfer failed, now or before.
    pub(super) fn finish(mut self, limit: u64) -> io::Result<Option<Digest>> {
        let left = limit.saturating_sub(self.count);
        if self.failed.is_none() {
            let _ = io::copy(&mut Read::take(&mut self, left.saturating_add(1)), &mut io::sink());
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok((self.count <= limit).then(|| Digest::finished(self.hasher))),
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.transfer.read(buffer) {
                Ok(length) => {
                    self.hasher.update(&buffer[..length]);
                    self.count += length as u64;
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let told = error.kind().into();
                    self.failed = Some(error);
                    return Err(told);
                }
            }
        }
    }
}
