//! The part of an image that a call names.

use std::fs;

use ecr_preflight::name::Digest;
use serde_json::Value;

use crate::support::layout::{Builder, digest};

/// What a call names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Anything.
    Any,
    /// The pushed image.
    Image,
    /// The last child of the index.
    Child,
    /// The config; for an index, that of the last child.
    Config,
    /// The layer.
    Layer,
    /// The verdict tag to be set.
    VerdictTag,
}

impl Target {
    /// The text that calls for this target contain.
    pub fn name(self, layout: &Builder, image: &Digest, verdict_tag: Option<&str>) -> String {
        let of = |document: &Value| digest(document).to_string();
        let root = document(layout, image);
        let child = root["manifests"].as_array().and_then(|children| children.last());
        let manifest = child.map_or_else(|| root.clone(), |child| document(layout, &digest(child)));
        match self {
            Self::Any => String::new(),
            Self::Image => image.to_string(),
            Self::Child => of(child.expect("an index")),
            Self::Config => of(&manifest["config"]),
            Self::Layer => of(&manifest["layers"][0]),
            Self::VerdictTag => verdict_tag.expect("a verdict tag").to_owned(),
        }
    }
}

fn document(layout: &Builder, digest: &Digest) -> Value {
    serde_json::from_slice(&fs::read(layout.path().join("blobs/sha256").join(digest.hex())).unwrap()).unwrap()
}
