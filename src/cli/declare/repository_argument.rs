//! The repositories that `declare` names: by name, URI or ARN.

use crate::aws::Aws;
use crate::cli::context::{endpoint_url, load_aws};
use crate::cli::error::CliError;
use crate::cli::registry_ref::is_ecr_uri;
use crate::name::{Repository, RepositoryError};
use crate::registry::ecr::listing;

/// How many repositories' tags are read at the same time. ECR does not publish a rate limit for `ListTagsForResource`:
/// "Service quotas" of its user guide lists only those of pushes and pulls. Four at a time are fast and rarely throttled,
/// and the client retries throttled calls.
pub(super) const MAX_CONCURRENT_READS: usize = 4;

/// Returns the repository that the REPOSITORY argument names, and the AWS configuration for its region. A name refers to
/// the account and region of the AWS configuration, and the repository has to exist there.
pub(super) async fn find_repository(text: &str) -> Result<(Aws, Repository), CliError> {
    if let Some(repository) = parse_repository(text)? {
        return Ok((load_aws(Some(repository.region().to_owned())).await, repository));
    }
    let aws = load_aws(None).await;
    let region = aws.region().ok_or(CliError::NoRegion)?;
    let repository = listing::find_repository(&aws.ecr_client(endpoint_url("ECR")), region, text).await?;
    Ok((aws, repository))
}

/// Parses a URI or an ARN; `None` for the name of a repository.
pub(in crate::cli) fn parse_repository(text: &str) -> Result<Option<Repository>, RepositoryError> {
    if text.starts_with("arn:") {
        return Repository::from_arn(text).map(Some);
    }
    if is_ecr_uri(text) {
        return text.parse().map(Some);
    }
    // The account and region are not known yet; placeholders suffice to validate the name.
    Repository::new("000000000000", "us-east-1", text).map(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_is_a_name_a_uri_or_an_arn() {
        let whole = Repository::new("123456789012", "us-west-2", "team/app").unwrap();
        for (text, repository) in [
            ("team/app", None),
            ("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app", Some(&whole)),
            ("arn:aws:ecr:us-west-2:123456789012:repository/team/app", Some(&whole)),
        ] {
            assert_eq!(parse_repository(text).unwrap().as_ref(), repository);
        }
        let image = format!("{whole}:v1");
        for invalid in ["", "Team/App", "team/app:v1", &image, "arn:aws:ecs:us-west-2:123456789012:cluster/x"] {
            assert!(parse_repository(invalid).is_err(), "{invalid}");
        }
    }
}
