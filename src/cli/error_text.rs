//! Errors for users: without the wording of the AWS SDK.

use std::error::Error;

use super::aws_failure::{AwsFailure, causes};
use super::error::CliError;
use crate::aws::service_error::{CallError, ServiceError, UnansweredCallError};
use crate::registry::RegistryError;

/// The messages of an error and its causes for the user: those of a failed call to AWS in words, without the SDK's.
pub(super) fn describe_error(error: &(dyn Error + 'static)) -> Vec<String> {
    // Without this, the registry's error is not among the causes of an error that is displayed like it.
    let inner = error.downcast_ref::<CliError>().and_then(CliError::registry_error);
    let error = inner.map_or(error, |inner| inner);
    let failure = AwsFailure::find(error);
    let is_of_caller = failure.as_ref().is_some_and(AwsFailure::is_of_caller);
    let mut messages: Vec<String> = Vec::new();
    let chain = std::iter::once(error).chain(causes(error));
    // What follows is the service's answer or the SDK's error.
    let own = chain.take_while(|cause| {
        let is_answer = failure.is_some() && cause.is::<ServiceError>();
        !(is_answer || cause.is::<UnansweredCallError>())
    });
    for cause in own {
        let text = cause.to_string();
        let is_call = cause.is::<RegistryError>() || cause.is::<CallError>();
        let is_repeated = messages.iter().any(|earlier| earlier.contains(&text));
        if !(is_repeated || is_of_caller && is_call) {
            messages.push(text);
        }
    }
    let says_denied = messages.iter().any(|message| message.contains("denied"));
    let failure = failure.filter(|failure| !(says_denied && *failure == AwsFailure::Denied));
    messages.extend(failure.and_then(|failure| failure.problem()));
    messages
}

/// Joins the messages of [`describe_error`].
pub(super) fn describe_error_in_line(error: &(dyn Error + 'static)) -> String {
    describe_error(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::service_error::BoxError;
    use aws_credential_types::provider::error::CredentialsError;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    #[test]
    fn failed_calls_are_described_in_words() {
        let resource = "arn:aws:ecr:us-wst-2:123456789012:repository/app";
        let failed = "ecr:BatchGetImage on arn:aws:ecr:us-wst-2:123456789012:repository/app failed";
        let unanswered = |is_timeout, source: BoxError| UnansweredCallError { is_timeout, source };
        let no_host = unanswered(false, ConnectorError::io("no such host".into()).into());
        let network = "check the network and its proxy";
        for (source, problem, hint) in [
            (
                no_host,
                "AWS cannot be reached: no such host",
                Some("check the network and its proxy, and that `us-wst-2` is a region"),
            ),
            (
                unanswered(false, ConnectorError::timeout("late".into()).into()),
                "AWS did not answer in time",
                Some(network),
            ),
            (unanswered(true, "operation timeout".into()), "AWS did not answer in time", Some(network)),
            (
                unanswered(false, ConnectorError::user("dispatch failure".into()).into()),
                "AWS did not send a valid reply; `--verbose` shows the details",
                None,
            ),
        ] {
            let error = RegistryError::Failed {
                action: "ecr:BatchGetImage",
                resource: resource.to_owned(),
                source: source.into(),
            };
            assert_eq!(describe_error(&error), [failed, problem]);
            assert_eq!(AwsFailure::find(&error).unwrap().hint(&error).as_deref(), hint);
        }
    }

    #[test]
    fn credentials_matter_more_than_the_call() {
        let missing = unanswered_credentials(CredentialsError::not_loaded("the SDK's list of places"));
        let error =
            RegistryError::Failed { action: "ecr:BatchGetImage", resource: String::new(), source: missing.into() };
        assert_eq!(describe_error(&error), ["no AWS credentials found"]);
        let broken = unanswered_credentials(CredentialsError::provider_error("the SDK's words"));
        let error = CallError::new("sns:Publish", String::new(), broken);
        assert_eq!(describe_error(&error), ["the AWS credentials could not be loaded"]);
    }

    fn unanswered_credentials(error: CredentialsError) -> UnansweredCallError {
        UnansweredCallError { is_timeout: false, source: error.into() }
    }
}
