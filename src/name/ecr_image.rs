//! The image string of a consumer, for example of a task definition, if it names an image in a private registry of
//! Amazon ECR.

use super::digest::Digest;
use super::repository::Repository;
use super::selector::Selector;
use super::tag::Tag;

/// An image in Amazon ECR, as a consumer names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcrImage {
    /// The repository.
    pub repository: Repository,
    /// The tag that the string names, `latest` if it names neither a tag nor a digest.
    pub tag: Option<Tag>,
    /// The digest that the string names. If there is one, it decides which image is pulled.
    pub digest: Option<Digest>,
}

/// The part of a registry's host between the account and the region, and the suffixes of the endpoints behind it, if they
/// are not those of the partition. "Making requests to Amazon ECR registries" in the Amazon ECR user guide, and the
/// endpoints in "Amazon ECR endpoints and quotas" of the AWS General Reference.
const ENDPOINTS: [(&str, &[&str]); 4] = [
    (".dkr.ecr.", &[]),
    (".dkr.ecr-fips.", &[]),
    (".dkr-ecr.", &["on.aws", "on.amazonwebservices.com.cn"]),
    (".dkr-ecr-fips.", &["on.aws"]),
];

impl EcrImage {
    /// Parses `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME[:TAG][@DIGEST]`, also with the hosts of FIPS and dual-stack
    /// endpoints. Returns `None` for any other string: an image elsewhere, or an invalid name.
    pub fn parse(text: &str) -> Option<Self> {
        let (text, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse().ok()?)),
            None => (text, None),
        };
        let (host, path) = text.split_once('/')?;
        let (name, tag) = match path.split_once(':') {
            Some((name, tag)) => (name, Some(tag.parse().ok()?)),
            None => (path, None),
        };
        let repository = parse_repository(host, name)?;
        let latest = || "latest".parse().expect("`latest` is a tag");
        let tag = if digest.is_none() { Some(tag.unwrap_or_else(latest)) } else { tag };
        Some(Self { repository, tag, digest })
    }

    /// Returns what selects the image. The digest decides, because the tag is not looked up if both are given.
    pub fn selector(&self) -> Selector {
        let tag = self.tag.clone().filter(|_| self.digest.is_none());
        Selector::new(self.digest.clone(), tag).expect("there is a tag or a digest")
    }
}

/// Returns the repository with this name at this host.
fn parse_repository(host: &str, name: &str) -> Option<Repository> {
    ENDPOINTS.iter().find_map(|(infix, suffixes)| {
        let (account, rest) = host.split_once(infix)?;
        let (region, suffix) = rest.split_once('.')?;
        let repository = Repository::new(account, region, name).ok()?;
        let is_own = match suffixes {
            [] => repository.to_string().split_once('/').is_some_and(|(own, _)| {
                // The suffix must be that of the region's partition: another host is not Amazon ECR.
                own == format!("{account}.dkr.ecr.{rest}")
            }),
            suffixes => {
                suffixes.contains(&suffix) && region.starts_with("cn-") == suffix.starts_with("on.amazonwebservices")
            }
        };
        is_own.then_some(repository)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A digest in the string.
    const DIGEST: &str = "sha256:3c949327e3253c943c949327e3253c943c949327e3253c943c949327e3253c94";

    #[test]
    fn images_in_amazon_ecr_are_recognized() {
        let digest = format!("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app@{DIGEST}");
        let both = format!("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1@{DIGEST}");
        for (text, region, tag, has_digest) in [
            ("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app", "us-west-2", Some("latest"), false),
            ("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1", "us-west-2", Some("v1"), false),
            (&digest, "us-west-2", None, true),
            (&both, "us-west-2", Some("v1"), true),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/team/app:v1", "us-east-1", Some("v1"), false),
            ("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/team/app:v1", "us-gov-west-1", Some("v1"), false),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/team/app:v1", "cn-north-1", Some("v1"), false),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/team/app:v1", "eusc-de-east-1", Some("v1"), false),
            ("123456789012.dkr-ecr.eu-west-1.on.aws/team/app:v1", "eu-west-1", Some("v1"), false),
            ("123456789012.dkr-ecr-fips.us-east-2.on.aws/team/app", "us-east-2", Some("latest"), false),
            (
                "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/team/app:v1",
                "cn-north-1",
                Some("v1"),
                false,
            ),
        ] {
            let image = EcrImage::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((image.repository.region(), image.repository.name()), (region, "team/app"), "{text}");
            assert_eq!((image.tag.as_ref().map(Tag::as_str), image.digest.is_some()), (tag, has_digest), "{text}");
            assert_eq!(image.selector().digest().is_some(), has_digest, "{text}");
        }
    }

    #[test]
    fn other_strings_are_not_images_in_amazon_ecr() {
        for text in [
            "",
            "busybox",
            "grafana/grafana:11.4.0",
            "public.ecr.aws/docker/library/busybox:1.37",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/Team/App",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app@sha256:12",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:a:b",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com:443/team/app:v1",
            "https://123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1",
            "12345678901.dkr.ecr.us-west-2.amazonaws.com/team/app:v1",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com.cn/team/app:v1",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com/team/app:v1",
            "123456789012.dkr.ecr.us-west-2.example.com/team/app:v1",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com.example.com/team/app:v1",
            "123456789012.dkr-ecr.us-west-2.amazonaws.com/team/app:v1",
            "123456789012.dkr.ecr.us-west-2.on.aws/team/app:v1",
            "123456789012.dkr-ecr.us-west-2.on.amazonwebservices.com.cn/team/app:v1",
            "123456789012.dkr-ecr.cn-north-1.on.aws/team/app:v1",
            "123456789012.dkr-ecr-fips.cn-north-1.on.amazonwebservices.com.cn/team/app:v1",
            "${AccountId}.dkr.ecr.us-west-2.amazonaws.com/team/app:v1",
        ] {
            assert_eq!(EcrImage::parse(text), None, "{text}");
        }
    }
}
