//! What of an image a call is about.
//!
//! Does not know what goes wrong with it.

use std::fs;

use ecr_preflight::name::Digest;
use serde_json::Value;

use crate::support::layout::{Builder, digest};

/// What calls name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// Whatever they name.
    Any,
    /// The image that was pushed.
    Image,
    /// The last child of an index.
    Child,
    /// Its config; that of the last child, where it is an index.
    Config,
    /// Its layer.
    Layer,
    /// The tag that is to be the mark.
    Mark,
}

impl Object {
    /// The word that calls have that name it.
    pub fn name(self, layout: &Builder, image: &Digest, mark: Option<&str>) -> String {
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
            Self::Mark => mark.expect("a mark").to_owned(),
        }
    }
}

fn document(layout: &Builder, digest: &Digest) -> Value {
    serde_json::from_slice(&fs::read(layout.path().join("blobs/sha256").join(digest.hex())).unwrap()).unwrap()
}
