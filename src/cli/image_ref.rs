//! Parses the IMAGE argument: the scheme of a reference selects the source of the image.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::registry_ref::{ReferenceError, is_ecr_uri, latest_tag, parse_registry_reference, suggest_reference};
use crate::name::{Digest, RemoteRepository, Repository, Selector, Tag};

/// In place of the file of an archive: standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// An image, as named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ImageArgument {
    /// `oci:DIR[:TAG|@DIGEST]`. Without tag and digest: the only image of the layout.
    OciLayout { directory: PathBuf, selector: Option<Selector> },
    /// `oci-archive:FILE[:TAG|@DIGEST]`. Without tag and digest: the only image of the archive.
    OciArchive { file: PathBuf, selector: Option<Selector> },
    /// `docker-archive:FILE[:[REPOSITORY:]TAG]`. Without a name: the only image of the archive.
    DockerArchive { file: PathBuf, name: Option<SavedImageName> },
    /// `docker-daemon:NAME`: an image of the Docker engine, by the name that Docker knows.
    DockerDaemon { name: String },
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

impl FromStr for ImageArgument {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let parse_path = |path: &str, missing: fn(String) -> ReferenceError| match path {
            "" => Err(missing(text.to_owned())),
            path => Ok(PathBuf::from(path)),
        };
        if let Some(rest) = text.strip_prefix("oci:") {
            let (directory, selector) = split_selector(rest)?;
            let directory = parse_path(directory, ReferenceError::MissingDirectory)?;
            return Ok(Self::OciLayout { directory, selector });
        }
        if let Some(rest) = text.strip_prefix("oci-archive:") {
            let (file, selector) = split_selector(rest)?;
            return Ok(Self::OciArchive { file: parse_path(file, ReferenceError::MissingFile)?, selector });
        }
        if let Some(rest) = text.strip_prefix("docker-archive:") {
            // The name may contain colons, so the file ends at the first one, as in skopeo.
            let (file, name) = rest.split_once(':').map_or((rest, None), |(file, name)| (file, Some(name)));
            let file = parse_path(file, ReferenceError::MissingFile)?;
            let invalid_name = || ReferenceError::InvalidArchiveName(text.to_owned());
            let name = name.map(|name| parse_saved_name(name).ok_or_else(invalid_name)).transpose()?;
            return Ok(Self::DockerArchive { file, name });
        }
        if let Some(name) = text.strip_prefix("docker-daemon:") {
            let is_valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
            let invalid = || ReferenceError::InvalidDockerName(text.to_owned());
            return if is_valid { Ok(Self::DockerDaemon { name: name.to_owned() }) } else { Err(invalid()) };
        }
        // Skopeo's form of a registry reference.
        let text = text.strip_prefix("docker://").unwrap_or(text);
        if is_ecr_uri(text) {
            let (uri, selector) = split_selector(text)?;
            return Ok(Self::Ecr { repository: uri.parse()?, selector: selector.unwrap_or_else(latest_tag) });
        }
        let (repository, selector) = parse_registry_reference(text).map_err(|error| {
            let nearest = suggest_reference(text);
            ReferenceError::InvalidRegistryReference { error: Box::new(error), nearest }
        })?;
        Ok(Self::OtherRegistry { repository, selector })
    }
}

impl ImageArgument {
    /// Makes the path of a local image relative to a directory, unless it is absolute or standard input.
    pub(super) fn resolve_path(&mut self, directory: &Path) {
        match self {
            Self::OciArchive { file: path, .. } | Self::DockerArchive { file: path, .. }
                if path.as_os_str() != STANDARD_INPUT =>
            {
                *path = directory.join(&path);
            }
            Self::OciLayout { directory: path, .. } => *path = directory.join(&path),
            _ => {}
        }
    }

    /// Returns whether the image is an archive from standard input.
    pub(super) fn is_standard_input(&self) -> bool {
        matches!(self, Self::OciArchive { file, .. } | Self::DockerArchive { file, .. } if file.as_os_str() == STANDARD_INPUT)
    }
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
fn split_selector(text: &str) -> Result<(&str, Option<Selector>), ReferenceError> {
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
        let digest: Digest = format!("sha256:{}", "3c".repeat(32)).parse().unwrap();
        let v1: Tag = "v1".parse().unwrap();
        let by_tag = Some(Selector::Tag(v1.clone()));
        let by_digest = Some(Selector::Digest(digest.clone()));
        let by_both = Some(Selector::DigestAndTag(digest.clone(), v1.clone()));
        let layout = |directory: &str, selector| ImageArgument::OciLayout { directory: directory.into(), selector };
        let archive = |file: &str, selector| ImageArgument::OciArchive { file: file.into(), selector };
        let saved = |file: &str, repository: Option<&str>| ImageArgument::DockerArchive {
            file: file.into(),
            name: Some(SavedImageName { repository: repository.map(str::to_owned), tag: v1.clone() }),
        };
        for (text, expected) in [
            ("oci:lay", layout("lay", None)),
            ("oci:lay:v1", layout("lay", by_tag.clone())),
            ("oci:/a.b/c:v1", layout("/a.b/c", by_tag.clone())),
            ("oci:a:b/c", layout("a:b/c", None)),
            ("oci:job@2:v1", layout("job@2", by_tag.clone())),
            ("oci:lay@DIGEST", layout("lay", by_digest.clone())),
            ("oci:lay:v1@DIGEST", layout("lay", by_both.clone())),
            ("oci-archive:a.tar", archive("a.tar", None)),
            ("oci-archive:/a/b@2/c.tar:v1", archive("/a/b@2/c.tar", by_tag)),
            ("oci-archive:a.tar@DIGEST", archive("a.tar", by_digest)),
            ("oci-archive:a.tar:v1@DIGEST", archive("a.tar", by_both)),
            ("docker-archive:a.tar", ImageArgument::DockerArchive { file: "a.tar".into(), name: None }),
            ("docker-archive:job@2/a.tar:v1", saved("job@2/a.tar", None)),
            ("docker-archive:a.tar:app:v1", saved("a.tar", Some("app"))),
            ("docker-archive:a.tar:team/app:v1", saved("a.tar", Some("team/app"))),
            ("docker-archive:a.tar:localhost:5000/app:v1", saved("a.tar", Some("localhost:5000/app"))),
        ] {
            assert_eq!(text.replace("DIGEST", digest.as_str()).parse(), Ok(expected), "{text}");
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
        let (saved_digest, url) = (format!("a.tar:app@sha256:{}", "0".repeat(64)), format!("https://{uri}"));
        for (prefix, invalid) in [
            ("", &["", "oci:", "oci::v1", "oci:a:", "oci:a:b c", "oci:a@sha256:1", "Nginx", "docker://", "dir:x"][..]),
            ("oci-archive:", &["", ":v1", "a.tar:", "a.tar:b c", "a.tar@sha256:1"]),
            ("docker-archive:", &["", ":v1", "a.tar:", "a.tar::v1", "a.tar:app:", "a.tar:team/app", "a.tar:b c"]),
            ("docker-archive:", &["a.tar:@0", &saved_digest]),
            (uri, &[":", "@v1", "/"]),
            (&url, &[""]),
        ] {
            for text in invalid {
                assert!(format!("{prefix}{text}").parse::<ImageArgument>().is_err(), "{prefix}{text}");
            }
        }
    }
}
