//! The AWS clients that are made from the function's environment variables.

use std::time::Duration;

use ecr_preflight::aws::{Aws, ClientTimeouts, default_connector, endpoint_override};

use crate::support::aws::{Call, FakeAws};

/// A call by a client made from these variables.
async fn call_with(variables: &'static [(&str, &str)]) -> Call {
    let aws = FakeAws::start();
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let client = Aws::from_variables(variable).unwrap().ecr_client(Some(aws.url()));
    // The repository is missing; only the request matters.
    assert!(client.list_tags_for_resource().resource_arn("arn").send().await.is_err());
    aws.calls().pop().unwrap()
}

#[tokio::test]
async fn requests_are_signed_with_region_and_token() {
    const REGION: (&str, &str) = ("AWS_REGION", "eu-central-1");
    const ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    const KEY: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "key");
    for (call, token) in [
        (call_with(&[REGION, ID, KEY, ("AWS_SESSION_TOKEN", "token")]).await, Some("token")),
        (call_with(&[REGION, ID, KEY, ("AWS_SESSION_TOKEN", "")]).await, None),
        (call_with(&[REGION, ID, KEY]).await, None),
    ] {
        let signature = call.header("authorization").unwrap();
        assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signature}");
        assert!(signature.contains("/eu-central-1/ecr/aws4_request"), "{signature}");
        assert_eq!(call.header("x-amz-security-token"), token);
    }
}

#[test]
fn service_endpoint_overrides_the_common_one() {
    for (of_ecr, common, expected) in [
        (Some("http://ecr"), Some("http://all"), Some("http://ecr")),
        (None, Some("http://all"), Some("http://all")),
        (Some(""), Some("http://all"), Some("http://all")),
        (Some(""), Some(""), None),
        (None, None, None),
    ] {
        let variable = |name: &str| match name {
            "AWS_ENDPOINT_URL_ECR" => of_ecr.map(str::to_owned),
            "AWS_ENDPOINT_URL" => common.map(str::to_owned),
            _ => None,
        };
        assert_eq!(endpoint_override("ECR", variable).as_deref(), expected);
    }
}

#[test]
fn default_timeouts_are_those_documented() {
    let variable = |name: &str| name.starts_with("AWS_").then(|| "given".to_owned());
    let aws = Aws::from_variables(variable).unwrap();
    let client = aws.ecr_client(None);
    let timeouts = client.config().timeout_config().unwrap();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!((timeouts.operation_attempt_timeout(), timeouts.operation_timeout()), (seconds(6), seconds(14)));
    let ClientTimeouts { connect, read, blob, chunk, .. } = ClientTimeouts::default();
    assert_eq!((Some(connect), Some(read)), (seconds(2), seconds(5)));
    assert_eq!((Some(blob), Some(chunk)), (seconds(10), seconds(10)));
    let client = aws
        .with_timeouts(ClientTimeouts { call: Duration::from_secs(1), ..ClientTimeouts::default() })
        .ecr_client(None);
    assert_eq!(client.config().timeout_config().unwrap().operation_timeout(), seconds(1));
}

#[test]
fn calls_are_attempted_four_times() {
    let variable = |name: &str| name.starts_with("AWS_").then(|| "given".to_owned());
    let client = Aws::from_variables(variable).unwrap().ecr_client(None);
    let retries = client.config().retry_config().unwrap();
    let pauses = (retries.initial_backoff(), retries.max_backoff());
    assert_eq!((retries.max_attempts(), pauses), (4, (Duration::from_secs(1), Duration::from_secs(20))));
    let client = super::clients(default_connector()).ecr_client(None);
    let retries = client.config().retry_config().unwrap();
    assert_eq!((retries.max_attempts(), retries.max_backoff()), (4, Duration::from_millis(1)));
}
