//! `check --task-definition FILE`: the images of the containers in ECS task definitions.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::target::{CheckTarget, parse_image_argument};
use crate::cli::config::display_path;
use crate::cli::error::CliError;
use crate::cli::terminal::StyledOutput;
use crate::consumer::{ConsumerPlatform, MAX_FILE, parse_task_definitions};
use crate::name::EcrImage;
use crate::text::sanitize_quoted;

/// Lists the containers of these files. Containers of Windows are left out, with a note on standard error.
///
/// # Errors
/// A file cannot be read or has no task definition, or the image of a container is not a valid reference.
pub(super) fn list_containers<E: Write>(
    files: &[PathBuf],
    err: &mut StyledOutput<E>,
) -> Result<Vec<CheckTarget>, CliError> {
    let mut targets = Vec::new();
    for file in files {
        let invalid = |source: Box<dyn std::error::Error + Send + Sync>| CliError::Command {
            source: format!("{}: {source}", display_path(file)).into(),
            hint: None,
            is_usage: true,
        };
        let consumers = parse_task_definitions(&read(file)?).map_err(|error| invalid(error.into()))?;
        let (windows, consumers): (Vec<_>, Vec<_>) =
            consumers.into_iter().partition(|consumer| consumer.platform == ConsumerPlatform::Windows);
        if !windows.is_empty() {
            let names: Vec<String> = windows.iter().map(|consumer| sanitize_quoted(&consumer.container)).collect();
            err.write_note(&format!("{}: Windows is not checked: {}", display_path(file), names.join(", ")))?;
        }
        for consumer in consumers {
            // FIPS and dual-stack endpoints have the same images.
            let uri = EcrImage::parse(&consumer.image).map(|image| {
                let digest = image.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
                format!("{}{digest}", image.repository.uri_with_tag(image.tag.as_ref()))
            });
            let argument = parse_image_argument(uri.as_ref().unwrap_or(&consumer.image), false)?;
            let reference = consumer.image.clone();
            targets.push(CheckTarget { reference, argument, runtimes: Vec::new(), consumer: Some(consumer) });
        }
    }
    Ok(targets)
}

/// Reads a file of at most [`MAX_FILE`] bytes.
fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed =
        |source: std::io::Error| CliError::FileRead { path: path.display().to_string(), source: source.into() };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_FILE {
        return Err(failed(std::io::Error::other(format!("it is larger than {MAX_FILE} bytes"))));
    }
    Ok(bytes)
}
