//! A layer's bytes as they arrive: counted and hashed.
//!
//! Does not decompress them.

use std::io::{self, ErrorKind, Read};

use sha2::{Digest as _, Sha256};

use crate::name::Digest;

/// Takes bytes from a transfer, and remembers how it failed: decoders word a failed transfer as their own error.
#[derive(Debug)]
pub(super) struct HashingReader<R> {
    inner: R,
    hasher: Sha256,
    bytes_read: u64,
    error: Option<io::Error>,
}

impl<R: Read> HashingReader<R> {
    pub(super) fn new(transfer: R) -> Self {
        Self { inner: transfer, hasher: Sha256::new(), bytes_read: 0, error: None }
    }

    /// How many bytes have arrived.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Reads what is left, at most as far as `limit` bytes of the whole, and gives the digest of the whole; nothing
    /// where there is more.
    ///
    /// # Errors
    /// Where the transfer failed, now or before.
    pub(super) fn finish(mut self, limit: u64) -> io::Result<Option<Digest>> {
        let left = limit.saturating_sub(self.bytes_read);
        if self.error.is_none() {
            let _ = io::copy(&mut Read::take(&mut self, left.saturating_add(1)), &mut io::sink());
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok((self.bytes_read <= limit).then(|| Digest::from_hasher(self.hasher))),
        }
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Ok(length) => {
                    self.hasher.update(&buffer[..length]);
                    self.bytes_read += length as u64;
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let told = error.kind().into();
                    self.error = Some(error);
                    return Err(told);
                }
            }
        }
    }
}
