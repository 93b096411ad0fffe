//! What an inspection is of, and what it gave.
//!
//! Does not make any.

use crate::exec::{ExecOutcome, Processor, StartFailure};
use crate::launch::Launch;
use crate::name::Digest;
use crate::oci::PlatformImage;
use crate::platform::Platform;
use crate::runtime::{Runtime, Service};

/// Where an image is started, as far as that decides what starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InspectionTarget {
    /// The processor.
    pub processor: Processor,
    /// Whether AWS Lambda starts it, by a user of its own.
    pub is_lambda: bool,
}

impl InspectionTarget {
    /// The site of a runtime.
    #[must_use]
    pub fn for_runtime(runtime: Runtime) -> Option<Self> {
        let profile = runtime.profile();
        let processor = Processor::from_architecture(profile.architecture)?;
        Some(Self { processor, is_lambda: profile.service == Service::Lambda })
    }
}

/// What one image does on one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The digest of the image's manifest.
    pub digest: Digest,
    /// What its config claims.
    pub platform: Platform,
    /// Where it was to start.
    pub target: InspectionTarget,
    /// The command line that it was to start.
    pub argv: Vec<String>,
    /// What was seen.
    pub outcome: InspectionOutcome,
}

/// What an inspection gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InspectionOutcome {
    /// What is started, one after the other, at least one, and why the last of them is not, where it is not.
    Launches(Vec<Launch>, Option<StartFailure>),
    /// Nothing, because …
    Undetermined(String),
    /// Nothing, since a part of the image cannot be had, as nobody could have it who starts the image, because …
    Unavailable(String),
    /// Nothing, since reading the layers, or asking them, takes more than is allowed, or a key, because …
    Unreadable(String),
    /// Nothing in the time that there was.
    TimedOut,
}

impl Inspection {
    pub(super) fn new(single: &PlatformImage, site: InspectionTarget, seen: InspectionOutcome) -> Self {
        let (digest, platform) = (single.digest.clone(), single.platform.clone());
        Self { digest, platform, target: site, argv: single.process.argv.clone(), outcome: seen }
    }

    /// The last start of the chain, if anything was seen.
    #[must_use]
    pub fn last_launch(&self) -> Option<&Launch> {
        match &self.outcome {
            InspectionOutcome::Launches(launches, _) => launches.last(),
            InspectionOutcome::Undetermined(_)
            | InspectionOutcome::Unavailable(_)
            | InspectionOutcome::Unreadable(_)
            | InspectionOutcome::TimedOut => None,
        }
    }

    /// Whether the image's first program starts there; `None` where that cannot be told.
    #[must_use]
    pub fn starts(&self) -> Option<bool> {
        match &self.outcome {
            InspectionOutcome::Launches(launches, _) => Some(!launches.iter().any(Launch::fails)),
            InspectionOutcome::Undetermined(_)
            | InspectionOutcome::Unavailable(_)
            | InspectionOutcome::Unreadable(_)
            | InspectionOutcome::TimedOut => None,
        }
    }
}

impl Launch {
    /// Whether it is certain that nothing starts.
    fn fails(&self) -> bool {
        matches!(self.start.outcome, ExecOutcome::Fails { .. })
    }
}
