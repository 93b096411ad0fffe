//! A repository in any registry, or a short name for Docker Hub. Grammar: github.com/distribution/reference.

use std::fmt;
use std::str::FromStr;

use crate::text::sanitize_quoted;

/// A repository in any registry. Displays in full: `docker.io/library/busybox`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteRepository {
    host: String,
    path: String,
}

/// The default host, and the prefix for a path with a single component: `splitDockerDomain` in distribution/reference.
const DOCKER_HUB: (&str, &str) = ("docker.io", "library/");

/// The longest path, in bytes: `RepositoryNameTotalLengthMax` in distribution/reference.
const MAX_PATH: usize = 255;

impl RemoteRepository {
    /// Returns the host, with its port if there is one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the path in the registry, for example `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns whether the registry is Docker Hub, whose API and credentials use other host names.
    pub fn is_docker_hub(&self) -> bool {
        self.host == DOCKER_HUB.0
    }

    /// Returns whether this is one of Docker Hub's official images.
    pub fn is_official(&self) -> bool {
        self.is_docker_hub() && self.path.starts_with(DOCKER_HUB.1)
    }
}

impl fmt::Display for RemoteRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// The text is not a valid repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum RemoteRepositoryError {
    #[error("`{0}` is not a valid registry host: expected `NAME[:PORT]`")]
    Host(String),
    #[error(
        "`{0}` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `__`, `-` or `/`"
    )]
    Path(String),
    #[error("`{0}` is an image ID, which a registry cannot look up: use the name or digest")]
    ImageId(String),
}

impl FromStr for RemoteRepository {
    type Err = RemoteRepositoryError;

    fn from_str(name: &str) -> Result<Self, RemoteRepositoryError> {
        let looks_like_host = |text: &str| text.contains(['.', ':', '[']) || text == "localhost";
        let full_name = name.split_once('/').filter(|(host, _)| looks_like_host(host));
        let (host, path) = full_name.unwrap_or((DOCKER_HUB.0, name));
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

/// Returns whether the text is a `domain` of the grammar or an IPv6 address in brackets, with an optional port.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_label = |label: &str| {
        let is_edge = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let is_inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        is_edge(label.bytes().next()) && is_edge(label.bytes().last()) && label.bytes().all(is_inner)
    };
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(is_label),
    };
    is_name && port.is_none_or(|port| port.parse::<u16>().is_ok() && port.bytes().all(|c| c.is_ascii_digit()))
}

/// Returns whether the text is a `path-component` of the grammar: words separated by `.`, `_`, `__` or `-…`.
fn is_path_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator = |separator: &str| matches!(separator, "." | "_" | "__") || separator.bytes().all(|c| c == b'-');
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(is_separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_as_in_distribution_reference() {
        let short = [
            ("busybox", "docker.io/library/busybox"),
            ("grafana/grafana", "docker.io/grafana/grafana"),
            ("docker.io/busybox", "docker.io/library/busybox"),
            ("index.docker.io/busybox", "docker.io/library/busybox"),
        ];
        let full = "docker.io/library/busybox public.ecr.aws/docker/library/busybox localhost/a localhost:5000/a/b \
                    [::1]:5000/a [::1]/a 127.0.0.1:5000/a GHCR.io/a ghcr.io/a--b/c__d/e_f.g0";
        for (text, full) in short.into_iter().chain(full.split(' ').map(|name| (name, name))) {
            let remote: RemoteRepository = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(remote.to_string(), full);
            assert_eq!(remote.to_string().parse(), Ok(remote));
        }
    }

    #[test]
    fn invalid_names_are_rejected() {
        for invalid in
            ["a..b/c", "-a.b/c", "a.b:/c", "a.b:99999/c", "a.b:+1/c", "[::1/c", "[x]/c", "a_b.c/d", "https:/"]
        {
            assert!(matches!(invalid.parse::<RemoteRepository>(), Err(RemoteRepositoryError::Host(_))), "{invalid}");
        }
        let long = format!("ghcr.io/{}", "a".repeat(256));
        let invalid_paths =
            "|A|Grafana/grafana|a//b|a/|/a|a_|_a|a___b|a..b|a._b|a b|é|ghcr.io/|ghcr.io/A|localhost/|./a/b";
        for invalid in invalid_paths.split('|').chain([long.as_str()]) {
            assert!(invalid.parse::<RemoteRepository>().is_err(), "{invalid}");
        }
        let image_id = "0123456789abcdef".repeat(4).parse::<RemoteRepository>();
        assert!(matches!(image_id, Err(RemoteRepositoryError::ImageId(_))));
    }
}
