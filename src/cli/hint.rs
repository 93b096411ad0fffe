//! Hints: the next step after an error, derived from the error itself.
//!
//! [`super::suggest`] adds hints that need a lookup.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::error::CliError;
use crate::aws::service_error::ServiceError;
use crate::registry::archive::CompressedArchiveError;
use crate::registry::{RegistryError, distribution};
use crate::text::{error_chain, sanitize_quoted};

pub(super) fn hint_for_error(error: &CliError) -> Option<String> {
    let hint = match error {
        CliError::ImageNotFound { hint, .. }
        | CliError::AmbiguousImage { hint, .. }
        | CliError::Command { hint, .. } => return hint.clone(),
        CliError::Image(error) => return error.hint(),
        CliError::WrongScheme { hint, .. } => hint,
        CliError::ForReference { source, .. } => return hint_for_error(source),
        CliError::Repository(_) => "name the repository without a tag: `team/app`, its URI, or its ARN",
        CliError::UnknownCommand(_) => "`ecr-preflight --help` lists the commands",
        CliError::SameFile { .. } => "the second would overwrite the first: name two different files",
        CliError::UnsupportedFormat => "add `--format json`, or leave out `--platforms`",
        CliError::NoRegion => {
            "set AWS_REGION, or `region` in the AWS profile; or use `audit --region REGION`, or `declare` with the \
             repository's URI"
        }
        CliError::NoTerminal => "use `--yes` to write without confirmation, or `--dry-run` to only show the change",
        CliError::DeclarationChanged => "run the command again to see the current declaration",
        CliError::ReservedTagKey(_) => "set PREFLIGHT_DECLARATION_KEY to another key, here and for the function",
        _ => return error.registry_error().and_then(hint_for_registry_error),
    };
    Some(hint.to_owned())
}

pub(super) fn hint_for_registry_error(error: &RegistryError) -> Option<String> {
    if let RegistryError::File { path, source } = error {
        let compressed = source.get_ref().and_then(|error| error.downcast_ref::<CompressedArchiveError>())?;
        return Some(format!("decompress it: `{} --stdout {path} > image.tar`", compressed.decompress_command));
    }
    if let Some(error) = find_cause::<distribution::DistributionError>(error) {
        return error.hint().map(str::to_owned);
    }
    let region = error_region(error);
    if let Some(error) = find_cause::<ServiceError>(error) {
        return hint_for_service_code(&error.code, region);
    }
    if let Some(error) = find_cause::<CredentialsError>(error) {
        return Some(hint_for_credentials_error(error));
    }
    let connection = find_cause::<ConnectorError>(error)?;
    if connection.is_timeout() {
        return Some("AWS did not answer in time: check the network and its proxy".to_owned());
    }
    let region = region.map_or_else(String::new, |region| format!(", and that `{region}` is a region"));
    connection.is_io().then(|| format!("check the network and its proxy{region}"))
}

/// The hint for an error code of an AWS service: "Common Errors" of the ECR API reference, and those of its actions.
fn hint_for_service_code(code: &str, region: Option<&str>) -> Option<String> {
    let region = region.unwrap_or("the region");
    let caller = "`aws sts get-caller-identity` shows the caller";
    let hint = match code {
        "AccessDeniedException" => format!("{caller}; choose another profile with AWS_PROFILE"),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => format!(
            "the session has expired: get new credentials, with {} if you use single sign-on",
            sso_login_command()
        ),
        "UnrecognizedClientException" | "InvalidClientTokenId" => format!(
            "{region} does not know the access key: check the key, and that {region} is the right region and is enabled \
             for the account; {caller}"
        ),
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            "check that the secret key belongs to the access key, and that this machine's clock is right".to_owned()
        }
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
            "AWS is throttling these calls of the account: wait a minute and run the command again".to_owned()
        }
        "TooManyTagsException" => "a repository has at most 50 tags: remove one that is not needed".to_owned(),
        _ => return None,
    };
    Some(hint)
}

fn hint_for_credentials_error(error: &CredentialsError) -> String {
    let caller = "`aws sts get-caller-identity` shows more";
    match (error, aws_profile()) {
        (CredentialsError::CredentialsNotLoaded(_), Some(profile)) => format!(
            "profile `{profile}` has no credentials or does not exist: `aws configure list-profiles` lists the profiles"
        ),
        (CredentialsError::CredentialsNotLoaded(_), None) => {
            "log in with `aws sso login`, set up access keys with `aws configure`, or choose a profile with AWS_PROFILE"
                .to_owned()
        }
        // The types of the causes are private to the SDK; only their texts mention single sign-on.
        _ if error_chain(error).to_ascii_lowercase().contains("sso") => {
            format!("the single sign-on session has expired or has not started: run {}", sso_login_command())
        }
        (_, Some(profile)) => format!("the credentials of profile `{profile}` are unavailable; {caller}"),
        (_, None) => format!("log in with `aws sso login`, or choose a profile with AWS_PROFILE; {caller}"),
    }
}

/// The selected AWS profile, to be quoted in backticks.
fn aws_profile() -> Option<String> {
    std::env::var("AWS_PROFILE").ok().map(|profile| sanitize_quoted(&profile))
}

fn sso_login_command() -> String {
    let profile = aws_profile().map_or_else(String::new, |profile| format!(" --profile {profile}"));
    format!("`aws sso login{profile}`")
}

/// The region of the ARN that the error names.
fn error_region(error: &RegistryError) -> Option<&str> {
    match error {
        RegistryError::Denied { resource, .. }
        | RegistryError::RepositoryNotFound { resource, .. }
        | RegistryError::Failed { resource, .. }
        | RegistryError::UnexpectedReply { resource, .. } => resource.strip_prefix("arn:")?.split(':').nth(2),
        RegistryError::File { .. } | RegistryError::Transfer { .. } | RegistryError::DigestMismatch { .. } => None,
    }
}

/// Finds the first cause of type `T`, at any depth.
fn find_cause<T: Error + 'static>(error: &RegistryError) -> Option<&T> {
    std::iter::successors(error.source(), |&error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::service_error::BoxError;

    #[test]
    fn connection_errors_and_throttling_have_hints() {
        let resource = "arn:aws:ecr:us-wst-2:123456789012:repository/a";
        let unknown_host = "check the network and its proxy, and that `us-wst-2` is a region";
        let timeout = "AWS did not answer in time: check the network and its proxy";
        for (source, hint) in [
            (ConnectorError::io("no such host".into()).into(), Some(unknown_host)),
            (ConnectorError::timeout("late".into()).into(), Some(timeout)),
            (ConnectorError::user("wrong".into()).into(), None),
            (BoxError::from("something else"), None),
        ] {
            let error = RegistryError::Failed { action: "ecr:BatchGetImage", resource: resource.to_owned(), source };
            assert_eq!(hint_for_registry_error(&error).as_deref(), hint, "{error:?}");
        }
        let throttled = "AWS is throttling these calls of the account: wait a minute and run the command again";
        for (code, hint) in [
            ("ThrottlingException", Some(throttled)),
            ("Throttling", Some(throttled)),
            ("TooManyRequestsException", Some(throttled)),
            ("RequestLimitExceeded", Some(throttled)),
            ("ServerException", None),
        ] {
            assert_eq!(hint_for_service_code(code, None).as_deref(), hint, "{code}");
        }
    }
}
