//! The argument IMAGE: where an image is, by the scheme of its reference.
//!
//! Does not read it.

use std::path::PathBuf;
use std::str::FromStr;

use super::remote::{self, NameError};
use crate::reference::{Digest, DigestError, Remote, Repository, RepositoryError, Selector, Tag, TagError};

/// An image as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ImageArgument {
    /// `oci:DIR[:TAG|@DIGEST]`; without either, the only image of the layout.
    Layout { directory: PathBuf, selector: Option<Selector> },
    /// The URI of an image in Amazon ECR; without tag and digest, `latest`, as container tools have it.
    Ecr { repository: Repository, selector: Selector },
    /// An image of any other registry.
    Remote { repository: Remote, selector: Selector },
}

/// The reference names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ImageError {
    #[error("`{0}` names no directory")]
    Directory(String),
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error(transparent)]
    Tag(#[from] TagError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("{error}")]
    Remote { error: NameError, nearest: Option<String> },
}

impl ImageError {
    pub(super) fn hint(&self) -> Option<String> {
        let Self::Remote { nearest, .. } = self else { return None };
        let forms = "use `oci:DIR:TAG`, or `HOST/REPOSITORY:TAG` such as `public.ecr.aws/docker/library/busybox:1.37`";
        Some(nearest.as_ref().map_or_else(|| forms.to_owned(), |near| format!("did you mean `{near}`?")))
    }
}

impl FromStr for ImageArgument {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        if let Some(rest) = text.strip_prefix("oci:") {
            let (directory, selector) = split(rest)?;
            let directory = PathBuf::from(directory);
            return if directory.as_os_str().is_empty() {
                Err(ImageError::Directory(text.to_owned()))
            } else {
                Ok(Self::Layout { directory, selector })
            };
        }
        // As skopeo writes it.
        let text = text.strip_prefix("docker://").unwrap_or(text);
        if !text.split('/').next().is_some_and(|host| host.contains(".dkr.ecr.")) {
            let wrong = |error| ImageError::Remote { error, nearest: remote::nearest(text) };
            return remote::parse(text)
                .map_err(wrong)
                .map(|(repository, selector)| Self::Remote { repository, selector });
        }
        let (uri, selector) = split(text)?;
        let latest = || Selector::Tag("latest".parse().expect("it is a tag"));
        Ok(Self::Ecr { repository: uri.parse()?, selector: selector.unwrap_or_else(latest) })
    }
}

/// What stands before the tag or digest, and those. A colon before a slash belongs to the path, and so does an at sign
/// before anything but a digest: build servers name directories `job@2`.
fn split(text: &str) -> Result<(&str, Option<Selector>), ImageError> {
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
    fn good_references_are_read() {
        let hex = "3c949327e3253c949327e3253c949327e3253c949327e3253c949327e325abcd";
        for (text, directory, tag, digest) in [
            ("oci:lay".to_owned(), "lay", None, false),
            ("oci:lay:v1".to_owned(), "lay", Some("v1"), false),
            ("oci:/a.b/c:v1".to_owned(), "/a.b/c", Some("v1"), false),
            ("oci:a:b/c".to_owned(), "a:b/c", None, false),
            ("oci:job@2:v1".to_owned(), "job@2", Some("v1"), false),
            (format!("oci:lay@sha256:{hex}"), "lay", None, true),
            (format!("oci:lay:v1@sha256:{hex}"), "lay", Some("v1"), true),
        ] {
            let Ok(ImageArgument::Layout { directory: found, selector }) = text.parse() else { panic!("{text}") };
            assert_eq!(found, PathBuf::from(directory), "{text}");
            let selector = selector.as_ref();
            assert_eq!(selector.and_then(Selector::tag).map(Tag::as_str), tag, "{text}");
            assert_eq!(selector.is_some_and(|selector| selector.digest().is_some()), digest, "{text}");
        }
        let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
        for (text, tag) in [(uri.to_owned(), "latest"), (format!("docker://{uri}:v1"), "v1")] {
            let Ok(ImageArgument::Ecr { repository, selector }) = text.parse() else { panic!("{text}") };
            assert_eq!((repository.to_string().as_str(), selector.tag().map(Tag::as_str)), (uri, Some(tag)));
        }
        for text in ["busybox", "docker://busybox", "ghcr.io/a.dkr.ecr.b/c:v1", "public.ecr.aws/a/b"] {
            assert!(matches!(text.parse(), Ok(ImageArgument::Remote { .. })), "{text}");
        }
    }

    #[test]
    fn bad_references_are_refused() {
        let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
        for bad in ["", "oci:", "oci::v1", "oci:a:", "oci:a:b c", "oci:a@sha256:1", "Nginx", "docker://", "dir:x"] {
            assert!(bad.parse::<ImageArgument>().is_err(), "{bad}");
        }
        for bad in [format!("{uri}:"), format!("{uri}@v1"), format!("https://{uri}"), format!("{uri}/")] {
            assert!(bad.parse::<ImageArgument>().is_err(), "{bad}");
        }
    }
}
