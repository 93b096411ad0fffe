//! An image on this machine that is named by the wrong scheme, or by none: that is said before any registry is asked for
//! the name.
//!
//! Does not guess: a directory or a file that is no image leaves the name to the registries, as `nginx` beside `./nginx/`.

use std::error::Error as _;
use std::io;
use std::path::Path;

use super::image::ImageArgument;
use crate::registry::RegistryError;
use crate::registry::archive::{Archive, Compressed};
use crate::text::printable;

/// It is here, and is not what the reference says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{reference}` {wrong}")]
pub(super) struct Misnamed {
    reference: String,
    wrong: &'static str,
    /// The references that may be meant.
    instead: Vec<String>,
}

impl Misnamed {
    pub(super) fn hint(&self) -> String {
        let instead: Vec<String> = self.instead.iter().map(|reference| format!("`{reference}`")).collect();
        format!("use {}", instead.join(" or "))
    }
}

const OCI: &str = "oci";
const OCI_ARCHIVE: &str = "oci-archive";
const DOCKER_ARCHIVE: &str = "docker-archive";

/// What is wrong with a reference, where what it names is on this machine; `argument` is what it is read as, if anything.
pub(super) fn misnamed(reference: &str, argument: Option<&ImageArgument>) -> Option<Misnamed> {
    let (wrong, schemes, text) = match argument {
        Some(ImageArgument::Layout { directory, .. }) if directory.is_file() => {
            let schemes = archive(directory).unwrap_or(vec![OCI_ARCHIVE, DOCKER_ARCHIVE]);
            ("is a file, and a layout is a directory", schemes, after_scheme(reference))
        }
        Some(ImageArgument::OciArchive { file, .. } | ImageArgument::DockerArchive { file, .. }) if file.is_dir() => {
            ("is a directory, and an archive is a file", vec![OCI], after_scheme(reference))
        }
        Some(ImageArgument::Remote { .. }) | None if !reference.starts_with("docker://") => {
            let (path, _) = split(reference)?;
            let path = Path::new(path);
            let wrong = "is on this machine, where a name without a scheme is that of a registry's image";
            let schemes = if path.is_file() { archive(path)? } else { layout(path)? };
            (wrong, schemes, reference)
        }
        _ => return None,
    };
    let (path, rest) = split(text)?;
    // A repository, which `docker-archive:` takes, names nothing in a layout.
    let rest = if schemes == [OCI] && rest.matches(':').count() > 1 && !rest.contains('@') { "" } else { rest };
    let shown = |text: &str| printable(text, usize::MAX);
    let instead = schemes.iter().map(|scheme| format!("{scheme}:{}{}", shown(path), shown(rest)));
    Some(Misnamed { reference: shown(reference), wrong, instead: instead.collect() })
}

fn after_scheme(reference: &str) -> &str {
    reference.split_once(':').map_or(reference, |(_, rest)| rest)
}

/// The path of something that is there, and what follows it: nothing, a tag, a digest, or a name.
fn split(text: &str) -> Option<(&str, &str)> {
    let ends = [Some(text.len()), text.rfind("@sha256:"), text.rfind(':'), text.find(':')];
    ends.into_iter().flatten().map(|end| text.split_at(end)).find(|(path, _)| Path::new(path).exists())
}

/// The scheme of a directory, where it is a layout.
fn layout(path: &Path) -> Option<Vec<&'static str>> {
    path.join("oci-layout").is_file().then(|| vec![OCI])
}

/// The schemes that may be those of a file, where it is an archive or is called one.
fn archive(path: &Path) -> Option<Vec<&'static str>> {
    let Err(error) = Archive::oci(path) else { return Some(vec![OCI_ARCHIVE]) };
    if Archive::docker(path).is_ok() {
        return Some(vec![DOCKER_ARCHIVE]);
    }
    let is_called_one = path.extension().is_some_and(|extension| extension == "tar");
    (is_called_one || is_compressed(&error)).then(|| vec![OCI_ARCHIVE, DOCKER_ARCHIVE])
}

fn is_compressed(error: &RegistryError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.and_then(io::Error::get_ref).and_then(|source| source.downcast_ref::<Compressed>()).is_some()
}
