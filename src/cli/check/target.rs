//! The images to check: those of the command line or, if it names none, those of the configuration file.

use std::io::Write;

use crate::cli::config::{Configuration, display_path};
use crate::cli::error::CliError;
use crate::cli::image_ref::ImageArgument;
use crate::cli::scheme_check::detect_wrong_scheme;
use crate::cli::terminal::StyledOutput;
use crate::consumer::Consumer;
use crate::runtime::Runtime;

/// One image to check.
#[derive(Debug)]
pub(super) struct CheckTarget {
    /// The reference as it was written.
    pub(super) reference: String,
    pub(super) argument: ImageArgument,
    /// The runtimes of the command line, else those of the configuration file; empty for those that the image declares.
    pub(super) runtimes: Vec<Runtime>,
    /// The container that runs the image, with `--task-definition`.
    pub(super) container: Option<ContainerTarget>,
}

/// A container of a task definition, and where it is defined.
#[derive(Debug)]
pub(super) struct ContainerTarget {
    pub(super) consumer: Consumer,
    /// The file, as messages name it.
    pub(super) file: String,
    /// The line in the file, from 1.
    pub(super) line: usize,
}

/// Lists the images. All references are parsed before the first image is read: a typing error is not a verdict. If the
/// images come from the configuration file, a note on standard error names it.
///
/// # Errors
/// There is no image, or a reference is invalid.
pub(super) fn list_targets<E: Write>(
    images: &[String],
    runtimes: &[Runtime],
    configuration: &Configuration,
    err: &mut StyledOutput<E>,
) -> Result<Vec<CheckTarget>, CliError> {
    let usage = |message: &str, hint: Option<&str>| CliError::Command {
        source: message.into(),
        hint: hint.map(str::to_owned),
        is_usage: true,
    };
    let mut targets = Vec::new();
    if images.is_empty() {
        let is_only = configuration.images.len() == 1;
        for configured in &configuration.images {
            let mut argument = parse_image_argument(&configured.image, is_only)?;
            if let Some(directory) = configuration.directory() {
                argument.resolve_path(directory);
            }
            let runtimes = if runtimes.is_empty() { configured.runtimes.clone() } else { runtimes.to_vec() };
            targets.push(CheckTarget { reference: configured.image.clone(), argument, runtimes, container: None });
        }
    } else {
        for reference in images {
            let argument = parse_image_argument(reference, images.len() == 1)?;
            let (reference, runtimes) = (reference.clone(), runtimes.to_vec());
            targets.push(CheckTarget { reference, argument, runtimes, container: None });
        }
    }
    if targets.is_empty() {
        let hint = "name an image: `ecr-preflight check IMAGE`, or list images in `.ecr-preflight.toml`";
        return Err(usage("no image to check", Some(hint)));
    }
    if targets.iter().filter(|target| target.argument.is_standard_input()).count() > 1 {
        return Err(usage("standard input (`-`) can be only one of the images", None));
    }
    if images.is_empty()
        && let Some(path) = &configuration.path
    {
        let count = if targets.len() == 1 { "the image".to_owned() } else { format!("{} images", targets.len()) };
        err.write_note(&format!("checking {count} of {}", display_path(path)))?;
    }
    Ok(targets)
}

/// Parses a reference without contacting a registry. If there are several, the error names the one that is wrong.
pub(super) fn parse_image_argument(reference: &str, is_only: bool) -> Result<ImageArgument, CliError> {
    let argument = reference.parse::<ImageArgument>();
    let error = match (detect_wrong_scheme(reference, argument.as_ref().ok()), argument) {
        (Some(error), _) => error,
        (None, Ok(argument)) => return Ok(argument),
        (None, Err(error)) => error.into(),
    };
    if is_only || error.to_string().contains(reference) {
        return Err(error);
    }
    Err(CliError::ForReference { reference: reference.to_owned(), source: Box::new(error) })
}
