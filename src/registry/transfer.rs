//! Reads the body of an HTTP response. No error contains a URL, because a presigned URL is a secret.

use std::error::Error;
use std::io::{self, Read};
use std::time::Duration;

use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{BlobReader, Lookup};

/// How many chunks are queued for a reader; hyper delivers chunks of up to about 400 KiB.
const MAX_QUEUED_CHUNKS: usize = 8;

/// Describes why the request to `peer` failed, by the innermost cause: the others may contain the URL.
pub(super) fn describe_connector_error(peer: &str, error: &ConnectorError) -> String {
    if error.is_timeout() {
        return format!("{peer} did not answer in time");
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let cause = cause.to_string();
    if cause.contains("://") || cause.contains('?') {
        return format!("{peer} cannot be reached");
    }
    format!("{peer} cannot be reached: {cause}")
}

/// Reads a body of at most `limit` bytes; a larger body is [`Lookup::Unavailable`].
pub(super) async fn read_body(body: SdkBody, limit: usize) -> Result<Lookup<Vec<u8>>, String> {
    let (mut body, mut bytes) = (ByteStream::new(body), Vec::new());
    let broken = |read: usize| format!("the connection broke after {read} bytes");
    while let Some(chunk) = body.try_next().await.map_err(|_| broken(bytes.len()))? {
        if bytes.len() + chunk.len() > limit {
            return Ok(Lookup::Unavailable(format!("it is larger than {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Lookup::Found(bytes))
}

/// Streams a body through a short queue. `timeout` limits each chunk.
pub(super) fn stream_body(body: SdkBody, timeout: Duration) -> BlobReader {
    let (sender, receiver) = channel(MAX_QUEUED_CHUNKS);
    // The task ends with the body, or when the reader is dropped.
    tokio::spawn(forward_chunks(ByteStream::new(body), sender, timeout));
    Box::new(ChunkReader { receiver, chunk: Bytes::new() })
}

/// Sends a body chunk by chunk, up to the first error.
async fn forward_chunks(mut body: ByteStream, sender: Sender<io::Result<Bytes>>, timeout: Duration) {
    while let Some(chunk) = next_chunk(&mut body, timeout).await.transpose() {
        let is_last = chunk.is_err();
        if sender.send(chunk).await.is_err() || is_last {
            return;
        }
    }
}

async fn next_chunk(body: &mut ByteStream, timeout: Duration) -> io::Result<Option<Bytes>> {
    let next = tokio::time::timeout(timeout, body.try_next()).await;
    let next = next.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no more data arrived in time"))?;
    next.map_err(|_| io::Error::other("the connection broke"))
}

#[derive(Debug)]
struct ChunkReader {
    receiver: Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let count = self.chunk.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
