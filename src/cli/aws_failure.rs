//! Why a call to AWS failed, in words: the SDK's own wording only helps its developers, and is shown with `--verbose`.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;

use crate::aws::service_error::{CallError, ServiceError, UnansweredCallError};
use crate::registry::RegistryError;
use crate::text::{error_chain, sanitize_quoted};

/// Why a call failed, if the user can do something about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AwsFailure {
    NoCredentials,
    /// There are credentials, but they could not be loaded.
    CredentialsUnavailable,
    /// The session of single sign-on has expired or has not started.
    NoSsoSession,
    SessionExpired,
    UnknownAccessKey,
    InvalidSignature,
    /// The service refused the action. The error that contains this one names the action and the resource.
    Denied,
    /// The repository does not exist, as the error that contains this one says.
    RepositoryNotFound,
    Throttled,
    TooManyTags,
    TimedOut,
    /// The endpoint cannot be reached, for this reason.
    Unreachable(String),
    /// The request was not sent, or the reply is not one of the service.
    NoReply,
}

impl AwsFailure {
    /// Finds the failure among the causes of an error; `None` if a call to AWS did not fail, or if the service's own
    /// words are all that is known.
    pub(super) fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = find_cause::<ServiceError>(error) {
            return Self::from_code(&error.code);
        }
        if let Some(error) = find_cause::<CredentialsError>(error) {
            return Some(match error {
                CredentialsError::CredentialsNotLoaded(_) => Self::NoCredentials,
                // The types of the causes are private to the SDK; only their texts mention single sign-on.
                _ if error_chain(error).to_ascii_lowercase().contains("sso") => Self::NoSsoSession,
                _ => Self::CredentialsUnavailable,
            });
        }
        match find_cause::<ConnectorError>(error) {
            Some(connection) if connection.is_timeout() => return Some(Self::TimedOut),
            Some(connection) if connection.is_io() => {
                return Some(Self::Unreachable(causes(connection).last().map(ToString::to_string).unwrap_or_default()));
            }
            _ => {}
        }
        let unanswered = find_cause::<UnansweredCallError>(error)?;
        Some(if unanswered.is_timeout { Self::TimedOut } else { Self::NoReply })
    }

    /// The failure with this error code: "Common Errors" of the ECR API reference, and those of its actions.
    fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "AuthorizationErrorException" => {
                Self::Denied
            }
            "RepositoryNotFoundException" => Self::RepositoryNotFound,
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Self::SessionExpired,
            "UnrecognizedClientException" | "InvalidClientTokenId" => Self::UnknownAccessKey,
            "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => Self::InvalidSignature,
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
                Self::Throttled
            }
            "TooManyTagsException" => Self::TooManyTags,
            _ => return None,
        })
    }

    /// Whether every call of this caller fails in the same way, so that the action and its resource do not matter.
    pub(super) fn is_of_caller(&self) -> bool {
        matches!(
            self,
            Self::NoCredentials
                | Self::CredentialsUnavailable
                | Self::NoSsoSession
                | Self::SessionExpired
                | Self::UnknownAccessKey
                | Self::InvalidSignature
        )
    }

    /// What is wrong, in words; `None` if the error that contains this one always says it.
    pub(super) fn problem(&self) -> Option<String> {
        let problem = match self {
            Self::NoCredentials => match aws_profile() {
                Some(profile) => return Some(format!("no AWS credentials found in profile `{profile}`")),
                None => "no AWS credentials found",
            },
            Self::CredentialsUnavailable => "the AWS credentials could not be loaded",
            Self::NoSsoSession => "the AWS single sign-on session has expired or has not started",
            Self::SessionExpired => "the AWS session has expired",
            Self::UnknownAccessKey => "AWS does not know the access key",
            Self::InvalidSignature => "AWS rejects the signature that was made with the secret key",
            Self::Denied => "access denied",
            Self::RepositoryNotFound => return None,
            Self::Throttled => "AWS throttles these calls",
            Self::TooManyTags => "the repository has too many tags",
            Self::TimedOut => "AWS did not answer in time",
            Self::Unreachable(reason) => return Some(format!("AWS cannot be reached: {reason}")),
            Self::NoReply => "AWS did not send a valid reply; `--verbose` shows the details",
        };
        Some(problem.to_owned())
    }

    /// The next step after this failure of `error`.
    pub(super) fn hint(&self, error: &(dyn Error + 'static)) -> Option<String> {
        let region = find_region(error);
        let (caller, region_name) = ("`aws sts get-caller-identity` shows the caller", region.unwrap_or("the region"));
        Some(match self {
            Self::NoCredentials => match aws_profile() {
                Some(profile) => format!(
                    "sign in with `aws sso login --profile {profile}`, or choose another profile with AWS_PROFILE: `aws \
                     configure list-profiles` lists them"
                ),
                None => {
                    "sign in with `aws sso login`, set up access keys with `aws configure`, or choose a profile with \
                         AWS_PROFILE"
                        .to_owned()
                }
            },
            Self::CredentialsUnavailable => {
                let more = "`aws sts get-caller-identity` and `--verbose` show more";
                match aws_profile() {
                    Some(profile) => format!("check profile `{profile}`; {more}"),
                    None => format!("sign in with `aws sso login`, or choose a profile with AWS_PROFILE; {more}"),
                }
            }
            Self::NoSsoSession => format!("sign in with {}", sso_login_command()),
            Self::SessionExpired => {
                format!("get new credentials, with {} if you use single sign-on", sso_login_command())
            }
            Self::UnknownAccessKey => format!(
                "check the key, and that {region_name} is the right region and is enabled for the account; {caller}"
            ),
            Self::InvalidSignature => {
                "check that the secret key belongs to the access key, and that this machine's clock is right".to_owned()
            }
            Self::Denied => {
                format!(
                    "{caller}; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states"
                )
            }
            Self::RepositoryNotFound | Self::NoReply => return None,
            Self::Throttled => {
                "wait a minute and run the command again: other calls of the account count too".to_owned()
            }
            Self::TooManyTags => "a repository has at most 50 tags: remove one that is not needed".to_owned(),
            Self::TimedOut => "check the network and its proxy".to_owned(),
            Self::Unreachable(_) => {
                let region = region.map_or_else(String::new, |region| format!(", and that `{region}` is a region"));
                format!("check the network and its proxy{region}")
            }
        })
    }
}

