//! Reads images of a Docker engine: saves one to an archive with `GET /images/get` of the Docker Engine API, which
//! `docker save` calls, too.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::docker_endpoint::DockerEndpoint;
use crate::text::sanitize;

/// How long the engine may take to accept a connection: it runs on this machine or in its virtual machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the engine may take to answer, and for each part of the archive. It first packs the layers again, which takes
/// minutes for an image of many gigabytes.
const CHUNK_TIMEOUT: Duration = Duration::from_mins(5);

/// The largest archive, in bytes: several times the largest image that Amazon ECS and AWS Lambda run.
pub const MAX_ARCHIVE_BYTES: u64 = 64 << 30;

/// The largest list of images with one name that is read, in bytes.
const MAX_LIST_BYTES: usize = 1 << 20;

/// The largest error message that is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// The longest part of an error message that is shown.
const MAX_SHOWN_ERROR: usize = 300;

/// The image could not be saved.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum DockerEngineError {
    #[error("cannot connect to the Docker engine at {endpoint}")]
    Connect { endpoint: DockerEndpoint, source: io::Error },
    #[error("the Docker engine has no image `{0}`")]
    NoSuchImage(String),
    #[error("the Docker engine refused the request with status {status}: {message}")]
    Refused { status: u16, message: String },
    #[error("the transfer from the Docker engine failed")]
    Transfer(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the Docker engine did not send anything for {} minutes", CHUNK_TIMEOUT.as_secs() / 60)]
    TimedOut,
    #[error("the archive is larger than {} GiB", MAX_ARCHIVE_BYTES >> 30)]
    TooLarge,
    #[error("cannot write the archive to a temporary file")]
    Write(#[source] io::Error),
}

/// The body of the engine's errors.
#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

/// Saves the image with this name, as Docker knows it, to a temporary file, which is an archive of `docker save`.
///
/// # Errors
/// The engine cannot be reached, does not have the image, or does not send all of it; or the file cannot be written.
pub async fn save_image(endpoint: &DockerEndpoint, name: &str) -> Result<NamedTempFile, DockerEngineError> {
    let query = Serializer::new(String::new()).append_pair("names", name).finish();
    let response = request(endpoint, &format!("/images/get?{query}")).await?;
    if response.status() != StatusCode::OK {
        return Err(read_refusal(name, response).await);
    }
    let mut file = NamedTempFile::new().map_err(DockerEngineError::Write)?;
    let (mut body, mut size) = (response.into_body(), 0);
    while let Some(frame) = timeout(CHUNK_TIMEOUT, body.frame()).await.map_err(|_| DockerEngineError::TimedOut)? {
        let Ok(chunk) = frame.map_err(transfer_error)?.into_data() else { continue };
        size += chunk.len() as u64;
        if size > MAX_ARCHIVE_BYTES {
            return Err(DockerEngineError::TooLarge);
        }
        file.write_all(&chunk).map_err(DockerEngineError::Write)?;
    }
    Ok(file)
}

/// Returns whether the engine has an image with this name; false if it does not answer.
pub async fn has_image(endpoint: &DockerEndpoint, name: &str) -> bool {
    let filter = serde_json::json!({"reference": [name]}).to_string();
    let query = Serializer::new(String::new()).append_pair("filters", &filter).finish();
    let read = async {
        let response = request(endpoint, &format!("/images/json?{query}")).await.ok()?;
        let body = Limited::new(response.into_body(), MAX_LIST_BYTES).collect().await.ok()?;
        serde_json::from_slice::<Vec<IgnoredAny>>(&body.to_bytes()).ok()
    };
    timeout(CONNECT_TIMEOUT, read).await.is_ok_and(|found| found.is_some_and(|images| !images.is_empty()))
}

async fn request(endpoint: &DockerEndpoint, path: &str) -> Result<Response<Incoming>, DockerEngineError> {
    let connect = |source| DockerEngineError::Connect { endpoint: endpoint.clone(), source };
    let no_answer = || connect(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
    match endpoint {
        #[cfg(unix)]
        DockerEndpoint::Unix(socket) => {
            let stream = timeout(CONNECT_TIMEOUT, tokio::net::UnixStream::connect(socket)).await;
            send_request(stream.map_err(|_| no_answer())?.map_err(connect)?, "docker", path).await
        }
        #[cfg(not(unix))]
        DockerEndpoint::Unix(_) => Err(connect(io::ErrorKind::Unsupported.into())),
        DockerEndpoint::Tcp(address) => {
            let stream = timeout(CONNECT_TIMEOUT, tokio::net::TcpStream::connect(address)).await;
            send_request(stream.map_err(|_| no_answer())?.map_err(connect)?, address, path).await
        }
    }
}

async fn send_request(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    path: &str,
) -> Result<Response<Incoming>, DockerEngineError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(transfer_error)?;
    // It ends with the response; an error of the connection is also one of the response's body.
    tokio::spawn(connection);
    let request = Request::get(path).header(HOST, host);
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| DockerEngineError::Transfer(error.into()))?;
    let response = timeout(CHUNK_TIMEOUT, sender.send_request(request)).await;
    response.map_err(|_| DockerEngineError::TimedOut)?.map_err(transfer_error)
}

fn transfer_error(error: hyper::Error) -> DockerEngineError {
    DockerEngineError::Transfer(error.into())
}

async fn read_refusal(name: &str, response: Response<Incoming>) -> DockerEngineError {
    let status = response.status();
    if status == StatusCode::NOT_FOUND {
        return DockerEngineError::NoSuchImage(name.to_owned());
    }
    let body = match timeout(CHUNK_TIMEOUT, Limited::new(response.into_body(), MAX_ERROR_BYTES).collect()).await {
        Err(_) => return DockerEngineError::TimedOut,
        Ok(body) => body.map(Collected::to_bytes).unwrap_or_default(),
    };
    let message = match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(body) => sanitize(&body.message, MAX_SHOWN_ERROR),
        Err(_) => "its answer is not one of the Docker Engine API".to_owned(),
    };
    DockerEngineError::Refused { status: status.as_u16(), message }
}

impl fmt::Display for DockerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}
