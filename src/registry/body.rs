//! The body of a blob, as it arrives: read whole up to a limit, or handed on piece by piece to whoever waits for it.
//!
//! Does not ask for anything, nor keep more than its queue holds.

use std::io::{self, Read};
use std::time::Duration;

use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{BlobReader, Lookup};

/// How many pieces wait at most; hyper hands on up to some 400 KiB at once.
const MAX_QUEUED_CHUNKS: usize = 8;

/// Reads a body of at most `limit` bytes. A larger one is refused.
///
/// # Errors
/// Where it breaks off; says after how many bytes.
pub(super) async fn read_body(mut body: ByteStream, limit: usize) -> Result<Lookup<Vec<u8>>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.try_next().await.map_err(|_| format!("it broke off after {} bytes", bytes.len()))? {
        if bytes.len() + chunk.len() > limit {
            return Ok(Lookup::Unavailable(format!("it holds more than {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Lookup::Found(bytes))
}

/// Hands a body on while it arrives: what comes over the network waits in a short queue for whoever reads. A piece may
/// take as long as `patience`.
pub(super) fn stream_body(body: ByteStream, patience: Duration) -> BlobReader {
    let (sender, receiver) = channel(MAX_QUEUED_CHUNKS);
    // Ends with the body, or when nobody reads any more.
    tokio::spawn(forward_chunks(body, sender, patience));
    Box::new(ChunkReader { receiver, chunk: Bytes::new() })
}

/// Passes a body on, piece by piece; the last word is its failure, if it fails.
async fn forward_chunks(mut body: ByteStream, sender: Sender<io::Result<Bytes>>, patience: Duration) {
    loop {
        let piece = match tokio::time::timeout(patience, body.try_next()).await {
            Ok(Ok(Some(piece))) => Ok(piece),
            Ok(Ok(None)) => return,
            Ok(Err(_)) => Err(io::Error::other("the connection broke")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing more arrived")),
        };
        let is_last = piece.is_err();
        if sender.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// The reading end.
#[derive(Debug)]
struct ChunkReader {
    receiver: Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.chunk = piece?,
                None => return Ok(0),
            }
        }
        let count = self.chunk.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
