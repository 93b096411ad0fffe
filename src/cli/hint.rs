//! What may help against an error, in words.
//!
//! Does not ask anybody: what there is instead of what is missing is found elsewhere, and worded here.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;

use crate::aws::service_error::ServiceError;
use crate::cli::error::CliError;
use crate::registry::archive::CompressedArchiveError;
use crate::registry::{RegistryError, distribution};
use crate::text::error_chain;
use crate::text::sanitize_quoted;

/// How many names a hint offers in the place of one that is not there.
const MAX_SUGGESTIONS: usize = 3;

/// What may help, as far as the error itself tells.
pub(super) fn hint_for_error(error: &CliError) -> Option<String> {
    match error {
        CliError::ImageNotFound { hint, .. }
        | CliError::AmbiguousImage { hint, .. }
        | CliError::Command { hint, .. } => hint.clone(),
        CliError::Image(error) => error.hint(),
        CliError::WrongScheme(error) => Some(error.hint()),
        CliError::ForReference { source, .. } => hint_for_error(source),
        CliError::Repository(_) => Some("a repository is named without a tag: `team/app`, its URI, or its ARN".to_owned()),
        CliError::UnknownCommand(_) => Some("`ecr-preflight --help` lists the commands".to_owned()),
        CliError::SameFile { .. } => Some("one would destroy the other: name two files".to_owned()),
        CliError::NoRegion => Some(
            "set AWS_REGION, or `region` in the profile that AWS_PROFILE names; `audit` takes `--region` too, and `declare` a \
             repository's URI"
                .to_owned(),
        ),
        CliError::NoTerminal => Some("--yes writes it without asking, --dry-run only shows it".to_owned()),
        CliError::DeclarationChanged => Some("run it again to see what it is now".to_owned()),
        CliError::ReservedTagKey(_) => Some("set PREFLIGHT_DECLARATION_KEY to another key, here and for the function".to_owned()),
        _ => error.registry_error().and_then(hint_for_registry_error),
    }
}

/// What may help against an error of a registry.
pub(super) fn hint_for_registry_error(error: &RegistryError) -> Option<String> {
    if let RegistryError::File { path, source } = error {
        let compressed = source.get_ref().and_then(|error| error.downcast_ref::<CompressedArchiveError>())?;
        return Some(format!("decompress it: `{} --stdout {path} > image.tar`", compressed.decompress_command));
    }
    if let Some(fault) = find_cause::<distribution::DistributionError>(error) {
        return fault.hint().map(str::to_owned);
    }
    let region = error_region(error);
    if let Some(said) = find_cause::<ServiceError>(error) {
        return hint_for_service_code(said.code(), region);
    }
    if let Some(credentials) = find_cause::<CredentialsError>(error) {
        return Some(hint_for_credentials_error(credentials, std::env::var("AWS_PROFILE").ok().as_deref()));
    }
    let connection = find_cause::<ConnectorError>(error)?;
    let of_region = region.map_or_else(String::new, |region| format!(", and that `{region}` is a region"));
    match (connection.is_timeout(), connection.is_io()) {
        (true, _) => Some("AWS does not answer from here in time: check the network and its proxy".to_owned()),
        (_, true) => Some(format!("check the network and its proxy{of_region}")),
        _ => None,
    }
}

/// What may help against an error that a service names by its code: "Common Errors" of the ECR API reference, and those
/// of its actions.
fn hint_for_service_code(code: &str, region: Option<&str>) -> Option<String> {
    let region = region.unwrap_or("the region");
    let caller = "`aws sts get-caller-identity` shows who the caller is";
    let hint = match code {
        "AccessDeniedException" => format!("{caller}; another profile is chosen with AWS_PROFILE"),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            let login = sso_login_command(std::env::var("AWS_PROFILE").ok().as_deref());
            format!("the session has ended: take fresh credentials, from {login} where it is one of single sign-on")
        }
        "UnrecognizedClientException" | "InvalidClientTokenId" => format!(
            "{region} does not know the access key: check the key, and that {region} is the right region and enabled for \
             the account; {caller}"
        ),
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            "the secret key is not that of the access key, or this machine's clock is wrong".to_owned()
        }
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
            "AWS allows this account no more of these calls for now: wait a minute and run it again".to_owned()
        }
        "TooManyTagsException" => "a repository takes 50 tags: remove one that is not needed".to_owned(),
        _ => return None,
    };
    Some(hint)
}

fn hint_for_credentials_error(error: &CredentialsError, profile: Option<&str>) -> String {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "log in with `aws sso login`, or choose a profile with AWS_PROFILE".to_owned()
        }
        // The types beneath are the SDK's own; single sign-on stands in their words alone.
        error if error_chain(error).to_ascii_lowercase().contains("sso") => {
            format!("the single sign-on session has ended, or has not begun: {}", sso_login_command(profile))
        }
        _ => format!(
            "the credentials of profile `{}` cannot be had: `aws sts get-caller-identity` shows more",
            sanitize_quoted(profile.unwrap_or("default"))
        ),
    }
}

