//! The argument REPOSITORY: a name, a URI or an ARN.
//!
//! Does not ask anything but which account a name is of.

use std::str::FromStr;

use crate::aws::Aws;
use crate::cli::context::{endpoint_url, load_aws};
use crate::cli::error::CliError;
use crate::name::{Repository, RepositoryError};
use crate::registry::ecr::listing;

/// A repository as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RepositoryArgument {
    /// Of whatever account and region the AWS configuration says.
    Name(String),
    Repository(Repository),
}

impl FromStr for RepositoryArgument {
    type Err = RepositoryError;

    fn from_str(text: &str) -> Result<Self, RepositoryError> {
        if text.starts_with("arn:") {
            return Repository::from_arn(text).map(Self::Repository);
        }
        if text.split('/').next().is_some_and(|host| host.contains(".dkr.ecr.")) {
            return text.parse().map(Self::Repository);
        }
        // The name alone is checked; which account and region is asked later.
        Repository::new("000000000000", "us-east-1", text).map(|_| Self::Name(text.to_owned()))
    }
}

impl RepositoryArgument {
    /// The repository, and the clients for its region.
    ///
    /// # Errors
    /// Where a name's region is not configured, or its account cannot be found.
    pub(super) async fn resolve(self) -> Result<(Aws, Repository), CliError> {
        match self {
            Self::Repository(repository) => Ok((load_aws(Some(repository.region().to_owned())).await, repository)),
            Self::Name(name) => {
                let aws = load_aws(None).await;
                let region = aws.region().ok_or(CliError::NoRegion)?.to_owned();
                let repository = listing::find_repository(&aws.ecr_client(endpoint_url("ECR")), &region, &name).await?;
                Ok((aws, repository))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_three_ways() {
        let whole = Repository::new("123456789012", "us-west-2", "team/app").unwrap();
        for (text, place) in [
            ("team/app", RepositoryArgument::Name("team/app".to_owned())),
            ("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app", RepositoryArgument::Repository(whole.clone())),
            ("arn:aws:ecr:us-west-2:123456789012:repository/team/app", RepositoryArgument::Repository(whole)),
        ] {
            assert_eq!(text.parse(), Ok(place));
        }
        for bad in [
            "",
            "Team/App",
            "team/app:v1",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1",
            "arn:aws:ecs:us-west-2:123456789012:cluster/x",
        ] {
            assert!(bad.parse::<RepositoryArgument>().is_err(), "{bad}");
        }
    }
}
