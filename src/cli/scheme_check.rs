//! Detects references to a local image with a wrong or missing scheme, before any registry is contacted.
//!
//! A local directory or file that is not an image does not count: `nginx` is an image in Docker Hub, even if `./nginx/` exists.

use std::path::Path;

use super::error::CliError;
use super::image_ref::ImageArgument;
use crate::registry::RegistryError;
use crate::registry::archive::{CompressedArchiveError, ImageArchive};
use crate::text::sanitize;

const OCI: &str = "oci";
const OCI_ARCHIVE: &str = "oci-archive";
const DOCKER_ARCHIVE: &str = "docker-archive";

/// Returns an error if the reference names a local image with a wrong or missing scheme. `argument` is the parsed
/// reference, if it is valid.
pub(super) fn detect_wrong_scheme(reference: &str, argument: Option<&ImageArgument>) -> Option<CliError> {
    let (problem, schemes, text) = match argument {
        Some(ImageArgument::OciLayout { directory, .. }) if directory.is_file() => {
            let schemes = archive_schemes(directory).unwrap_or(vec![OCI_ARCHIVE, DOCKER_ARCHIVE]);
            ("is a file, but an OCI layout is a directory", schemes, strip_scheme(reference))
        }
        Some(ImageArgument::OciArchive { file, .. } | ImageArgument::DockerArchive { file, .. }) if file.is_dir() => {
            let schemes = if file.join("oci-layout").is_file() { vec![OCI] } else { Vec::new() };
            ("is a directory, but an archive is a file", schemes, strip_scheme(reference))
        }
        Some(ImageArgument::OtherRegistry { .. }) | None if !reference.starts_with("docker://") => {
            let (path, _) = split_existing_path(reference)?;
            let path = Path::new(path);
            let problem = "is a local path, but a name without a scheme means an image in a registry";
            let is_layout = path.join("oci-layout").is_file();
            let schemes = if path.is_file() { archive_schemes(path)? } else { is_layout.then(|| vec![OCI])? };
            (problem, schemes, reference)
        }
        _ => return None,
    };
    let (path, rest) = split_existing_path(text)?;
    // A layout does not take the REPOSITORY of `docker-archive:`.
    let rest = if schemes == [OCI] && rest.matches(':').count() > 1 && !rest.contains('@') { "" } else { rest };
    let sanitize = |text: &str| sanitize(text, usize::MAX);
    let suggestion = |scheme: &&str| format!("`{scheme}:{}{}`", sanitize(path), sanitize(rest));
    let hint = match schemes.as_slice() {
        [] => "name the file of the archive; the directory is not an OCI layout either".to_owned(),
        schemes => format!("use {}", schemes.iter().map(suggestion).collect::<Vec<_>>().join(" or ")),
    };
    Some(CliError::WrongScheme { reference: sanitize(reference), problem, hint })
}

fn strip_scheme(reference: &str) -> &str {
    reference.split_once(':').map_or(reference, |(_, rest)| rest)
}

/// Splits a text into an existing path and what follows it: nothing, a tag, a digest, or a name.
fn split_existing_path(text: &str) -> Option<(&str, &str)> {
    let ends = [Some(text.len()), text.rfind("@sha256:"), text.rfind(':'), text.find(':')];
    ends.into_iter().flatten().map(|end| text.split_at(end)).find(|(path, _)| Path::new(path).exists())
}

/// The possible schemes of a file, if it is an archive, is compressed, or has the extension `.tar`.
fn archive_schemes(path: &Path) -> Option<Vec<&'static str>> {
    let Err(error) = ImageArchive::open_oci(path) else { return Some(vec![OCI_ARCHIVE]) };
    if ImageArchive::open_docker(path).is_ok() {
        return Some(vec![DOCKER_ARCHIVE]);
    }
    let has_tar_extension = path.extension().is_some_and(|extension| extension == "tar");
    let source = if let RegistryError::File { source, .. } = &error { source.get_ref() } else { None };
    let compressed = source.and_then(|source| source.downcast_ref::<CompressedArchiveError>());
    (has_tar_extension || compressed.is_some()).then(|| vec![OCI_ARCHIVE, DOCKER_ARCHIVE])
}
