//! The argument REPOSITORY: a name, a URI or an ARN.
//!
//! Does not ask anything but which account a name is of.

use std::str::FromStr;

use super::super::{Error, aws, endpoint};
use crate::aws::Aws;
use crate::name::{Repository, RepositoryError};
use crate::registry::ecr::listing;

/// A repository as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Of whatever account and region the AWS configuration says.
    Name(String),
    Whole(Repository),
}

impl FromStr for Place {
    type Err = RepositoryError;

    fn from_str(text: &str) -> Result<Self, RepositoryError> {
        if text.starts_with("arn:") {
            return Repository::from_arn(text).map(Self::Whole);
        }
        if text.split('/').next().is_some_and(|host| host.contains(".dkr.ecr.")) {
            return text.parse().map(Self::Whole);
        }
        // The name alone is checked; which account and region is asked later.
        Repository::new("000000000000", "us-east-1", text).map(|_| Self::Name(text.to_owned()))
    }
}

impl Place {
    /// The repository, and the clients for its region.
    ///
    /// # Errors
    /// Where a name's region is not configured, or its account cannot be found.
    pub(super) async fn find(self) -> Result<(Aws, Repository), Error> {
        match self {
            Self::Whole(repository) => Ok((aws(Some(repository.region().to_owned())).await, repository)),
            Self::Name(name) => {
                let aws = aws(None).await;
                let region = aws.region().ok_or(Error::NoRegion)?.to_owned();
                let repository = listing::named(&aws.ecr_client(endpoint("ECR")), &region, &name).await?;
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
            ("team/app", Place::Name("team/app".to_owned())),
            ("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app", Place::Whole(whole.clone())),
            ("arn:aws:ecr:us-west-2:123456789012:repository/team/app", Place::Whole(whole)),
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
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
