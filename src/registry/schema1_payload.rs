//! The payload of a signed manifest in Docker's first format, without the signatures. Source: Docker's "Image Manifest
//! Version 2, Schema 1". The signatures are not verified: the digest of the payload is the identity.

use serde::Deserialize;
use serde_json::Value;

use crate::name::Digest;

#[derive(Debug, Deserialize)]
struct WireSignedManifest {
    signatures: Vec<WireSignature>,
}

#[derive(Debug, Deserialize)]
struct WireSignature {
    protected: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireProtectedHeader {
    format_length: usize,
    format_tail: String,
}

/// Extracts the payload: the first `formatLength` bytes, followed by `formatTail`, as the first signature states them.
/// Returns `None` for an unsigned document.
///
/// # Errors
/// Returns the reason if the signature does not state the payload.
pub(crate) fn extract_payload(bytes: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let is_signed = |document: &Value| {
        document.get("schemaVersion").is_some_and(|version| *version == 1) && document.get("signatures").is_some()
    };
    let Some(document) = serde_json::from_slice::<Value>(bytes).ok().filter(is_signed) else { return Ok(None) };
    let read = || {
        let wire = WireSignedManifest::deserialize(document).ok()?;
        let protected: WireProtectedHeader =
            serde_json::from_slice(&decode_base64url(&wire.signatures.first()?.protected)?).ok()?;
        let mut payload = bytes.get(..protected.format_length)?.to_vec();
        payload.extend(decode_base64url(&protected.format_tail)?);
        Some(payload)
    };
    read().map(Some).ok_or("the signature of its manifest is not valid")
}

/// Computes the digest of the payload of a signed manifest; `None` for any other document.
pub(super) fn compute_payload_digest(bytes: &[u8]) -> Option<Digest> {
    extract_payload(bytes).ok().flatten().map(|payload| Digest::of(&payload))
}

/// Decodes base64url without padding (RFC 4648, section 5), as JSON Web Signatures use it.
fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    let mut standard = text.replace('-', "+").replace('_', "/");
    standard.extend(std::iter::repeat_n('=', (4 - standard.len() % 4) % 4));
    aws_smithy_types::base64::decode(&standard).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(payload: &str) -> Vec<u8> {
        let encode = |text: &str| {
            aws_smithy_types::base64::encode(text).trim_end_matches('=').replace('+', "-").replace('/', "_")
        };
        let length = payload.rfind('}').unwrap() - 1;
        let protected = format!(r#"{{"formatLength":{length},"formatTail":"{}"}}"#, encode(&payload[length..]));
        let signatures = format!(r#","signatures":[{{"protected":"{}"}}]}}"#, encode(&protected));
        [&payload.as_bytes()[..length], signatures.as_bytes()].concat()
    }

    #[test]
    fn a_signed_manifest_has_the_digest_of_its_payload() {
        let payload = "{\"schemaVersion\":1,\"architecture\":\"arm64\"\n}";
        assert_eq!(compute_payload_digest(&sign(payload)), Some(Digest::of(payload.as_bytes())));
    }

    #[test]
    fn unsigned_documents_have_no_payload_digest() {
        for bytes in [
            "",
            "{}",
            r#"{"schemaVersion":1}"#,
            r#"{"schemaVersion":1,"signatures":[{"protected":"!"}]}"#,
            r#"{"schemaVersion":1,"signatures":[{"protected":"e30"}]}"#,
            r#"{"schemaVersion":1,"signatures":[{"protected":"eyJmb3JtYXRMZW5ndGgiOjk5OTksImZvcm1hdFRhaWwiOiJmUSJ9"}]}"#,
        ] {
            assert_eq!(compute_payload_digest(bytes.as_bytes()), None, "{bytes}");
        }
    }
}
