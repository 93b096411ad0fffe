//! An image for both sides: its layers and its config, stored in a layout.

use std::collections::BTreeMap;
use std::fmt;

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::damage;
use crate::conformance::umoci::gzip;
use crate::conformance::umoci::layer::{EntryKind, Layer, zstd};
use crate::support::layout::{Builder, OCI_GZIP};
use crate::support::random::Random;

pub const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";
pub const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

#[derive(Debug, Clone)]
pub struct Image {
    pub name: String,
    /// Chooses the compression of the layers and the dialects of their entries.
    pub seed: u64,
    pub layers: Vec<Layer>,
    /// The `config` of the image's config.
    pub config: Value,
    /// What is wrong with its documents and blobs, in the words of `damage::store`.
    pub damage: Option<String>,
}

/// A layout to which images are added; equal layers are stored once.
#[derive(Debug)]
pub struct Images {
    pub layout: Builder,
    /// The descriptors of layers, by the digest of their archive.
    stored: BTreeMap<Digest, Value>,
    has_zstd: bool,
}

impl Images {
    pub fn new() -> Self {
        Self { layout: Builder::new(), stored: BTreeMap::new(), has_zstd: true }
    }

    /// For Docker Engine before 23.0, which does not know zstd.
    pub fn without_zstd() -> Self {
        Self { has_zstd: false, ..Self::new() }
    }

    /// Stores an image under a tag.
    pub fn add(&mut self, image: &Image, tag: &str) {
        if let Some(damage) = &image.damage {
            return damage::store(image, damage, &mut self.layout, tag);
        }
        let (mut layers, mut sums) = (Vec::new(), Vec::new());
        for (number, layer) in image.layers.iter().enumerate() {
            // The bottom layer is one of few, so that it is unpacked once.
            let mut random = Random(if number == 0 { 1 } else { image.seed | 1 });
            let tar = layer.archive(&mut random);
            let sum = Digest::of(&tar);
            sums.push(sum.to_string());
            let layout = &self.layout;
            let store = || match random.below(4) {
                0 => layout.blob(PLAIN, &tar),
                1 if self.has_zstd => layout.blob(ZSTD, &zstd(&tar)),
                _ => layout.blob(OCI_GZIP, &gzip(&tar)),
            };
            layers.push(self.stored.entry(sum).or_insert_with(store).clone());
        }
        let rootfs = json!({"type": "layers", "diff_ids": sums});
        let config = json!({"os": "linux", "architecture": "amd64", "config": image.config, "rootfs": rootfs});
        let image = self.layout.manifest(&config, &layers);
        self.layout.tag(tag, &image);
    }
}

/// Everything that is needed to reproduce the image.
impl fmt::Display for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}: {} {}", self.name, self.config, self.damage.as_deref().unwrap_or_default())?;
        for (number, layer) in self.layers.iter().enumerate() {
            write!(formatter, "  layer {number}:")?;
            for (path, owner, what) in &layer.0 {
                match what {
                    EntryKind::Directory => write!(formatter, " {path}/")?,
                    EntryKind::File(bytes) if bytes.starts_with(b"\x7fELF") => {
                        let machine = bytes.get(18).copied().unwrap_or_default();
                        write!(formatter, " {path}=ELF({machine}, {} bytes)", bytes.len())?;
                    }
                    EntryKind::File(bytes) => {
                        write!(formatter, " {path}=\"{}\"", bytes[..bytes.len().min(80)].escape_ascii())?;
                    }
                    EntryKind::Link(target) => write!(formatter, " {path}->{target}")?,
                    EntryKind::HardLink(target) => write!(formatter, " {path}=={target}")?,
                    other => write!(formatter, " {path}({other:?})")?,
                }
                if (owner.mode, owner.uid, owner.gid) != (0o755, 0, 0) {
                    write!(formatter, "[{:o} {}:{}]", owner.mode, owner.uid, owner.gid)?;
                }
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}
