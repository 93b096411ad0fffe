//! An image on this machine that is named by the wrong scheme, or by none: that is said before any registry is asked for
//! the name.
//!
//! Does not guess: a directory or a file that is no image leaves the name to the registries, as `nginx` beside `./nginx/`.

use std::error::Error as _;
use std::io;
use std::path::Path;

use super::image_ref::ImageArgument;
use crate::registry::RegistryError;
use crate::registry::archive::{CompressedArchiveError, ImageArchive};
use crate::text::sanitize;

/// It is here, and is not what the reference says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{reference}` {problem}")]
pub(super) struct WrongSchemeError {
    reference: String,
    problem: &'static str,
    /// The references that may be meant.
    suggestions: Vec<String>,
}

impl WrongSchemeError {
    pub(super) fn hint(&self) -> String {
        let instead: Vec<String> = self.suggestions.iter().map(|reference| format!("`{reference}`")).collect();
        format!("use {}", instead.join(" or "))
    }
}

const OCI: &str = "oci";
const OCI_ARCHIVE: &str = "oci-archive";
const DOCKER_ARCHIVE: &str = "docker-archive";

/// What is wrong with a reference, where what it names is on this machine; `argument` is what it is read as, if anything.
pub(super) fn detect_wrong_scheme(reference: &str, argument: Option<&ImageArgument>) -> Option<WrongSchemeError> {
    let (wrong, schemes, text) = match argument {
        Some(ImageArgument::OciLayout { directory, .. }) if directory.is_file() => {
            let schemes = archive_schemes(directory).unwrap_or(vec![OCI_ARCHIVE, DOCKER_ARCHIVE]);
            ("is a file, and a layout is a directory", schemes, strip_scheme(reference))
        }
        Some(ImageArgument::OciArchive { file, .. } | ImageArgument::DockerArchive { file, .. }) if file.is_dir() => {
            ("is a directory, and an archive is a file", vec![OCI], strip_scheme(reference))
        }
        Some(ImageArgument::OtherRegistry { .. }) | None if !reference.starts_with("docker://") => {
            let (path, _) = split_existing_path(reference)?;
            let path = Path::new(path);
            let wrong = "is on this machine, where a name without a scheme is that of a registry's image";
            let schemes = if path.is_file() { archive_schemes(path)? } else { layout_scheme(path)? };
            (wrong, schemes, reference)
        }
        _ => return None,
    };
    let (path, rest) = split_existing_path(text)?;
    // A repository, which `docker-archive:` takes, names nothing in a layout.
    let rest = if schemes == [OCI] && rest.matches(':').count() > 1 && !rest.contains('@') { "" } else { rest };
    let shown = |text: &str| sanitize(text, usize::MAX);
    let instead = schemes.iter().map(|scheme| format!("{scheme}:{}{}", shown(path), shown(rest)));
    Some(WrongSchemeError { reference: shown(reference), problem: wrong, suggestions: instead.collect() })
}

fn strip_scheme(reference: &str) -> &str {
    reference.split_once(':').map_or(reference, |(_, rest)| rest)
}

/// The path of something that is there, and what follows it: nothing, a tag, a digest, or a name.
fn split_existing_path(text: &str) -> Option<(&str, &str)> {
    let ends = [Some(text.len()), text.rfind("@sha256:"), text.rfind(':'), text.find(':')];
    ends.into_iter().flatten().map(|end| text.split_at(end)).find(|(path, _)| Path::new(path).exists())
}

/// The scheme of a directory, where it is a layout.
fn layout_scheme(path: &Path) -> Option<Vec<&'static str>> {
    path.join("oci-layout").is_file().then(|| vec![OCI])
}

/// The schemes that may be those of a file, where it is an archive or is called one.
fn archive_schemes(path: &Path) -> Option<Vec<&'static str>> {
    let Err(error) = ImageArchive::open_oci(path) else { return Some(vec![OCI_ARCHIVE]) };
    if ImageArchive::open_docker(path).is_ok() {
        return Some(vec![DOCKER_ARCHIVE]);
    }
    let is_called_one = path.extension().is_some_and(|extension| extension == "tar");
    (is_called_one || is_compressed(&error)).then(|| vec![OCI_ARCHIVE, DOCKER_ARCHIVE])
}

fn is_compressed(error: &RegistryError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.and_then(io::Error::get_ref).and_then(|source| source.downcast_ref::<CompressedArchiveError>()).is_some()
}
