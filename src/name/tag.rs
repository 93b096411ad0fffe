//! An image tag, and the verdict tags that this program writes.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::digest::Digest;
use crate::text::sanitize_quoted;

/// A tag. Grammar: OCI distribution specification, "Pulling manifests".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Tag(String);

/// The longest tag, in bytes.
const MAX_LENGTH: usize = 128;

/// The prefix of all verdict tags. There is only one, because the event rule can exclude only one prefix.
pub const VERDICT_TAG_PREFIX: &str = "preflight-";

/// The hexadecimal digits of the image's digest in a verdict tag. To make an image whose digest begins like that of a
/// given one takes 2^64 attempts; with the 12 digits of the usual short form it would take 2^48.
const VERDICT_TAG_DIGITS: usize = 16;

impl Tag {
    /// Returns the tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the tag names something that belongs to another image: `sha256-<hex>` ("Referrers Tag Schema" of
    /// the OCI distribution specification), optionally with a suffix (`.sig`, `.att`, `.sbom` of cosign).
    pub fn is_referrer_tag(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("sha256-") else { return false };
        let (hex, suffix) = rest.split_at_checked(64).unwrap_or((rest, ""));
        hex.len() == 64 && hex.bytes().all(|c| c.is_ascii_hexdigit()) && (suffix.is_empty() || suffix.starts_with('.'))
    }

    /// Creates the verdict tag of an image for a runtime or platform: `preflight-fail-ecs-arm64-3c949327e3253c94`. It
    /// contains the digest, so it never has to be moved and works in repositories with immutable tags.
    pub fn for_verdict(passes: bool, subject: &str, digest: &Digest) -> Self {
        let prefix = format!("{VERDICT_TAG_PREFIX}{}-", if passes { "pass" } else { "fail" });
        let suffix = format!("-{}", &digest.hex()[..VERDICT_TAG_DIGITS]);
        let tag_char = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
        let subject: String = subject.chars().map(tag_char).take(MAX_LENGTH - prefix.len() - suffix.len()).collect();
        Self(format!("{prefix}{subject}{suffix}"))
    }

    /// Returns whether this program wrote the tag.
    pub fn is_verdict_tag(&self) -> bool {
        self.0.starts_with(VERDICT_TAG_PREFIX)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a valid tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid tag: expected 1 to 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`")]
pub struct TagError(String);

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let is_valid = text.bytes().next().is_some_and(is_word)
            && text.len() <= MAX_LENGTH
            && text.bytes().all(|c| is_word(c) || c == b'.' || c == b'-');
        if is_valid { Ok(Self(text.to_owned())) } else { Err(TagError(sanitize_quoted(text))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_tags_parse_and_invalid_ones_are_rejected() {
        for valid in ["v1", "latest", "_x", "1.4.2-ecs-arm64", &"a".repeat(128)] {
            assert_eq!(valid.parse::<Tag>().unwrap().as_str(), valid);
        }
        for invalid in ["", ".a", "-a", "a b", "a/b", "a:b", "é", "a\n", &"a".repeat(129)] {
            assert!(invalid.parse::<Tag>().is_err(), "{invalid}");
        }
    }

    #[test]
    fn referrer_tags_are_recognized() {
        let hex = "3c949327e3253c949327e3253c949327e3253c949327e3253c949327e325abcd";
        let is_referrer = |tag: &str| tag.replace("HEX", hex).parse::<Tag>().unwrap().is_referrer_tag();
        for (expected, tags) in
            [(true, "sha256-HEX sha256-HEX.sig sha256-HEX.att"), (false, "sha256-HEXx sha256-abc.sig v1.sig")]
        {
            tags.split(' ').for_each(|tag| assert_eq!(is_referrer(tag), expected, "{tag}"));
        }
    }

    #[test]
    fn verdict_tags_are_valid_and_recognized() {
        let digest: Digest = format!("sha256:3c949327e3253c94{}", "0".repeat(48)).parse().unwrap();
        for (passes, subject, expected) in [
            (false, "apprunner", "preflight-fail-apprunner-3c949327e3253c94"),
            (true, "ecs/arm64", "preflight-pass-ecs-arm64-3c949327e3253c94"),
            (false, "linux/arm/v7", "preflight-fail-linux-arm-v7-3c949327e3253c94"),
            (false, "a b;é", "preflight-fail-a-b---3c949327e3253c94"),
        ] {
            let tag = Tag::for_verdict(passes, subject, &digest);
            assert_eq!(tag.as_str(), expected);
            assert_eq!(expected.parse().as_ref(), Ok(&tag));
            assert!(tag.is_verdict_tag());
        }
        assert_eq!(Tag::for_verdict(true, &"x".repeat(500), &digest).as_str().len(), 128);
        for other in ["v1", "preflight", "my-preflight-fail-x", "preflighted-1"] {
            assert!(!other.parse::<Tag>().unwrap().is_verdict_tag(), "{other}");
        }
    }
}
