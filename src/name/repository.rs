//! A repository in Amazon ECR, with its URI and ARN.

use std::fmt;
use std::str::FromStr;

use super::digest::Digest;
use super::tag::Tag;
use crate::text::sanitize_quoted;

/// A private repository in Amazon ECR. Displays as its URI, without a scheme.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    account: String,
    region: String,
    name: String,
}

/// The longest repository name, in bytes: `CreateRepository` in the Amazon ECR API reference.
const MAX_NAME: usize = 256;

/// Region prefix, partition and DNS suffix; the first match counts. From `partitions.json` of the AWS SDKs.
const PARTITIONS: [(&str, &str, &str); 8] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("", "aws", "amazonaws.com"),
];

impl Repository {
    /// Creates a repository.
    ///
    /// # Errors
    /// Returns an error if a part is invalid.
    pub fn new(account: &str, region: &str, name: &str) -> Result<Self, RepositoryError> {
        let is_word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_account = account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit());
        let is_region = (1..=32).contains(&region.len()) && region.bytes().all(|c| is_word(c) || c == b'-');
        let is_part = |part: &str| {
            part.bytes().next().is_some_and(is_word)
                && part.bytes().last().is_some_and(is_word)
                && part.bytes().all(|c| is_word(c) || matches!(c, b'.' | b'_' | b'-'))
        };
        let is_name = name.len() <= MAX_NAME && name.split('/').all(is_part);
        if !is_account {
            Err(RepositoryError::Account(sanitize_quoted(account)))
        } else if !is_region {
            Err(RepositoryError::Region(sanitize_quoted(region)))
        } else if !is_name {
            Err(RepositoryError::Name(sanitize_quoted(name)))
        } else {
            Ok(Self { account: account.to_owned(), region: region.to_owned(), name: name.to_owned() })
        }
    }

    /// Parses the ARN of a repository.
    ///
    /// # Errors
    /// Returns an error if it is not the ARN of a repository.
    pub fn from_arn(arn: &str) -> Result<Self, RepositoryError> {
        let not_an_arn = || RepositoryError::Arn(sanitize_quoted(arn));
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let &["arn", _, "ecr", region, account, resource] = parts.as_slice() else { return Err(not_an_arn()) };
        let repository = Self::new(account, region, resource.strip_prefix("repository/").ok_or_else(not_an_arn)?)?;
        // The partition must match the region.
        if repository.arn() == arn { Ok(repository) } else { Err(not_an_arn()) }
    }

    /// Returns the account that owns the registry: 12 digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the region, for example `us-west-2`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the name in the registry, for example `team/app`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the Amazon Resource Name (ARN), in the partition of the region.
    pub fn arn(&self) -> String {
        repository_arn(Some(&self.account), &self.region, &self.name)
    }

    /// Returns the URL of an image in the Amazon ECR console; `None` if the partition's console is unknown. AWS does not
    /// document the path; it is the one in the console's own links.
    pub fn console_url(&self, digest: &Digest) -> Option<String> {
        let Self { account, region, name } = self;
        let (_, host) = CONSOLES.iter().find(|(name, _)| *name == partition(region).0)?;
        Some(format!(
            "https://{region}.{host}/ecr/repositories/private/{account}/{name}/_/image/{digest}/details?region={region}"
        ))
    }

    /// Returns the URI with the tag, if there is one, as `docker push` accepts it.
    pub fn uri_with_tag(&self, tag: Option<&Tag>) -> String {
        tag.map_or_else(|| self.to_string(), |tag| format!("{self}:{tag}"))
    }
}

/// The hosts of the AWS Management Console, by partition: "AWS Management Console" in the user guides of the partitions.
/// Other partitions have no public documentation of theirs.
const CONSOLES: [(&str, &str); 3] = [
    ("aws", "console.aws.amazon.com"),
    ("aws-cn", "console.amazonaws.cn"),
    ("aws-us-gov", "console.amazonaws-us-gov.com"),
];

/// Returns the ARN of a repository. `name` may be a pattern, as in IAM policies; without an account, any account
/// matches.
pub fn repository_arn(account: Option<&str>, region: &str, name: &str) -> String {
    format!("arn:{}:ecr:{region}:{}:repository/{name}", partition(region).0, account.unwrap_or("*"))
}

/// Returns the partition of a region and its DNS suffix.
pub(crate) fn partition(region: &str) -> (&'static str, &'static str) {
    let found = PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix));
    let (_, partition, suffix) = found.expect("the last prefix matches every region");
    (partition, suffix)
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, region, name } = self;
        write!(f, "{account}.dkr.ecr.{region}.{}/{name}", partition(region).1)
    }
}

