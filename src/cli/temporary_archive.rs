//! Archives that are not files yet: from standard input, or saved from the Docker engine. Both become a temporary file,
//! because reading an archive needs random access.

use std::error::Error;
use std::io::{self, IsTerminal, Read, Write};

use tempfile::NamedTempFile;

use super::error::CliError;
use crate::registry::docker_endpoint::{DockerEndpoint, DockerEndpointError};
use crate::registry::docker_engine::{
    DockerEngineError, MAX_ARCHIVE_BYTES, create_temporary_file, has_image, save_image, write_part,
};
use crate::text::sanitize_quoted;

/// The name of standard input in errors.
pub(super) const STANDARD_INPUT_NAME: &str = "standard input";

/// The size of the parts in which standard input is copied, in bytes: that of a Linux pipe.
const COPY_BUFFER_BYTES: usize = 64 << 10;

/// Copies standard input to a temporary file.
pub(super) fn copy_standard_input() -> Result<NamedTempFile, CliError> {
    let input = io::stdin();
    if input.is_terminal() {
        let hint = Some("for example `docker save app:v1 | ecr-preflight check docker-archive:-`".to_owned());
        let source = "standard input is a terminal, not an archive".into();
        return Err(CliError::Command { source, hint, is_usage: true });
    }
    let failed =
        |source: Box<dyn Error + Send + Sync>| CliError::FileRead { path: STANDARD_INPUT_NAME.to_owned(), source };
    let mut file = create_temporary_file().map_err(temporary_file_error)?;
    let (mut input, mut buffer, mut size) = (input.lock(), vec![0; COPY_BUFFER_BYTES], 0);
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error.into())),
        };
        size += count as u64;
        if size > MAX_ARCHIVE_BYTES {
            return Err(failed(DockerEngineError::TooLarge.into()));
        }
        write_part(&mut file, &buffer[..count]).map_err(temporary_file_error)?;
    }
    if size == 0 {
        let hint = "the command before the pipe wrote nothing: look at its own error".to_owned();
        return Err(CliError::Command { source: "standard input is empty".into(), hint: Some(hint), is_usage: false });
    }
    Ok(file)
}

/// Saves an image of the Docker engine to a temporary file. Unless `is_quiet`, tells a terminal that this takes time.
pub(super) async fn save_docker_image(name: &str, is_quiet: bool) -> Result<NamedTempFile, CliError> {
    let endpoint = DockerEndpoint::find().map_err(|error| endpoint_error(&error))?;
    let err = io::stderr();
    if err.is_terminal() && !is_quiet {
        // What cannot be written to a terminal is only the progress.
        let _ = writeln!(
            err.lock(),
            "waiting for the Docker engine to save {}, which may take minutes…",
            sanitize_quoted(name)
        );
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
        DockerEngineError::CreateFile(..) | DockerEngineError::WriteFile(..) => return temporary_file_error(error),
        DockerEngineError::TimedOut(_) => "check that the engine works, for example with `docker version`",
        _ => return CliError::Command { source: Box::new(error), hint: None, is_usage: false },
    };
    CliError::Command { source: Box::new(error), hint: Some(hint.to_owned()), is_usage: false }
}

fn temporary_file_error(error: DockerEngineError) -> CliError {
    let hint = "free space in the directory for temporary files, or set TMPDIR to another one".to_owned();
    CliError::Command { source: Box::new(error), hint: Some(hint), is_usage: false }
}
