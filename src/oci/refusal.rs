//! Why programs refuse to pull or unpack an image, although its documents can be read.
//!
//! Each rule was measured by pulling from a registry with containerd 1.6.20 and Docker Engine 20.10.24, and with skopeo
//! 1.9.3 into Podman's storage. Fargate uses containerd, and ECS on EC2 uses Docker Engine.

/// What is wrong with an image, and which programs refuse it for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRefusal {
    /// What is wrong, in one sentence without a period.
    pub reason: String,
    /// The programs that refuse the image.
    pub refused_by: RefusedBy,
}

/// The programs that refuse an image, from the most to the fewest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusedBy {
    /// Every program: the bytes of the image are missing or cannot be decompressed.
    Everyone,
    /// containerd, Docker Engine and Podman, which share the archive and JSON libraries of Go.
    ContainerRuntimes,
    /// containerd and Docker Engine. Podman runs the image.
    ContainerdAndDocker,
    /// containerd. Docker Engine runs the image.
    Containerd,
    /// Docker Engine. containerd runs the image.
    Docker,
    /// containerd and Docker Engine in the measured versions; newer ones may know the format.
    OldVersions,
    /// Some decoders, for example Go's gzip, but not `unpigz`. Which one a host uses is unknown.
    SomeDecoders,
}

impl RefusedBy {
    /// Returns the programs that are known to refuse the image, and those that are known to run it, for a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Everyone => "no runtime can pull it",
            Self::ContainerRuntimes => "containerd, Docker Engine and Podman refuse it",
            Self::ContainerdAndDocker => "containerd and Docker Engine refuse it, Podman does not",
            Self::Containerd => "containerd refuses it, Docker Engine does not",
            Self::Docker => "Docker Engine refuses it, containerd does not",
            Self::OldVersions => "containerd 1.6 and Docker Engine 20.10 refuse it, newer versions may not",
            Self::SomeDecoders => "it is unknown which runtimes can decompress it",
        }
    }
}

impl ImageRefusal {
    /// Creates a refusal.
    pub fn new(refused_by: RefusedBy, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), refused_by }
    }

    /// Returns the refusal of more programs; the first if both are refused by the same.
    pub fn stronger(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if other.refused_by < one.refused_by => Some(other),
            (one, other) => one.or(other),
        }
    }
}
