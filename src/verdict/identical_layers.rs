//! Two entries of one index that promise different architectures of the same files.
//!
//! Does not know which of the two is right.

use crate::oci::{IndexEntry, PlatformImage};

/// Pairs of architectures of which the first starts programs of the second, where the host allows it.
const COMPATIBLE_ARCHITECTURES: [(&str, &str); 2] = [("amd64", "386"), ("arm64", "arm")];

/// Whether two entries promise different architectures of the same files. Without a command nothing is started: such an
/// image only carries data, and may well be the same for all.
pub(super) fn have_identical_layers(a: &IndexEntry, b: &IndexEntry) -> bool {
    let (one, other) = (a.platform.architecture(), b.platform.architecture());
    let differ = a.platform.is_known()
        && b.platform.is_known()
        && a.platform.os() == b.platform.os()
        && one != other
        && !COMPATIBLE_ARCHITECTURES.contains(&(one, other))
        && !COMPATIBLE_ARCHITECTURES.contains(&(other, one));
    let (Some(one), Some(other)) = (a.image(), b.image()) else { return differ && a.digest == b.digest };
    let starts = !one.shown_command.is_empty() || !other.shown_command.is_empty();
    let digests = |single: &PlatformImage| single.layers.iter().map(|layer| layer.digest.clone()).collect::<Vec<_>>();
    // Each may start its own of the files.
    let other_command =
        !one.shown_command.is_empty() && !other.shown_command.is_empty() && one.process.argv != other.process.argv;
    differ && starts && !other_command && !one.layers.is_empty() && digests(one) == digests(other)
}
