//! What is known about images beyond their registry: what runs them, and what their tags pointed at before.

use crate::consumer::ConsumerLookup;
use crate::oci::Image;

/// A ledger of images.
pub trait ImageLedger {
    /// Looks up what runs the repository's images. It is called while the manifest is read.
    fn look_up_consumers(&self) -> impl Future<Output = ConsumerLookup>;

    /// Records the image that was read. It is called while the layers are read.
    fn record(&self, image: &Image) -> impl Future<Output = ()>;
}

/// No ledger: nobody asks what runs an image.
impl ImageLedger for () {
    async fn look_up_consumers(&self) -> ConsumerLookup {
        ConsumerLookup::NotRead
    }

    async fn record(&self, _image: &Image) {}
}

/// Consumers that are known already.
impl ImageLedger for ConsumerLookup {
    async fn look_up_consumers(&self) -> ConsumerLookup {
        self.clone()
    }

    async fn record(&self, _image: &Image) {}
}
