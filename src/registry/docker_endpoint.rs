//! Finds the API of the Docker engine: the socket that the `docker` command would use.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::name::Digest;

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerEndpoint {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A host and a port, without TLS.
    Tcp(String),
}

/// The endpoint is unknown or of an unsupported kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum DockerEndpointError {
    #[error("the Docker host `{0}` is not supported: expected `unix://PATH` or `tcp://HOST:PORT`")]
    UnsupportedHost(String),
    #[error("the Docker host `{0}` requires TLS, which is not supported")]
    RequiresTls(String),
    #[error("the Docker context `{0}` does not exist, or has no Docker host")]
    UnknownContext(String),
}

/// The socket of the engine: `DefaultDockerHost` in moby's `client/client_unix.go`.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// The context that means the default socket.
const DEFAULT_CONTEXT: &str = "default";

/// The largest configuration file, in bytes. Real ones have some kilobytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// The members of `config.json` of the `docker` command that select an engine.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DockerConfig {
    current_context: String,
}

/// `meta.json` of a context: docker/cli, `cli/context/store`.
#[derive(Deserialize)]
struct ContextMetadata {
    #[serde(rename = "Endpoints")]
    endpoints: ContextEndpoints,
}

#[derive(Deserialize)]
struct ContextEndpoints {
    docker: ContextEndpoint,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host")]
    host: String,
}

impl DockerEndpoint {
    /// Returns the endpoint in the order of the `docker` command: `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context of
    /// its configuration, the default socket.
    ///
    /// # Errors
    /// Returns an error for an unknown context, and for hosts that need TLS, SSH or a Windows pipe.
    pub fn find() -> Result<Self, DockerEndpointError> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let directory = config_directory();
        let requires_tls = variable("DOCKER_TLS_VERIFY").is_some();
        Self::choose(variable("DOCKER_HOST"), variable("DOCKER_CONTEXT"), directory.as_deref(), requires_tls)
    }

    fn choose(
        host: Option<String>,
        context: Option<String>,
        directory: Option<&Path>,
        requires_tls: bool,
    ) -> Result<Self, DockerEndpointError> {
        if let Some(host) = host {
            return Self::parse(&host, requires_tls);
        }
        let configured = || {
            let config: DockerConfig = read_json(&directory?.join("config.json"))?;
            Some(config.current_context).filter(|name| !name.is_empty())
        };
        let context = context.or_else(configured).filter(|name| name != DEFAULT_CONTEXT);
        let Some(context) = context else { return Ok(Self::Unix(PathBuf::from(DEFAULT_SOCKET))) };
        let metadata = directory.and_then(|directory| {
            // The directory of a context is named by the digest of its name.
            let digest = Digest::of(context.as_bytes());
            let name = digest.as_str().trim_start_matches("sha256:");
            read_json::<ContextMetadata>(&directory.join("contexts/meta").join(name).join("meta.json"))
        });
        let host = metadata.map(|metadata| metadata.endpoints.docker.host).filter(|host| !host.is_empty());
        Self::parse(&host.ok_or(DockerEndpointError::UnknownContext(context))?, requires_tls)
    }

    /// Parses a Docker host.
    fn parse(host: &str, requires_tls: bool) -> Result<Self, DockerEndpointError> {
        if let Some(path) = host.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        match host.strip_prefix("tcp://").map(|address| address.trim_end_matches('/')) {
            Some(_) if requires_tls => Err(DockerEndpointError::RequiresTls(host.to_owned())),
            Some(address) if address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
                Ok(Self::Tcp(address.to_owned()))
            }
            _ => Err(DockerEndpointError::UnsupportedHost(host.to_owned())),
        }
    }
}

/// Returns the directory of Docker's configuration: Docker's command-line reference, "Configuration files".
pub(crate) fn config_directory() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")))
}

/// Reads a file of Docker's configuration; `None` if it does not exist or is not valid.
fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_CONFIG_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn unix(path: &str) -> DockerEndpoint {
        DockerEndpoint::Unix(path.into())
    }

    #[test]
    fn hosts_are_sockets_and_addresses() {
        for (host, expected) in [
            ("unix:///run/user/1000/docker.sock", unix("/run/user/1000/docker.sock")),
            ("tcp://127.0.0.1:2375", DockerEndpoint::Tcp("127.0.0.1:2375".to_owned())),
            ("tcp://[::1]:2375/", DockerEndpoint::Tcp("[::1]:2375".to_owned())),
        ] {
            assert_eq!(DockerEndpoint::parse(host, false).unwrap(), expected);
        }
        for invalid in
            ["", "unix://docker.sock", "tcp://host", "ssh://host", "npipe:////./pipe/docker_engine", "http://h:1"]
        {
            let expected = DockerEndpointError::UnsupportedHost(invalid.to_owned());
            assert_eq!(DockerEndpoint::parse(invalid, false), Err(expected));
        }
        assert!(matches!(DockerEndpoint::parse("tcp://h:2376", true), Err(DockerEndpointError::RequiresTls(_))));
    }

    #[test]
    fn host_then_context_then_configuration_decide() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = Some(directory.path());
        let choose = |host: Option<&str>, context: Option<&str>| {
            DockerEndpoint::choose(host.map(str::to_owned), context.map(str::to_owned), path, false)
        };
        assert_eq!(choose(None, None).unwrap(), unix(DEFAULT_SOCKET));
        // The digest of `colima`.
        let name = "f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16";
        let meta = directory.path().join("contexts/meta").join(name);
        fs::create_dir_all(&meta).unwrap();
        let text = r#"{"Name": "colima", "Endpoints": {"docker": {"Host": "unix:///Users/me/.colima/docker.sock"}}}"#;
        fs::write(meta.join("meta.json"), text).unwrap();
        fs::write(directory.path().join("config.json"), r#"{"auths": {}, "currentContext": "colima"}"#).unwrap();
        assert_eq!(choose(None, None).unwrap(), unix("/Users/me/.colima/docker.sock"));
        assert_eq!(choose(None, Some("default")).unwrap(), unix(DEFAULT_SOCKET));
        assert_eq!(choose(Some("unix:///d.sock"), Some("colima")).unwrap(), unix("/d.sock"));
        assert_eq!(choose(None, Some("gone")), Err(DockerEndpointError::UnknownContext("gone".to_owned())));
    }
}
