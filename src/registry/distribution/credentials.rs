//! Finds Docker's credentials for a registry in `config.json` and the credential helpers that it names. The output of a
//! helper may be a secret and is never quoted.

use std::fs::File;
use std::io::{BufReader, ErrorKind};

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use super::error::DistributionError;
use crate::name::RemoteRepository;
use crate::registry::display_path;
use crate::registry::docker_endpoint::config_directory;

/// The keys of credentials for Docker Hub: that of Docker, and that of other tools.
const HUB_CREDENTIAL_KEYS: [&str; 2] = ["https://index.docker.io/v1/", "docker.io"];

/// Finds the credentials for a registry; `None` if Docker has none.
pub(super) async fn find_credential(
    repository: &RemoteRepository,
) -> Result<Option<DockerCredential>, DistributionError> {
    let keys = if repository.is_docker_hub() {
        HUB_CREDENTIAL_KEYS.map(str::to_owned).to_vec()
    } else {
        vec![repository.host().to_owned()]
    };
    let read = tokio::task::spawn_blocking(move || read_credential(&keys)).await;
    read.unwrap_or_else(|_| Err(DistributionError::failure("Docker's configuration could not be read")))
}

fn read_credential(keys: &[String]) -> Result<Option<DockerCredential>, DistributionError> {
    let Some(path) = config_directory().map(|directory| directory.join("config.json")) else { return Ok(None) };
    let failure = |problem: &str| Err(DistributionError::failure(format!("{} {problem}", display_path(&path))));
    for key in keys {
        let file = match File::open(&path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return failure(&format!("cannot be read: {error}")),
        };
        match get_credential_from_reader(file, key) {
            Ok(credential) => return Ok(Some(credential)),
            Err(CredentialRetrievalError::NoCredentialConfigured) => {}
            // `errCredentialsNotFoundMessage` of docker-credential-helpers.
            Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {
            }
            Err(error) => return failure(&describe_problem(&error)),
        }
    }
    Ok(None)
}

/// Describes an error without its text, which may quote the output of a helper.
fn describe_problem(error: &CredentialRetrievalError) -> String {
    let problem = match error {
        CredentialRetrievalError::HelperFailure { helper, .. } => return format!("names `{helper}`, which failed"),
        CredentialRetrievalError::HelperCommunicationError => "names a credential helper that cannot be run",
        CredentialRetrievalError::MalformedHelperResponse => "names a credential helper whose response is not valid",
        CredentialRetrievalError::ConfigReadError | CredentialRetrievalError::ConfigNotFound => {
            "is not a valid Docker configuration"
        }
        _ => "contains credentials that are not valid",
    };
    problem.to_owned()
}
