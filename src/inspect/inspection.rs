//! The result of an inspection of one image on one kind of host.

use crate::exec::{ExecOutcome, Processor, SetupRefusal, StartFailure};
use crate::launch::Launch;
use crate::name::Digest;
use crate::oci::{ImageRefusal, PlatformImage};
use crate::platform::Platform;
use crate::rootfs::UnknownReason;
use crate::runtime::{Runtime, Service};

/// The properties of a host that determine what starts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InspectionTarget {
    /// The processor.
    pub processor: Processor,
    /// Whether AWS Lambda starts the image, as a user of its own.
    pub is_lambda: bool,
}

impl InspectionTarget {
    /// Returns the target of a runtime, or `None` for an unknown processor.
    pub fn for_runtime(runtime: Runtime) -> Option<Self> {
        let profile = runtime.profile();
        let processor = Processor::from_architecture(profile.architecture)?;
        Some(Self { processor, is_lambda: profile.service == Service::Lambda })
    }

    /// Returns the target for a declared platform, or `None` unless it is Linux on a known processor.
    pub fn for_platform(platform: &Platform) -> Option<Self> {
        let processor = Processor::from_architecture(platform.architecture()).filter(|_| platform.os() == "linux")?;
        Some(Self { processor, is_lambda: false })
    }
}

/// The inspection of one image on one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The digest of the image's manifest.
    pub digest: Digest,
    /// The platform that the image's config declares.
    pub platform: Platform,
    /// The target.
    pub target: InspectionTarget,
    /// The entrypoint and command in the image's config.
    pub argv: Vec<String>,
    /// The result.
    pub outcome: InspectionOutcome,
    /// Why programs refuse the image, as far as the layers that were read show. Then the outcome is that on other hosts.
    pub refusal: Option<ImageRefusal>,
}

/// The result of an inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InspectionOutcome {
    /// The chain of programs that are started, at least one, and why the last one fails if it does.
    Launches(Vec<Launch>, Option<StartFailure>),
    /// The container runtime refuses to create the process.
    Refused(SetupRefusal),
    /// Unknown, for this reason.
    Undetermined(String),
    /// Unknown, because only some hosts of the target start the program.
    HostDependent(UnknownReason),
    /// Unknown, because a part of the image is unavailable, also to everyone who pulls it.
    Unavailable(String),
    /// Unknown, because a layer is encrypted, is stored elsewhere, or exceeds a limit.
    Unreadable(String),
    /// Unknown, because the deadline has passed.
    TimedOut,
}

impl InspectionOutcome {
    /// Returns why it is unknown what is started, or `None` if it is known.
    pub fn unknown_reason(&self) -> Option<String> {
        match self {
            Self::Launches(..) | Self::Refused(_) => None,
            Self::HostDependent(reason) => Some(reason.to_string()),
            Self::Undetermined(reason) | Self::Unavailable(reason) | Self::Unreadable(reason) => Some(reason.clone()),
            Self::TimedOut => Some("the layers could not be read within the time limit".to_owned()),
        }
    }
}

impl Inspection {
    pub(super) fn new(single: &PlatformImage, target: InspectionTarget, outcome: InspectionOutcome) -> Self {
        let (digest, platform) = (single.digest.clone(), single.platform.clone());
        Self { digest, platform, target, argv: single.process.argv.clone(), outcome, refusal: None }
    }

    /// Returns the chain of programs that are started; empty if it is unknown.
    pub fn launches(&self) -> &[Launch] {
        match &self.outcome {
            InspectionOutcome::Launches(launches, _) => launches,
            _ => &[],
        }
    }

    /// Returns why it is unknown what is started, or `None` if the last known program certainly fails, or starts.
    pub fn unknown_reason(&self) -> Option<String> {
        let last = self.launches().last().map(|launch| &launch.start.outcome);
        match (self.outcome.unknown_reason(), last) {
            (Some(reason), _) => Some(reason),
            (None, Some(ExecOutcome::Unknown { reason, .. })) => Some(reason.to_string()),
            (None, _) => None,
        }
    }

    /// Returns why the programs were not followed to an answer, or `None` if they were: the last one certainly fails, or
    /// starts and is not known to start another one.
    pub fn not_verified_reason(&self) -> Option<String> {
        let not_followed = || self.launches().iter().find_map(|launch| launch.not_followed.clone());
        self.unknown_reason().or_else(|| not_followed().filter(|_| self.starts() == Some(true)))
    }

    /// Returns whether all known launches of the image start on the target, or `None` if no launch is known.
    pub fn starts(&self) -> Option<bool> {
        if matches!(self.outcome, InspectionOutcome::Refused(_)) {
            return Some(false);
        }
        let fails = |launch: &Launch| launch.start.outcome.is_failure();
        (!self.launches().is_empty()).then(|| !self.launches().iter().any(fails))
    }
}
