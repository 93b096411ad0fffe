//! An image tag.
//!
//! Does not know what a tag may declare; that is the intent's.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::text::sanitize_quoted;

/// A tag: up to 128 of `A-Z a-z 0-9 _ . -`, not beginning with `.` or `-`.
///
/// Grammar: OCI distribution specification, "Pulling manifests".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Tag(String);

/// The longest tag that the grammar allows, in bytes.
pub(super) const MAX_LENGTH: usize = 128;

impl Tag {
    /// The tag's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is how clients name what belongs to another image: `sha256-<hex>` (the referrers tag schema of the
    /// OCI distribution specification) or the same with a suffix (`.sig`, `.att`, `.sbom` of cosign).
    #[must_use]
    pub fn is_referrer_tag(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("sha256-") else { return false };
        let (hex, suffix) = rest.split_at_checked(64).unwrap_or((rest, ""));
        hex.len() == 64 && hex.bytes().all(|c| c.is_ascii_hexdigit()) && (suffix.is_empty() || suffix.starts_with('.'))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a tag: expected 1 to 128 of letters, digits, `_`, `.`, `-`, not beginning with `.` or `-`")]
pub struct TagError(String);

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let first = text.bytes().next().is_some_and(word);
        if first && text.len() <= MAX_LENGTH && text.bytes().all(|c| word(c) || c == b'.' || c == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(TagError(sanitize_quoted(text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_tags_are_read() {
        for good in ["v1", "latest", "_x", "1.4.2-ecs-arm64", &"a".repeat(128)] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn bad_tags_are_refused() {
        for bad in ["", ".a", "-a", "a b", "a/b", "a:b", "é", "a\n", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_of_signatures_and_referrers_are_known_by_their_form() {
        let hex = "3c949327e3253c949327e3253c949327e3253c949327e3253c949327e325abcd";
        for (tag, names) in [
            (format!("sha256-{hex}"), true),
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{hex}.att"), true),
            (format!("sha256-{hex}x"), false),
            ("sha256-abc.sig".to_owned(), false),
            ("v1.sig".to_owned(), false),
        ] {
            assert_eq!(tag.parse::<Tag>().unwrap().is_referrer_tag(), names, "{tag}");
        }
    }
}
