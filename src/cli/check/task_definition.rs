//! `check --task-definition FILE`: the images of the containers in ECS task definitions.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::target::{CheckTarget, ContainerTarget, parse_image_argument};
use crate::cli::config::display_path;
use crate::cli::error::CliError;
use crate::cli::terminal::StyledOutput;
use crate::consumer::{ConsumerPlatform, DefinedContainer, MAX_FILE, parse_task_definitions};
use crate::name::EcrImage;
use crate::text::sanitize_quoted;

/// The containers of task definitions.
#[derive(Debug, Default)]
pub(super) struct ContainerList {
    pub(super) targets: Vec<CheckTarget>,
    /// Whether a task definition has containers that are not known yet.
    pub(super) is_incomplete: bool,
}

/// Lists the containers of these files. What is left out is named on standard error: containers of Windows, and those that
/// are not known before `terraform apply`.
///
/// # Errors
/// A file cannot be read or has no task definition, or the image of a container is not a valid reference.
pub(super) fn list_containers<E: Write>(
    files: &[PathBuf],
    err: &mut StyledOutput<E>,
) -> Result<ContainerList, CliError> {
    let mut list = ContainerList::default();
    for file in files {
        let name = display_path(file);
        let invalid = |source: Box<dyn std::error::Error + Send + Sync>| CliError::Command {
            source: format!("{name}: {source}").into(),
            hint: None,
            is_usage: true,
        };
        let found = parse_task_definitions(&read(file)?).map_err(|error| invalid(error.into()))?;
        if !found.not_known_yet.is_empty() {
            list.is_incomplete = true;
            let definitions = found.not_known_yet.join(", ");
            err.write_note(&format!(
                "{name}: not checked, because they are not known before `terraform apply`: {definitions}"
            ))?;
        }
        let is_windows = |container: &DefinedContainer| container.consumer.platform == ConsumerPlatform::Windows;
        let (windows, containers): (Vec<_>, Vec<_>) = found.containers.into_iter().partition(is_windows);
        if !windows.is_empty() {
            let names: Vec<String> =
                windows.iter().map(|container| sanitize_quoted(&container.consumer.container)).collect();
            err.write_note(&format!("{name}: Windows is not checked: {}", names.join(", ")))?;
        }
        for DefinedContainer { consumer, line } in containers {
            // FIPS and dual-stack endpoints have the same images.
            let uri = EcrImage::parse(&consumer.image).map(|image| {
                let digest = image.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
                format!("{}{digest}", image.repository.uri_with_tag(image.tag.as_ref()))
            });
            let argument = parse_image_argument(uri.as_ref().unwrap_or(&consumer.image), false).map_err(|error| {
                invalid(format!("container {}: {error}", sanitize_quoted(&consumer.container)).into())
            })?;
            let reference = consumer.image.clone();
            let container = Some(ContainerTarget { consumer, file: name.clone(), line });
            list.targets.push(CheckTarget { reference, argument, runtimes: Vec::new(), container });
        }
    }
    Ok(list)
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
