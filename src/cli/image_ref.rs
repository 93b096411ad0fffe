//! Parses the IMAGE argument: the scheme of a reference selects the source of the image.

use std::path::PathBuf;
use std::str::FromStr;

use super::registry_ref::{self, RegistryReferenceError};
use crate::name::{Digest, DigestError, RemoteRepository, Repository, RepositoryError, Selector, Tag, TagError};

/// An image, as named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ImageArgument {
    /// `oci:DIR[:TAG|@DIGEST]`. Without tag and digest: the only image of the layout.
    OciLayout { directory: PathBuf, selector: Option<Selector> },
    /// `oci-archive:FILE[:TAG|@DIGEST]`. Without tag and digest: the only image of the archive.
    OciArchive { file: PathBuf, selector: Option<Selector> },
    /// `docker-archive:FILE[:[REPOSITORY:]TAG]`. Without a name: the only image of the archive.
    DockerArchive { file: PathBuf, name: Option<SavedImageName> },
    /// The URI of an image in Amazon ECR. The tag defaults to `latest`, as in other container tools.
    Ecr { repository: Repository, selector: Selector },
    /// An image in any other registry.
    OtherRegistry { repository: RemoteRepository, selector: Selector },
}

/// The name of an image in an archive of `docker save`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SavedImageName {
    /// The repository as written; `None` matches any.
    pub(super) repository: Option<String>,
    pub(super) tag: Tag,
}

/// Why a reference is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ImageArgumentError {
    #[error("`{0}` has no directory: expected `oci:DIR[:TAG|@DIGEST]`")]
    MissingDirectory(String),
    #[error("`{0}` has no file: expected `oci-archive:FILE[:TAG|@DIGEST]` or `docker-archive:FILE[:[REPOSITORY:]TAG]`")]
    MissingFile(String),
    #[error("`{0}` has no valid tag: expected `docker-archive:FILE[:[REPOSITORY:]TAG]`")]
    InvalidArchiveName(String),
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error(transparent)]
    Tag(#[from] TagError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("{error}")]
    InvalidRegistryReference { error: RegistryReferenceError, nearest: Option<String> },
}

impl ImageArgumentError {
    pub(super) fn hint(&self) -> Option<String> {
        let Self::InvalidRegistryReference { nearest, .. } = self else { return None };
        let forms = "use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, or `HOST/REPOSITORY:TAG`, for \
                     example `public.ecr.aws/docker/library/busybox:1.37`";
        Some(nearest.as_ref().map_or_else(|| forms.to_owned(), |nearest| format!("did you mean `{nearest}`?")))
    }
}

impl FromStr for ImageArgument {
    type Err = ImageArgumentError;

    fn from_str(text: &str) -> Result<Self, ImageArgumentError> {
        let missing_file = || ImageArgumentError::MissingFile(text.to_owned());
        if let Some(rest) = text.strip_prefix("oci:") {
            let (directory, selector) = split_selector(rest)?;
            let directory =
                non_empty_path(directory).ok_or_else(|| ImageArgumentError::MissingDirectory(text.to_owned()))?;
            return Ok(Self::OciLayout { directory, selector });
        }
        if let Some(rest) = text.strip_prefix("oci-archive:") {
            let (file, selector) = split_selector(rest)?;
            return Ok(Self::OciArchive { file: non_empty_path(file).ok_or_else(missing_file)?, selector });
        }
        if let Some(rest) = text.strip_prefix("docker-archive:") {
            // The name may contain colons, so the file ends at the first one, as in skopeo.
            let (file, name) = rest.split_once(':').map_or((rest, None), |(file, name)| (file, Some(name)));
            let file = non_empty_path(file).ok_or_else(missing_file)?;
            let invalid_name = || ImageArgumentError::InvalidArchiveName(text.to_owned());
            return Ok(Self::DockerArchive {
                file,
                name: name.map(|name| parse_saved_name(name).ok_or_else(invalid_name)).transpose()?,
            });
        }
        // Skopeo's form of a registry reference.
        let text = text.strip_prefix("docker://").unwrap_or(text);
        if !registry_ref::is_ecr_uri(text) {
            let invalid = |error| ImageArgumentError::InvalidRegistryReference {
                error,
                nearest: registry_ref::suggest_reference(text),
            };
            return registry_ref::parse_registry_reference(text)
                .map_err(invalid)
                .map(|(repository, selector)| Self::OtherRegistry { repository, selector });
        }
        let (uri, selector) = split_selector(text)?;
        Ok(Self::Ecr { repository: uri.parse()?, selector: selector.unwrap_or_else(registry_ref::latest_tag) })
    }
}

