//! A content digest: `sha256:` and 64 hexadecimal digits, the only algorithm that Amazon ECR supports.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::Serialize;
use serde_with::DeserializeFromStr;
use sha2::{Digest as _, Sha256};

use crate::text::sanitize_quoted;

/// The digest of a manifest or a blob. Grammar: OCI image specification, "Descriptor", section "Digests".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, DeserializeFromStr)]
pub struct Digest(String);

const PREFIX: &str = "sha256:";
const HEX_DIGITS: usize = 64;

impl Digest {
    /// Computes the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_hasher(Sha256::new_with_prefix(bytes))
    }

    /// Returns the digest of everything that was written to this hasher.
    pub(crate) fn from_hasher(hasher: Sha256) -> Self {
        let mut text = String::with_capacity(PREFIX.len() + HEX_DIGITS);
        text.push_str(PREFIX);
        for byte in hasher.finalize() {
            write!(text, "{byte:02x}").expect("writing to a String never fails");
        }
        Self(text)
    }

    /// Returns the full text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the 64 hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.0[PREFIX.len()..]
    }

    /// Returns the first 12 hexadecimal digits, the short form in container tools.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
pub struct DigestError(String);

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        match text.strip_prefix(PREFIX) {
            Some(hex) if hex.len() == HEX_DIGITS && hex.bytes().all(is_hex) => Ok(Self(text.to_owned())),
            _ => Err(DigestError(sanitize_quoted(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests_are_computed_parsed_and_printed() {
        assert_eq!(Digest::of(b"").as_str(), EMPTY);
        assert_eq!(Digest::of(b"").short(), "e3b0c44298fc");
        assert_eq!(EMPTY.parse::<Digest>().unwrap().to_string(), EMPTY);
    }

    #[test]
    fn invalid_digests_are_rejected() {
        let upper = EMPTY.to_uppercase();
        let long = format!("{EMPTY}0");
        for invalid in ["", "sha256:", "sha512:abc", &EMPTY[1..], &EMPTY[..70], &upper, &long, "sha256:é"] {
            assert!(invalid.parse::<Digest>().is_err(), "{invalid}");
        }
    }
}
