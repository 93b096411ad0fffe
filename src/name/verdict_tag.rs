//! The tags that this program itself writes on images.
//!
//! Does not write them. Their form is fixed, so that they can be told from everybody else's.

use super::digest::Digest;
use super::tag::MAX_LENGTH;
use super::tag::Tag;

/// What every mark begins with. Tags that begin so are this program's: the event rule of the deployed function leaves them
/// out, and so does the code. One prefix and not two, since a rule can exclude only one.
pub const VERDICT_TAG_PREFIX: &str = "preflight-";

impl Tag {
    /// The mark of an image for what it was held against: `preflight-fail-ecs-arm64-3c949327e325`. The digest makes it
    /// unmovable: no other image is ever marked with it, and it suits repositories with immutable tags.
    #[must_use]
    pub fn for_verdict(passes: bool, subject: &str, digest: &Digest) -> Self {
        let prefix = format!("{VERDICT_TAG_PREFIX}{}-", if passes { "pass" } else { "fail" });
        let end = format!("-{}", digest.short());
        let word = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
        let subject: String = subject.chars().map(word).take(MAX_LENGTH - prefix.len() - end.len()).collect();
        format!("{prefix}{subject}{end}").parse().expect("it is made of a tag's characters alone")
    }

    /// Whether it is a mark.
    #[must_use]
    pub fn is_verdict_tag(&self) -> bool {
        self.as_str().starts_with(VERDICT_TAG_PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_tags_that_are_known_again() {
        let digest: Digest = format!("sha256:3c949327e325{}", "0".repeat(52)).parse().unwrap();
        for (passes, subject, mark) in [
            (false, "apprunner", "preflight-fail-apprunner-3c949327e325"),
            (true, "ecs/arm64", "preflight-pass-ecs-arm64-3c949327e325"),
            (false, "linux/arm/v7", "preflight-fail-linux-arm-v7-3c949327e325"),
            (false, "a b;é", "preflight-fail-a-b---3c949327e325"),
        ] {
            let tag = Tag::for_verdict(passes, subject, &digest);
            assert_eq!(tag.as_str(), mark);
            assert!(tag.is_verdict_tag());
        }
        assert_eq!(Tag::for_verdict(true, &"x".repeat(500), &digest).as_str().len(), 128);
    }

    #[test]
    fn other_tags_are_no_marks() {
        for tag in ["v1", "preflight", "my-preflight-fail-x", "preflighted-1"] {
            assert!(!tag.parse::<Tag>().unwrap().is_verdict_tag(), "{tag}");
        }
    }
}
