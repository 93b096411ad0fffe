//! Reads images of a Docker engine: saves one to an archive with `GET /images/get` of the Docker Engine API, which
//! `docker save` calls, too.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
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

/// How long the engine may take to answer a question about its images, which it has in memory.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the engine may take to begin the archive, and for each part of it. It first packs the layers again, which
/// takes minutes for an image of many gigabytes.
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
    #[error("the Docker engine did not send anything for {} seconds", .0.as_secs())]
    TimedOut(Duration),
    #[error("the archive is larger than {} GiB", MAX_ARCHIVE_BYTES >> 30)]
    TooLarge,
    #[error("cannot create a temporary file in {}", .0.display())]
    CreateFile(PathBuf, #[source] io::Error),
    #[error("cannot write the temporary file {}", .0.display())]
    WriteFile(PathBuf, #[source] io::Error),
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
    check_image(endpoint, name).await?;
    let query = Serializer::new(String::new()).append_pair("names", name).finish();
    let response = request(endpoint, &format!("/images/get?{query}"), CHUNK_TIMEOUT).await?;
    if response.status() != StatusCode::OK {
        return Err(read_refusal(name, response).await);
    }
    let mut file = create_temporary_file()?;
    let (mut body, mut size) = (response.into_body(), 0);
    while let Some(frame) =
        timeout(CHUNK_TIMEOUT, body.frame()).await.map_err(|_| DockerEngineError::TimedOut(CHUNK_TIMEOUT))?
    {
        let Ok(chunk) = frame.map_err(transfer_error)?.into_data() else { continue };
        size += chunk.len() as u64;
        if size > MAX_ARCHIVE_BYTES {
            return Err(DockerEngineError::TooLarge);
        }
        write_part(&mut file, &chunk)?;
    }
    Ok(file)
}

/// Creates the file for an archive.
///
/// # Errors
/// The directory for temporary files does not exist, or is not writable.
pub fn create_temporary_file() -> Result<NamedTempFile, DockerEngineError> {
    NamedTempFile::new().map_err(|error| DockerEngineError::CreateFile(env::temp_dir(), error))
}

/// Appends a part of an archive.
///
/// # Errors
/// The file cannot be written, for example because the disk is full.
pub fn write_part(file: &mut NamedTempFile, part: &[u8]) -> Result<(), DockerEngineError> {
    file.write_all(part).map_err(|error| DockerEngineError::WriteFile(file.path().to_owned(), error))
}

/// Asks for the image's description, `GET /images/NAME/json`, so that an engine that does not answer or does not have the
/// image is an error at once.
async fn check_image(endpoint: &DockerEndpoint, name: &str) -> Result<(), DockerEngineError> {
    let response = request(endpoint, &format!("/images/{}/json", encode_path(name)), QUERY_TIMEOUT).await?;
    // Without a tag, the description is that of `latest`, but the archive contains all tags.
    let has_tag = name.contains('@') || name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    match response.status() {
        StatusCode::OK => Ok(()),
        StatusCode::NOT_FOUND if !has_tag => Ok(()),
        _ => Err(read_refusal(name, response).await),
    }
}

/// Encodes a name as part of a path, in which the engine expects its slashes.
fn encode_path(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

/// Returns whether the engine has an image with this name; false if it does not answer.
pub async fn has_image(endpoint: &DockerEndpoint, name: &str) -> bool {
    let filter = serde_json::json!({"reference": [name]}).to_string();
    let query = Serializer::new(String::new()).append_pair("filters", &filter).finish();
    let read = async {
        let response = request(endpoint, &format!("/images/json?{query}"), QUERY_TIMEOUT).await.ok()?;
        let body = Limited::new(response.into_body(), MAX_LIST_BYTES).collect().await.ok()?;
        serde_json::from_slice::<Vec<IgnoredAny>>(&body.to_bytes()).ok()
    };
    timeout(QUERY_TIMEOUT, read).await.is_ok_and(|found| found.is_some_and(|images| !images.is_empty()))
}

/// Sends a request, and returns the response if it begins within `limit`.
async fn request(
    endpoint: &DockerEndpoint,
    path: &str,
    limit: Duration,
) -> Result<Response<Incoming>, DockerEngineError> {
    let connect = |source| DockerEngineError::Connect { endpoint: endpoint.clone(), source };
    let no_answer = || connect(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
    match endpoint {
        #[cfg(unix)]
        DockerEndpoint::Unix(socket) => {
            let stream = timeout(CONNECT_TIMEOUT, tokio::net::UnixStream::connect(socket)).await;
            send_request(stream.map_err(|_| no_answer())?.map_err(connect)?, "docker", path, limit).await
        }
        #[cfg(not(unix))]
        DockerEndpoint::Unix(_) => Err(connect(io::ErrorKind::Unsupported.into())),
        DockerEndpoint::Tcp(address) => {
            let stream = timeout(CONNECT_TIMEOUT, tokio::net::TcpStream::connect(address)).await;
            send_request(stream.map_err(|_| no_answer())?.map_err(connect)?, address, path, limit).await
        }
    }
}

async fn send_request(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    path: &str,
    limit: Duration,
) -> Result<Response<Incoming>, DockerEngineError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(transfer_error)?;
    // It ends with the response; an error of the connection is also one of the response's body.
    tokio::spawn(connection);
    let request = Request::get(path).header(HOST, host);
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| DockerEngineError::Transfer(error.into()))?;
    let response = timeout(limit, sender.send_request(request)).await;
    response.map_err(|_| DockerEngineError::TimedOut(limit))?.map_err(transfer_error)
}

fn transfer_error(error: hyper::Error) -> DockerEngineError {
    DockerEngineError::Transfer(error.into())
}

async fn read_refusal(name: &str, response: Response<Incoming>) -> DockerEngineError {
    let status = response.status();
    if status == StatusCode::NOT_FOUND {
        return DockerEngineError::NoSuchImage(name.to_owned());
    }
    let body = match timeout(QUERY_TIMEOUT, Limited::new(response.into_body(), MAX_ERROR_BYTES).collect()).await {
        Err(_) => return DockerEngineError::TimedOut(QUERY_TIMEOUT),
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