fn non_empty_path(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// Parses `[REPOSITORY:]TAG`. An archive of `docker save` contains no digests of manifests.
fn parse_saved_name(text: &str) -> Option<SavedImageName> {
    let (repository, tag) = match text.rsplit_once(':') {
        Some((repository, _)) if repository.is_empty() || repository.contains('@') => return None,
        Some((repository, tag)) => (Some(repository.to_owned()), tag),
        None => (None, text),
    };
    Some(SavedImageName { repository, tag: tag.parse().ok()? })
}

/// Splits off the tag and digest. A colon before a slash belongs to the path, and so does an at sign that is not followed
/// by a digest: build servers name directories `job@2`.
fn split_selector(text: &str) -> Result<(&str, Option<Selector>), ImageArgumentError> {
    let (text, digest) = match text.rfind("@sha256:") {
        Some(at) => (&text[..at], Some(text[at + 1..].parse::<Digest>()?)),
        None => (text, None),
    };
    let (text, tag) = match text.rsplit_once(':') {
        Some((text, tag)) if !tag.contains('/') => (text, Some(tag.parse::<Tag>()?)),
        _ => (text, None),
    };
    Ok((text, Selector::new(digest, tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_references_are_parsed() {
        let hex = "3c949327e3253c949327e3253c949327e3253c949327e3253c949327e325abcd";
        for (text, path, tag, is_by_digest) in [
            ("oci:lay".to_owned(), "lay", None, false),
            ("oci:lay:v1".to_owned(), "lay", Some("v1"), false),
            ("oci:/a.b/c:v1".to_owned(), "/a.b/c", Some("v1"), false),
            ("oci:a:b/c".to_owned(), "a:b/c", None, false),
            ("oci:job@2:v1".to_owned(), "job@2", Some("v1"), false),
            (format!("oci:lay@sha256:{hex}"), "lay", None, true),
            (format!("oci:lay:v1@sha256:{hex}"), "lay", Some("v1"), true),
            ("oci-archive:a.tar".to_owned(), "a.tar", None, false),
            ("oci-archive:/a/b@2/c.tar:v1".to_owned(), "/a/b@2/c.tar", Some("v1"), false),
            (format!("oci-archive:a.tar@sha256:{hex}"), "a.tar", None, true),
            (format!("oci-archive:a.tar:v1@sha256:{hex}"), "a.tar", Some("v1"), true),
        ] {
            let (found, selector) = match text.parse() {
                Ok(ImageArgument::OciLayout { directory, selector }) if text.starts_with("oci:") => {
                    (directory, selector)
                }
                Ok(ImageArgument::OciArchive { file, selector }) if text.starts_with("oci-archive:") => {
                    (file, selector)
                }
                parsed => panic!("{text}: {parsed:?}"),
            };
            assert_eq!(found, PathBuf::from(path), "{text}");
            let selector = selector.as_ref();
            assert_eq!(selector.and_then(Selector::tag).map(Tag::as_str), tag, "{text}");
            assert_eq!(selector.is_some_and(|selector| selector.digest().is_some()), is_by_digest, "{text}");
        }
        for (text, file, name) in [
            ("docker-archive:a.tar", "a.tar", None),
            ("docker-archive:job@2/a.tar:v1", "job@2/a.tar", Some((None, "v1"))),
            ("docker-archive:a.tar:app:v1", "a.tar", Some((Some("app"), "v1"))),
            ("docker-archive:a.tar:team/app:v1", "a.tar", Some((Some("team/app"), "v1"))),
            ("docker-archive:a.tar:localhost:5000/app:v1", "a.tar", Some((Some("localhost:5000/app"), "v1"))),
        ] {
            let Ok(ImageArgument::DockerArchive { file: found, name: read }) = text.parse() else { panic!("{text}") };
            assert_eq!(found, PathBuf::from(file), "{text}");
            let read = read.as_ref().map(|name| (name.repository.as_deref(), name.tag.as_str()));
            assert_eq!(read, name, "{text}");
        }
        let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
        for (text, tag) in [(uri.to_owned(), "latest"), (format!("docker://{uri}:v1"), "v1")] {
            let Ok(ImageArgument::Ecr { repository, selector }) = text.parse() else { panic!("{text}") };
            assert_eq!((repository.to_string().as_str(), selector.tag().map(Tag::as_str)), (uri, Some(tag)));
        }
        for text in ["busybox", "docker://busybox", "ghcr.io/a.dkr.ecr.b/c:v1", "public.ecr.aws/a/b"] {
            assert!(matches!(text.parse(), Ok(ImageArgument::OtherRegistry { .. })), "{text}");
        }
    }

    #[test]
    fn invalid_references_are_rejected() {
        let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
        for text in ["", "oci:", "oci::v1", "oci:a:", "oci:a:b c", "oci:a@sha256:1", "Nginx", "docker://", "dir:x"] {
            assert!(text.parse::<ImageArgument>().is_err(), "{text}");
        }
        for text in ["", ":v1", "a.tar:", "a.tar:b c", "a.tar@sha256:1"] {
            assert!(format!("oci-archive:{text}").parse::<ImageArgument>().is_err(), "{text}");
        }
        let digest = format!("a.tar:app@sha256:{}", "0".repeat(64));
        for text in ["", ":v1", "a.tar:", "a.tar::v1", "a.tar:app:", "a.tar:team/app", "a.tar:b c", "a.tar:@0", &digest]
        {
            assert!(format!("docker-archive:{text}").parse::<ImageArgument>().is_err(), "{text}");
        }
        for text in [format!("{uri}:"), format!("{uri}@v1"), format!("https://{uri}"), format!("{uri}/")] {
            assert!(text.parse::<ImageArgument>().is_err(), "{text}");
        }
    }
}
