//! Selects the parts of an image to read.

use super::image::IndexEntry;
use crate::platform::Platform;

/// Selects the parts of an image to read.
#[derive(Debug, Clone, Copy)]
pub struct ImageReadOptions<'a> {
    /// Whether the children of an index are compared and their configs read. Otherwise, the platforms in the index are
    /// trusted. The config of a single image is always read, because only it contains the platform.
    pub compare_children: bool,
    /// The platforms that the declared runtimes select from an index; `None` if no runtime is declared yet.
    pub platforms: Option<&'a [Platform]>,
    /// The key of the label that may declare the intended runtimes.
    pub label_key: &'a str,
}

impl ImageReadOptions<'_> {
    /// Returns whether the verdict depends on the config of this child.
    pub(super) fn needs_child(&self, entries: &[IndexEntry], at: usize) -> bool {
        let IndexEntry { digest, platform, .. } = &entries[at];
        let is_repeated = entries.iter().any(|other| other.digest == *digest && other.platform != *platform);
        match (self.platforms, platform.is_known()) {
            // For an image with two platforms, the config determines the right one.
            _ if is_repeated => true,
            // No runtime is declared yet: a config may contain the label that declares one.
            (None, is_known) => self.compare_children || !is_known || at == 0,
            // It may be for a platform that no descriptor contains.
            (Some(wanted), false) => !wanted.iter().all(|wanted| entries.iter().any(|entry| entry.platform == *wanted)),
            (Some(wanted), true) => self.compare_children && wanted.contains(platform),
        }
    }
}
