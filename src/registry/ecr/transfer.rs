//! A blob that is read while it arrives: what comes over the network waits in a short queue for whoever reads.
//!
//! Does not follow redirects, nor keep more than the queue holds. Errors name the blob by its digest and never the
//! address.

use std::io::{self, Read};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::super::{RegistryError, Stream};
use super::blob::open;
use crate::reference::Digest;

/// How many pieces wait at most; hyper hands on up to some 400 KiB at once.
const QUEUE: usize = 8;

/// How long one piece may take. Storage services deliver many in a second; what takes so much longer has stalled.
const STALLED: Duration = Duration::from_secs(10);

/// Begins to fetch a blob.
pub(super) async fn begin(http: &SharedHttpConnector, url: &str, digest: &Digest) -> Result<Stream, RegistryError> {
    let failed = |reason: String| RegistryError::Transfer { digest: digest.clone(), reason };
    let opened = tokio::time::timeout(STALLED, open(http, url)).await;
    let body =
        opened.unwrap_or_else(|_| Err("the storage service did not answer in time".to_owned())).map_err(failed)?;
    let (sender, receiver) = channel(QUEUE);
    // Ends with the body, or when nobody reads any more.
    tokio::spawn(pass(body, sender));
    Ok(Box::new(Pieces { receiver, piece: Bytes::new() }))
}

/// Passes a body on, piece by piece; the last word is its failure, if it fails.
async fn pass(mut body: ByteStream, sender: Sender<io::Result<Bytes>>) {
    loop {
        let piece = match tokio::time::timeout(STALLED, body.try_next()).await {
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
struct Pieces {
    receiver: Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}