/// The text is not a valid ECR repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum RepositoryError {
    #[error("`{0}` is not a valid account ID: expected 12 digits")]
    Account(String),
    #[error("`{0}` is not a valid region: expected a name like `us-west-2`")]
    Region(String),
    #[error(
        "`{0}` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `-` or `/`"
    )]
    Name(String),
    #[error("`{0}` is not a valid repository URI: expected `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`")]
    Uri(String),
    #[error("`{0}` is not a valid repository ARN: expected `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`")]
    Arn(String),
}

impl FromStr for Repository {
    type Err = RepositoryError;

    fn from_str(uri: &str) -> Result<Self, RepositoryError> {
        let parts = || {
            let (host, name) = uri.split_once('/')?;
            let (account, rest) = host.split_once(".dkr.ecr.")?;
            let (region, _) = rest.split_once('.')?;
            Some((account, region, name))
        };
        let not_a_uri = || RepositoryError::Uri(sanitize_quoted(uri));
        let (account, region, name) = parts().ok_or_else(not_a_uri)?;
        let repository = Self::new(account, region, name)?;
        // The DNS suffix must match the region: a look-alike host is not Amazon ECR.
        if repository.to_string() == uri { Ok(repository) } else { Err(not_a_uri()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_and_arn_follow_the_region_partition() {
        for (region, arn, uri) in [
            ("us-west-2", "arn:aws:ecr:us-west-2", "1.dkr.ecr.us-west-2.amazonaws.com/a/b"),
            ("cn-north-1", "arn:aws-cn:ecr:cn-north-1", "1.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b"),
            ("us-gov-west-1", "arn:aws-us-gov:ecr:us-gov-west-1", "1.dkr.ecr.us-gov-west-1.amazonaws.com/a/b"),
        ] {
            let repository = Repository::new("123456789011", region, "a/b").unwrap();
            assert_eq!(repository.arn(), format!("{arn}:123456789011:repository/a/b"));
            assert_eq!(repository.to_string(), format!("12345678901{uri}"));
            assert_eq!(repository.to_string().parse().as_ref(), Ok(&repository));
            assert_eq!(Repository::from_arn(&repository.arn()), Ok(repository));
        }
    }

    #[test]
    fn console_url_follows_the_region_partition() {
        let digest = Digest::of(b"");
        for (region, host) in [
            ("us-west-2", Some("us-west-2.console.aws.amazon.com")),
            ("cn-north-1", Some("cn-north-1.console.amazonaws.cn")),
            ("us-gov-west-1", Some("us-gov-west-1.console.amazonaws-us-gov.com")),
            ("us-iso-east-1", None),
        ] {
            let url = Repository::new("123456789012", region, "a/b").unwrap().console_url(&digest);
            let path = format!("a/b/_/image/{digest}/details?region={region}");
            let expected = host.map(|host| format!("https://{host}/ecr/repositories/private/123456789012/{path}"));
            assert_eq!(url, expected);
        }
    }

    #[test]
    fn invalid_parts_are_rejected() {
        let message = |account, region| Repository::new(account, region, "a").unwrap_err().to_string();
        assert_eq!(message("12", "us-west-2"), "`12` is not a valid account ID: expected 12 digits");
        assert_eq!(message("123456789012", "US"), "`US` is not a valid region: expected a name like `us-west-2`");
        for invalid in ["", "A", "a//b", "/a", "a/", "-a", "a b", "a;rm", &"a".repeat(257)] {
            assert!(Repository::new("123456789012", "us-west-2", invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn invalid_arns_and_uris_are_rejected() {
        for invalid in [
            "",
            "team/app",
            "arn:aws:ecr:us-west-2:123456789012:repository",
            "arn:aws:ecr:us-west-2:123456789012:team/app",
            "arn:aws:ecr:us-west-2:*:repository/team/app",
            "arn:aws-cn:ecr:us-west-2:123456789012:repository/team/app",
            "arn:aws:ecs:us-west-2:123456789012:repository/team/app",
            "arn:aws:ecr:us-west-2:123456789012:repository/team/app:v1",
        ] {
            assert!(Repository::from_arn(invalid).is_err(), "{invalid}");
        }
        assert_eq!(repository_arn(None, "cn-north-1", "*"), "arn:aws-cn:ecr:cn-north-1:*:repository/*");
        for invalid in [
            "team/app",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com.evil.example/app",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/App",
            "docker.io/library/nginx",
        ] {
            assert!(invalid.parse::<Repository>().is_err(), "{invalid}");
        }
    }
}
