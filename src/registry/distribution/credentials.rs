//! Docker's credentials for a registry: `config.json` in `DOCKER_CONFIG` or `~/.docker`, and the helpers that it names.
//!
//! Does not keep them, nor repeat what a helper says: it may be a secret.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use super::error::DistributionError;
use crate::name::RemoteRepository;
use crate::registry::display_path;

/// The names under which credentials for Docker Hub are kept: docker's own, and that of other tools.
const HUB_CREDENTIAL_KEYS: [&str; 2] = ["https://index.docker.io/v1/", "docker.io"];

/// The credentials for a registry; none where docker has none.
///
/// # Errors
/// Where the configuration cannot be read, or its helper fails.
pub(super) async fn find_credential(
    repository: &RemoteRepository,
) -> Result<Option<DockerCredential>, DistributionError> {
    let names = if repository.is_docker_hub() {
        HUB_CREDENTIAL_KEYS.map(str::to_owned).to_vec()
    } else {
        vec![repository.host().to_owned()]
    };
    let read = tokio::task::spawn_blocking(move || read_credential(&names)).await;
    read.unwrap_or_else(|_| Err(DistributionError::failure("docker's configuration could not be read")))
}

fn read_credential(names: &[String]) -> Result<Option<DockerCredential>, DistributionError> {
    let Some(path) = docker_config_path() else { return Ok(None) };
    for name in names {
        let file = match File::open(&path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(DistributionError::failure(format!("{} cannot be read: {error}", display_path(&path))));
            }
        };
        match get_credential_from_reader(file, name) {
            Ok(credential) => return Ok(Some(credential)),
            Err(CredentialRetrievalError::NoCredentialConfigured) => {}
            // The words of docker-credential-helpers, `errCredentialsNotFoundMessage`.
            Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {
            }
            Err(error) => {
                return Err(DistributionError::failure(describe_credential_error(&display_path(&path), &error)));
            }
        }
    }
    Ok(None)
}

/// Where docker keeps its configuration: docker's command line reference, "Configuration files".
fn docker_config_path() -> Option<PathBuf> {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = given("DOCKER_CONFIG").or_else(|| given("HOME").map(|home| home.join(".docker")));
    directory.map(|directory| directory.join("config.json"))
}

/// Not the error's own words, which repeat what a helper printed.
fn describe_credential_error(path: &str, error: &CredentialRetrievalError) -> String {
    match error {
        CredentialRetrievalError::HelperFailure { helper, .. } => format!("{path} names `{helper}`, which failed"),
        CredentialRetrievalError::HelperCommunicationError => {
            format!("{path} names a credential helper that cannot be run")
        }
        CredentialRetrievalError::MalformedHelperResponse => {
            format!("{path} names a credential helper whose answer cannot be read")
        }
        CredentialRetrievalError::ConfigReadError | CredentialRetrievalError::ConfigNotFound => {
            format!("{path} is no configuration of docker's")
        }
        _ => format!("{path} has credentials that cannot be read"),
    }
}
