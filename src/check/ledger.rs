//! What is known about images from other sources than their registry: what runs them, and what their tags pointed at before.

use crate::consumer::ConsumerLookup;
use crate::name::Digest;

/// A ledger of images.
pub trait ImageLedger {
    /// Looks up what runs the repository's images. It is called while the manifest is read.
    fn look_up_consumers(&self) -> impl Future<Output = ConsumerLookup>;

    /// Records the image that was read, with its platforms if they are known. It is called while layers are read or, if none
    /// are, while the config is read: then the platforms are not known yet.
    fn record(&self, digest: &Digest, platforms: Vec<String>) -> impl Future<Output = ()>;
}

/// No ledger: nobody asks what runs an image.
impl ImageLedger for () {
    async fn look_up_consumers(&self) -> ConsumerLookup {
        ConsumerLookup::NotRead
    }

    async fn record(&self, _digest: &Digest, _platforms: Vec<String>) {}
}

/// Consumers that are known already.
impl ImageLedger for ConsumerLookup {
    async fn look_up_consumers(&self) -> ConsumerLookup {
        self.clone()
    }

    async fn record(&self, _digest: &Digest, _platforms: Vec<String>) {}
}