/// The selected AWS profile, to be quoted in backticks.
fn aws_profile() -> Option<String> {
    std::env::var("AWS_PROFILE").ok().filter(|profile| !profile.is_empty()).map(|profile| sanitize_quoted(&profile))
}

fn sso_login_command() -> String {
    let profile = aws_profile().map_or_else(String::new, |profile| format!(" --profile {profile}"));
    format!("`aws sso login{profile}`")
}

/// The region of the ARN that an error or one of its causes names.
fn find_region<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a str> {
    let resource = match find_cause::<RegistryError>(error) {
        Some(
            RegistryError::Denied { resource, .. }
            | RegistryError::RepositoryNotFound { resource, .. }
            | RegistryError::Failed { resource, .. }
            | RegistryError::UnexpectedReply { resource, .. },
        ) => resource,
        Some(RegistryError::File { .. } | RegistryError::Transfer { .. } | RegistryError::DigestMismatch { .. }) => {
            return None;
        }
        None => &find_cause::<CallError>(error)?.resource,
    };
    resource.strip_prefix("arn:")?.split(':').nth(2)
}

/// The causes of an error, the outermost first.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

/// Finds the first error of type `T` among an error and its causes, at any depth.
pub(super) fn find_cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    std::iter::once(error).chain(causes(error)).find_map(|error| error.downcast_ref())
}
