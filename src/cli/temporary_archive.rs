//! Archives that are not files yet: from standard input, or saved from the Docker engine. Both become a temporary file,
//! because reading an archive needs random access.

use std::io::{self, IsTerminal, Read, Write};

use tempfile::NamedTempFile;

use super::error::CliError;
use crate::registry::docker_endpoint::{DockerEndpoint, DockerEndpointError};
use crate::registry::docker_engine::{DockerEngineError, MAX_ARCHIVE_BYTES, has_image, save_image};
use crate::text::sanitize_quoted;

/// Copies standard input to a temporary file.
pub(super) fn copy_standard_input() -> Result<NamedTempFile, CliError> {
    let input = io::stdin();
    if input.is_terminal() {
        let hint = Some("for example `docker save app:v1 | ecr-preflight check docker-archive:-`".to_owned());
        let source = "standard input is a terminal, not an archive".into();
        return Err(CliError::Command { source, hint, is_usage: true });
    }
    let read_error =
        |source: io::Error| CliError::FileRead { path: "standard input".to_owned(), source: source.into() };
    let mut file = NamedTempFile::new().map_err(read_error)?;
    let size = io::copy(&mut input.lock().take(MAX_ARCHIVE_BYTES + 1), &mut file).map_err(read_error)?;
    if size > MAX_ARCHIVE_BYTES {
        return Err(CliError::FileRead {
            path: "standard input".to_owned(),
            source: DockerEngineError::TooLarge.into(),
        });
    }
    Ok(file)
}

/// Saves an image of the Docker engine to a temporary file.
pub(super) async fn save_docker_image(name: &str) -> Result<NamedTempFile, CliError> {
    let endpoint = DockerEndpoint::find().map_err(|error| endpoint_error(&error))?;
    let err = io::stderr();
    if err.is_terminal() {
        // What cannot be written to a terminal is only the progress.
        let _ = writeln!(err.lock(), "saving {} from the Docker engine…", sanitize_quoted(name));
    }
    save_image(&endpoint, name).await.map_err(|error| engine_error(name, error))
}

/// Returns whether the Docker engine of this machine has an image with this name. Without an engine it has none.
pub(super) async fn is_in_docker_engine(name: &str) -> bool {
    match DockerEndpoint::find() {
        Ok(endpoint) => has_image(&endpoint, name).await,
        Err(_) => false,
    }
}

fn endpoint_error(error: &DockerEndpointError) -> CliError {
    let hint = "`docker save NAME | ecr-preflight check docker-archive:-` uses the `docker` command's own connection";
    CliError::Command { source: error.to_string().into(), hint: Some(hint.to_owned()), is_usage: true }
}

fn engine_error(name: &str, error: DockerEngineError) -> CliError {
    let hint = match &error {
        DockerEngineError::NoSuchImage(_) => {
            let hint = Some("`docker images` lists the images".to_owned());
            return CliError::ImageNotFound { reference: format!("docker-daemon:{}", sanitize_quoted(name)), hint };
        }
        DockerEngineError::Connect { source, .. } => match source.kind() {
            io::ErrorKind::PermissionDenied => "add yourself to the group that owns the socket, usually `docker`",
            _ => "start Docker, or set DOCKER_HOST or DOCKER_CONTEXT; `docker context ls` shows the engines",
        },
        DockerEngineError::Write(_) => "free space in the temporary directory, or set TMPDIR to another one",
        _ => return CliError::Command { source: Box::new(error), hint: None, is_usage: false },
    };
    CliError::Command { source: Box::new(error), hint: Some(hint.to_owned()), is_usage: false }
}
