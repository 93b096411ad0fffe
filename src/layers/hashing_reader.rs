//! Counts and hashes a layer's bytes as they arrive.

use std::io::{self, ErrorKind, Read};

use sha2::{Digest as _, Sha256};

use crate::name::Digest;

/// Reader that keeps the error of a transfer, because decoders replace it with their own.
#[derive(Debug)]
pub(super) struct HashingReader<R> {
    inner: R,
    hasher: Sha256,
    bytes_read: u64,
    error: Option<io::Error>,
}

impl<R: Read> HashingReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new(), bytes_read: 0, error: None }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Reads the rest and returns the digest and number of all bytes, or `None` if there are more than `limit`. Fails if the
    /// transfer failed, now or earlier.
    pub(super) fn finish(mut self, limit: u64) -> io::Result<Option<(Digest, u64)>> {
        let remaining = limit.saturating_sub(self.bytes_read);
        if self.error.is_none() {
            let _ = io::copy(&mut Read::take(&mut self, remaining.saturating_add(1)), &mut io::sink());
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok((self.bytes_read <= limit).then(|| (Digest::from_hasher(self.hasher), self.bytes_read))),
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
                    let copy = error.kind().into();
                    self.error = Some(error);
                    return Err(copy);
                }
            }
        }
    }
}
