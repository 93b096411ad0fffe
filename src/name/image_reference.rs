//! A repository of any registry, as the container world writes it: `HOST[:PORT]/PATH`, or a short name of Docker Hub.
//!
//! Does not know whether it exists. The grammar is that of the module `reference` of github.com/distribution/reference.

use std::fmt;
use std::str::FromStr;

use crate::text::sanitize_quoted;

/// The repository's host, as references name it, and its path. Shown in full: `docker.io/library/busybox`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteRepository {
    host: String,
    path: String,
}

/// The host of names without one, and what is put before those of a single word: `splitDockerDomain` there.
const DOCKER_HUB: (&str, &str) = ("docker.io", "library/");

/// The longest path, in bytes: `RepositoryNameTotalLengthMax` there.
const MAX_PATH: usize = 255;

impl RemoteRepository {
    /// The host with its port, where it has one.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The name within the registry, such as `library/busybox`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is one of Docker Hub, whose API and credentials go by other names.
    #[must_use]
    pub fn is_docker_hub(&self) -> bool {
        self.host == DOCKER_HUB.0
    }
}

impl fmt::Display for RemoteRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// Why the text is not a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum RemoteRepositoryError {
    #[error("`{0}` is not the host of a registry: expected `NAME[:PORT]`")]
    Host(String),
    #[error(
        "`{0}` is not a repository name: expected lower-case words and digits, joined by `.`, `_`, `__`, `-` and `/`"
    )]
    Path(String),
    #[error("`{0}` is an image's id, which no registry knows it by")]
    ImageId(String),
}

impl FromStr for RemoteRepository {
    type Err = RemoteRepositoryError;

    fn from_str(name: &str) -> Result<Self, RemoteRepositoryError> {
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if looks_like_host(host) => (host, path),
            _ => (DOCKER_HUB.0, name),
        };
        let host = if host == "index.docker.io" { DOCKER_HUB.0 } else { host };
        let is_short = host == DOCKER_HUB.0 && !path.contains('/');
        if is_short && path.len() == 64 && path.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(RemoteRepositoryError::ImageId(sanitize_quoted(path)));
        }
        if !is_host(host) {
            return Err(RemoteRepositoryError::Host(sanitize_quoted(host)));
        }
        if path.len() > MAX_PATH || !path.split('/').all(is_path_component) {
            return Err(RemoteRepositoryError::Path(sanitize_quoted(path)));
        }
        let path = if is_short { format!("{}{path}", DOCKER_HUB.1) } else { path.to_owned() };
        Ok(Self { host: host.to_owned(), path })
    }
}

/// Whether what stands before the first slash is a host and no part of a path.
fn looks_like_host(text: &str) -> bool {
    text.contains(['.', ':', '[']) || text == "localhost"
}

/// `domain` and `port-number` of the grammar; an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_label = |label: &str| {
        let is_end = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        is_end(label.bytes().next()) && is_end(label.bytes().last()) && label.bytes().all(inner)
    };
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(is_label),
    };
    is_name && port.is_none_or(|port| port.parse::<u16>().is_ok() && port.bytes().all(|c| c.is_ascii_digit()))
}

/// `path-component` of the grammar: words, and between them `.`, `_`, `__` or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_joint = |joint: &str| matches!(joint, "." | "_" | "__") || joint.bytes().all(|c| c == b'-');
    // What is not a word must lie between two words.
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(is_joint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_read_as_the_container_world_does() {
        for (text, full) in [
            ("busybox", "docker.io/library/busybox"),
            ("grafana/grafana", "docker.io/grafana/grafana"),
            ("docker.io/busybox", "docker.io/library/busybox"),
            ("index.docker.io/busybox", "docker.io/library/busybox"),
            ("docker.io/library/busybox", "docker.io/library/busybox"),
            ("public.ecr.aws/docker/library/busybox", "public.ecr.aws/docker/library/busybox"),
            ("localhost/a", "localhost/a"),
            ("localhost:5000/a/b", "localhost:5000/a/b"),
            ("[::1]:5000/a", "[::1]:5000/a"),
            ("[::1]/a", "[::1]/a"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000/a"),
            ("GHCR.io/a", "GHCR.io/a"),
            ("ghcr.io/a--b/c__d/e_f.g0", "ghcr.io/a--b/c__d/e_f.g0"),
        ] {
            let remote: RemoteRepository = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(remote.to_string(), full);
            assert_eq!(remote.to_string().parse(), Ok(remote));
        }
    }

    #[test]
    fn bad_names_are_refused() {
        for bad in ["a..b/c", "-a.b/c", "a.b:/c", "a.b:99999/c", "a.b:+1/c", "[::1/c", "[x]/c", "a_b.c/d", "https:/"] {
            assert!(matches!(bad.parse::<RemoteRepository>(), Err(RemoteRepositoryError::Host(_))), "{bad}");
        }
        let long = format!("ghcr.io/{}", "a".repeat(256));
        for bad in [
            "",
            "A",
            "Grafana/grafana",
            "a//b",
            "a/",
            "/a",
            "a_",
            "_a",
            "a___b",
            "a..b",
            "a._b",
            "a b",
            "é",
            "ghcr.io/",
            "ghcr.io/A",
            "localhost/",
            "./a/b",
            &long,
        ] {
            assert!(bad.parse::<RemoteRepository>().is_err(), "{bad}");
        }
        assert!(matches!(
            "0123456789abcdef".repeat(4).parse::<RemoteRepository>(),
            Err(RemoteRepositoryError::ImageId(_))
        ));
    }
}
