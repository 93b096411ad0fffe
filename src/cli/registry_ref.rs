//! Parses references to images in registries: `HOST[:PORT]/REPO[:TAG|@DIGEST|:TAG@DIGEST]`, or a short name.

use crate::name::{
    Digest, DigestError, RemoteRepository, RemoteRepositoryError, RepositoryError, Selector, Tag, TagError,
};

/// The prefixes of containers-transports(5) that are not registries: `dir:x` is not the tag `x` of Docker Hub's `dir`.
const TRANSPORTS: [&str; 10] = [
    "atomic:", "containers-storage:", "dir:", "docker-archive:", "docker-daemon:", "oci:", "oci-archive:", "ostree:",
    "sif:", "tarball:",
];

/// The beginning of addresses of Docker Hub's web site.
const DOCKER_HUB_SITE: &str = "hub.docker.com/";

/// Why a reference to an image is not valid, in a registry or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReferenceError {
    #[error("`{0}` has no directory: expected `oci:DIR[:TAG|@DIGEST]`")]
    MissingDirectory(String),
    #[error("`{0}` has no file: expected `oci-archive:FILE[:TAG|@DIGEST]` or `docker-archive:FILE[:[REPOSITORY:]TAG]`")]
    MissingFile(String),
    #[error("`{0}` has no valid tag: expected `docker-archive:FILE[:[REPOSITORY:]TAG]`")]
    InvalidArchiveName(String),
    #[error("`{0}` has no valid name: expected `docker-daemon:NAME[:TAG]`")]
    InvalidDockerName(String),
    #[error("`{0}` has an unsupported scheme")]
    UnsupportedTransport(String),
    #[error("`{0}` is a page of Docker Hub's web site, not an image")]
    DockerHubPage(String),
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error(transparent)]
    Tag(#[from] TagError),
    #[error(transparent)]
    EcrRepository(#[from] RepositoryError),
    #[error(transparent)]
    RemoteRepository(#[from] RemoteRepositoryError),
    /// An error of [`parse_registry_reference`], and the nearest valid reference.
    #[error("{error}")]
    InvalidRegistryReference { error: Box<ReferenceError>, nearest: Option<String> },
}

impl ReferenceError {
    pub(super) fn hint(&self) -> Option<String> {
        let Self::InvalidRegistryReference { nearest, .. } = self else { return None };
        let forms = "use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, `docker-daemon:NAME:TAG`, or `HOST/REPOSITORY:TAG`, for \
                     example `public.ecr.aws/docker/library/busybox:1.37`";
        Some(nearest.as_ref().map_or_else(|| forms.to_owned(), |nearest| format!("did you mean `{nearest}`?")))
    }
}

/// Parses the repository and the tag or digest. The tag defaults to `latest`, as in other container tools.
pub(super) fn parse_registry_reference(text: &str) -> Result<(RemoteRepository, Selector), ReferenceError> {
    if TRANSPORTS.iter().any(|transport| text.starts_with(transport)) {
        return Err(ReferenceError::UnsupportedTransport(text.to_owned()));
    }
    if text.starts_with(DOCKER_HUB_SITE) {
        return Err(ReferenceError::DockerHubPage(text.to_owned()));
    }
    let (text, digest) = match text.split_once('@') {
        Some((text, digest)) => (text, Some(digest.parse::<Digest>()?)),
        None => (text, None),
    };
    let (name, tag) = match text.rsplit_once(':') {
        // A colon before a slash begins a port, or is the rest of `https://`.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    };
    // The name first: if both are invalid, what looks like the tag may be part of the name.
    let repository = name.parse()?;
    let tag = tag.map(str::parse::<Tag>).transpose()?;
    Ok((repository, Selector::new(digest, tag).unwrap_or_else(latest_tag)))
}

/// Whether the host is that of Amazon ECR's private registries.
pub(super) fn is_ecr_uri(text: &str) -> bool {
    text.split('/').next().is_some_and(|host| host.contains(".dkr.ecr."))
}

/// The tag of a reference without tag and digest.
pub(super) fn latest_tag() -> Selector {
    Selector::Tag("latest".parse().expect("it is a tag"))
}

/// Suggests the nearest valid reference: without a URL scheme, with the name in lower case, and without trailing
/// separators.
pub(super) fn suggest_reference(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = ["https://", "http://", "docker://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let plain = plain.unwrap_or(text).trim_end_matches(['/', ':', '@']);
    if let Some(page) = plain.strip_prefix(DOCKER_HUB_SITE) {
        return reference_from_hub_page(page).filter(|image| parse_registry_reference(image).is_ok());
    }
    let name = plain.len() - plain.rsplit('/').next().map_or(0, str::len);
    let end = plain[name..].find([':', '@']).map_or(plain.len(), |at| name + at);
    let nearest = plain[..end].to_lowercase() + &plain[end..];
    (nearest != text && parse_registry_reference(&nearest).is_ok()).then_some(nearest)
}

/// The image of a page of Docker Hub: `r/NAMESPACE/NAME`, or `_/NAME` for official images. The rest, for example `/tags`,
/// is ignored.
fn reference_from_hub_page(page: &str) -> Option<String> {
    let page = page.split(['?', '#']).next()?;
    match *page.split('/').collect::<Vec<_>>().as_slice() {
        ["r", namespace, name, ..] => Some(format!("{namespace}/{name}")),
        ["_", name, ..] => Some(name.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tags_and_digests_are_parsed() {
        let digest = format!("sha256:{}", "3c".repeat(32));
        for (text, repository, tag, is_by_digest) in [
            ("busybox".to_owned(), "docker.io/library/busybox", Some("latest"), false),
            ("grafana/grafana:11.4.0".to_owned(), "docker.io/grafana/grafana", Some("11.4.0"), false),
            ("localhost:5000/a".to_owned(), "localhost:5000/a", Some("latest"), false),
            ("[::1]:5000/a:v1".to_owned(), "[::1]:5000/a", Some("v1"), false),
            (format!("ghcr.io/a/b@{digest}"), "ghcr.io/a/b", None, true),
            (format!("ghcr.io:443/a/b:v1@{digest}"), "ghcr.io:443/a/b", Some("v1"), true),
        ] {
            let (found, selector) = parse_registry_reference(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(found.to_string(), repository, "{text}");
            assert_eq!(selector.tag().map(Tag::as_str), tag, "{text}");
            assert_eq!(selector.digest().is_some(), is_by_digest, "{text}");
        }
    }

    #[test]
    fn nearest_valid_reference_is_suggested() {
        for (invalid, nearest) in [
            ("https://ghcr.io/a/b:v1", Some("ghcr.io/a/b:v1")),
            ("GHCR.io/Team/App:V1", Some("ghcr.io/team/app:V1")),
            ("Grafana", Some("grafana")),
            ("ghcr.io/a/b:", Some("ghcr.io/a/b")),
            ("ghcr.io/a/b/", Some("ghcr.io/a/b")),
            ("https://hub.docker.com/r/grafana/grafana", Some("grafana/grafana")),
            ("hub.docker.com/r/grafana/grafana/tags?name=11", Some("grafana/grafana")),
            ("hub.docker.com/_/busybox:1.37", Some("busybox:1.37")),
            ("https://hub.docker.com/_/busybox/", Some("busybox")),
            ("hub.docker.com/search", None),
            ("dir:x", None),
            ("oci-archive:/x.tar", None),
            ("./image", None),
            ("a@sha512:12", None),
            ("a b", None),
            ("", None),
            ("é", None),
        ] {
            assert!(parse_registry_reference(invalid).is_err(), "{invalid}");
            assert_eq!(suggest_reference(invalid).as_deref(), nearest, "{invalid}");
        }
    }
}