fn sso_login_command(profile: Option<&str>) -> String {
    let profile = profile.map_or_else(String::new, |profile| format!(" --profile {}", sanitize_quoted(profile)));
    format!("`aws sso login{profile}`")
}

/// What may help where something of a name is not there: what there is instead in its place, as far as it could be
/// listed; `how` lists it.
pub(super) fn suggest_existing(kind: &str, wanted: &str, there: Option<&[String]>, place: &str, how: &str) -> String {
    let Some(there) = there else {
        return format!("check the name, and whether {place} is meant: {how} lists what there is");
    };
    let ranked = rank_by_distance(wanted, there);
    // Beyond this, the words have nothing to do with each other.
    let limit = (wanted.chars().count() / 3).max(1);
    let near: Vec<&str> = ranked.iter().filter(|(far, _)| *far <= limit).map(|(_, name)| *name).collect();
    if !near.is_empty() {
        let are = if near.len().min(MAX_SUGGESTIONS) > 1 { "They are" } else { "It is" };
        return format!("did you mean {}? {are} in {place}", join_names(&near, "or"));
    }
    let all: Vec<&str> = ranked.iter().map(|(_, name)| *name).collect();
    if all.is_empty() {
        return format!("there are no {kind} in {place}");
    }
    format!("the {kind} in {place} that are nearest to `{}`: {}", sanitize_quoted(wanted), join_names(&all, "and"))
}

/// The first few names, in a sentence.
fn join_names(names: &[&str], last_by: &str) -> String {
    let quoted: Vec<String> =
        names.iter().take(MAX_SUGGESTIONS).map(|name| format!("`{}`", sanitize_quoted(name))).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} {last_by} {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// The names and how far they are, the nearest first.
fn rank_by_distance<'a>(wanted: &str, there: &'a [String]) -> Vec<(usize, &'a str)> {
    let mut ranked: Vec<(usize, &str)> =
        there.iter().map(|name| (name_distance(wanted, name), name.as_str())).collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked
}

/// How far a name is. One that ends as the wanted one does is near: its beginning was left out.
fn name_distance(wanted: &str, name: &str) -> usize {
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let whole = strsim::osa_distance(wanted, name);
    if name.contains('/') && last(wanted) == last(name) { whole.min(1) } else { whole }
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

/// The cause of this type, however deep it lies.
fn find_cause<T: StdError + 'static>(error: &RegistryError) -> Option<&T> {
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(source: impl Into<crate::aws::service_error::BoxError>) -> RegistryError {
        let resource = "arn:aws:ecr:us-wst-2:123456789012:repository/a".to_owned();
        RegistryError::Failed { action: "ecr:BatchGetImage", resource, source: source.into() }
    }

    #[test]
    fn the_way_to_a_service_and_its_limits_have_hints() {
        for (error, hint) in [
            (
                failed(ConnectorError::io("no such host".into())),
                Some("check the network and its proxy, and that `us-wst-2` is a region"),
            ),
            (
                failed(ConnectorError::timeout("late".into())),
                Some("AWS does not answer from here in time: check the network and its proxy"),
            ),
            (failed(ConnectorError::user("wrong".into())), None),
            (failed("something else"), None),
        ] {
            assert_eq!(hint_for_registry_error(&error).as_deref(), hint, "{error:?}");
        }
        for code in ["ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"] {
            assert_eq!(
                hint_for_service_code(code, None).as_deref(),
                Some("AWS allows this account no more of these calls for now: wait a minute and run it again")
            );
        }
        assert_eq!(hint_for_service_code("ServerException", None), None);
    }

    #[test]
    fn what_is_near_is_offered_and_what_is_not_is_shown() {
        let all = ["team/app", "team/api", "tools", "library/nginx"].map(str::to_owned);
        for (wanted, there, hint) in [
            ("team/ap", &all[..], "did you mean `team/api` or `team/app`? They are in us-west-2"),
            ("nginx", &all[3..], "did you mean `library/nginx`? It is in us-west-2"),
            (
                "something/else",
                &all[..1],
                "the repositories in us-west-2 that are nearest to `something/else`: `team/app`",
            ),
            ("app", &[], "there are no repositories in us-west-2"),
        ] {
            assert_eq!(suggest_existing("repositories", wanted, Some(there), "us-west-2", ""), hint);
        }
        let unlisted = suggest_existing("tags", "v1", None, "team/app", "`aws ecr list-images`");
        assert_eq!(
            unlisted,
            "check the name, and whether team/app is meant: `aws ecr list-images` lists what there is"
        );
        let hostile = ["\u{1b}[2Jv1".to_owned()];
        assert!(!suggest_existing("tags", "v1", Some(&hostile), "x", "").contains('\u{1b}'));
    }
}
