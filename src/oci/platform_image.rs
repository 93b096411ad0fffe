//! Converts the manifest of an image for one platform to the image, and fetches its config.

use super::config::ImageConfig;
use super::image::PlatformImage;
use super::layer::Layer;
use super::media_type::MediaTypeFamily;
use super::process_config::ProcessConfig;
use super::refusal::{ImageRefusal, RefusedBy};
use crate::name::Digest;
use crate::platform::Platform;
use crate::registry::{self, Lookup, Registry, RegistryError};

/// The largest config that is read, in bytes: a hundred times the largest known. A long history makes a config large.
const MAX_CONFIG_BYTES: usize = 1024 * 1024;

/// The manifest of a single image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageManifest {
    pub(super) family: MediaTypeFamily,
    pub(super) layers: Vec<Layer>,
    /// The number of layers in the document.
    pub(super) layer_count: usize,
    /// Why `layers` is incomplete, if it is.
    pub(super) layers_error: Option<String>,
    /// The type of the first layer, if no layer has a known type.
    pub(super) unknown_layer_type: Option<String>,
    /// Why programs refuse the image.
    pub(super) refusal: Option<ImageRefusal>,
    pub(super) config: ManifestConfig,
}

/// Where the config of an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ManifestConfig {
    Blob(ConfigBlob),
    Embedded(Box<ImageConfig>),
}

/// The blob of a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigBlob {
    pub(super) digest: Digest,
    /// Its size in the manifest, in bytes; 0 if unknown.
    pub(super) size: u64,
    /// The number of layers in the manifest.
    pub(super) layer_count: usize,
}

/// An image whose config was applied, if it was fetched.
pub(super) struct ConfiguredImage {
    pub(super) image: PlatformImage,
    /// The value of the label that declares the intended runtimes.
    pub(super) label: Option<String>,
    /// Whether its config was read and is blank.
    pub(super) is_blank: bool,
}

impl ImageManifest {
    /// Returns the image and, unless the manifest contains its config, the config to fetch.
    pub(super) fn into_image(self, digest: Digest) -> (PlatformImage, Option<ConfigBlob>) {
        let mut image = PlatformImage {
            digest,
            platform: Platform::default(),
            created: None,
            config_error: None,
            family: self.family,
            layers: self.layers,
            layers_error: self.layers_error,
            shown_command: Vec::new(),
            process: ProcessConfig::default(),
            refusal: self.refusal,
        };
        match self.config {
            ManifestConfig::Blob(blob) => (image, Some(blob)),
            ManifestConfig::Embedded(config) => {
                image.apply_config(*config);
                (image, None)
            }
        }
    }
}

impl PlatformImage {
    /// Compares the config with the manifest, and keeps the digests of the uncompressed layers.
    fn apply_diff_ids(&mut self, config: &mut ImageConfig, layer_count: usize) {
        if config.diff_id_count != layer_count {
            // `rootfs.go` of containerd: "mismatched image rootfs and manifest layers"; `pull_v2.go` of moby: "layers from
            // manifest don't match image configuration".
            let count = config.diff_id_count;
            let reason =
                format!("its manifest has {layer_count} layers, but its config lists {count} under `diff_ids`");
            self.refuse(RefusedBy::ContainerdAndDocker, reason);
        } else if self.layers.len() == config.diff_ids.len() {
            let diff_ids = std::mem::take(&mut config.diff_ids);
            self.layers.iter_mut().zip(diff_ids).for_each(|(layer, diff_id)| layer.diff_id = Some(diff_id));
        }
    }

    /// Records why programs refuse the image, unless more programs refuse it for another reason.
    pub(super) fn refuse(&mut self, refused_by: RefusedBy, reason: String) {
        self.refusal = ImageRefusal::stronger(self.refusal.take(), Some(ImageRefusal::new(refused_by, reason)));
    }

    fn apply_config(&mut self, config: ImageConfig) {
        self.platform = config.platform;
        self.shown_command = config.shown_command;
        self.process = config.process;
        self.created = config.created;
    }
}

const MISSING_CONFIG: &str = "its config is not in the repository";

/// Describes a blob or manifest of another size than its descriptor names: "failed size validation" in containerd.
pub(super) fn describe_size(name: &str, expected: u64, actual: u64) -> String {
    format!("{name} has {actual} bytes, but its descriptor says {expected}")
}

/// Fetches the config of an image, if it has a blob, and applies it. If it is missing or invalid, sets `config_error`.
pub(super) async fn read_config(
    registry: &impl Registry,
    mut image: PlatformImage,
    blob: Option<ConfigBlob>,
    label_key: &str,
) -> Result<ConfiguredImage, RegistryError> {
    let Some(ConfigBlob { digest, size, layer_count }) = blob else {
        return Ok(ConfiguredImage { image, label: None, is_blank: false });
    };
    let config = if size > MAX_CONFIG_BYTES as u64 {
        Err(format!("its config has {size} bytes, more than the {MAX_CONFIG_BYTES} that are read"))
    } else {
        match registry::fetch_verified_blob(registry, &digest, MAX_CONFIG_BYTES).await? {
            Lookup::Found(bytes) => {
                if bytes.len() as u64 != size {
                    image.refuse(RefusedBy::Containerd, describe_size("its config", size, bytes.len() as u64));
                }
                ImageConfig::parse(&bytes)
            }
            Lookup::Unavailable(reason) => Err(format!("its config is unavailable: {reason}")),
            Lookup::NotFound | Lookup::TagMoved => {
                if registry.is_blob_file_missing(&digest) {
                    image.refuse(RefusedBy::Everyone, MISSING_CONFIG.to_owned());
                }
                Err(MISSING_CONFIG.to_owned())
            }
        }
    };
    let (mut label, mut is_blank) = (None, false);
    match config {
        Ok(mut config) => {
            image.apply_diff_ids(&mut config, layer_count);
            label = config.label(label_key).map(str::to_owned);
            is_blank = config.is_blank();
            image.apply_config(config);
        }
        Err(reason) => image.config_error = Some(reason),
    }
    Ok(ConfiguredImage { image, label, is_blank })
}
