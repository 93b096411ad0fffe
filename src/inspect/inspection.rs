//! What an inspection is of, and what it gave.
//!
//! Does not make any.

use crate::exec::{Answer, Cause, Processor};
use crate::launch::Launch;
use crate::name::Digest;
use crate::oci::Single;
use crate::platform::Platform;
use crate::runtime::{Runtime, Service};

/// Where an image is started, as far as that decides what starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// The processor.
    pub processor: Processor,
    /// Whether AWS Lambda starts it, by a user of its own.
    pub is_lambda: bool,
}

impl Site {
    /// The site of a runtime.
    #[must_use]
    pub fn of(runtime: Runtime) -> Option<Self> {
        let profile = runtime.profile();
        let processor = Processor::of(profile.architecture)?;
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
    pub site: Site,
    /// The command line that it was to start.
    pub argv: Vec<String>,
    /// What was seen.
    pub seen: Seen,
}

/// What an inspection gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// What is started, one after the other, at least one, and why the last of them is not, where it is not.
    Launches(Vec<Launch>, Option<Cause>),
    /// Nothing, because …
    Nothing(String),
    /// Nothing, since a part of the image cannot be had, as nobody could have it who starts the image, because …
    Lost(String),
    /// Nothing, since reading the layers, or asking them, takes more than is allowed, or a key, because …
    Unread(String),
    /// Nothing in the time that there was.
    Late,
}

impl Inspection {
    pub(super) fn new(single: &Single, site: Site, seen: Seen) -> Self {
        let (digest, platform) = (single.digest.clone(), single.platform.clone());
        Self { digest, platform, site, argv: single.process.argv.clone(), seen }
    }

    /// The last start of the chain, if anything was seen.
    #[must_use]
    pub fn last(&self) -> Option<&Launch> {
        match &self.seen {
            Seen::Launches(launches, _) => launches.last(),
            Seen::Nothing(_) | Seen::Lost(_) | Seen::Unread(_) | Seen::Late => None,
        }
    }

    /// Whether the image's first program starts there; `None` where that cannot be told.
    #[must_use]
    pub fn starts(&self) -> Option<bool> {
        match &self.seen {
            Seen::Launches(launches, _) => Some(!launches.iter().any(Launch::fails)),
            Seen::Nothing(_) | Seen::Lost(_) | Seen::Unread(_) | Seen::Late => None,
        }
    }
}

impl Launch {
    /// Whether it is certain that nothing starts.
    fn fails(&self) -> bool {
        matches!(self.start.answer, Answer::Fails { .. })
    }
}
