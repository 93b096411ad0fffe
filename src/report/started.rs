//! What was seen of an image's programs, as the report's JSON has it.
//!
//! Does not judge it.

use serde::Serialize;

use crate::exec::Answer;
use crate::inspect::{Inspection, Seen};
use crate::launch::Launch;
use crate::platform::Platform;
use crate::text::printable;

/// What is started of one image on one processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// What the image claims to be.
    pub platform: Platform,
    /// What it was to start on.
    pub host: Platform,
    /// Its entrypoint and command.
    pub argv: Vec<String>,
    /// What comes of it.
    pub outcome: Outcome,
    /// The kernel's answer in C's name, where nothing starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<&'static str>,
    /// The path that it says it of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is opened on the way: programs, interpreters, loaders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// Why it could not be told, or what the started program starts in its turn could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether that is because the layers could not be read, or not in time. Not in the JSON: the reason is.
    #[serde(skip)]
    pub is_unread: bool,
}

/// What comes of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Outcome {
    Starts,
    Fails,
    Unknown,
}

/// As much of a command line is shown, in words and in characters of each; and as many paths. A message holds all of it
/// twice, for each of some images, and SNS takes 256 KiB.
const MAX_WORDS: usize = 16;
const MAX_WORD: usize = 120;
pub(super) const MAX_CHAIN: usize = 24;
pub(super) const MAX_REASON: usize = 300;

/// Why nothing is known where the time is up.
pub(super) const LATE: &str = "its layers could not be read in the time there is";

impl Started {
    pub(super) fn new(inspection: &Inspection) -> Self {
        let mut started = Self {
            platform: inspection.platform.clone(),
            host: Platform::linux(inspection.site.processor.architecture()),
            argv: inspection.argv.iter().take(MAX_WORDS).map(|word| printable(word, MAX_WORD)).collect(),
            outcome: Outcome::Unknown,
            errno: None,
            path: None,
            chain: Vec::new(),
            reason: None,
            is_unread: matches!(inspection.seen, Seen::Unread(_) | Seen::Late),
        };
        match &inspection.seen {
            Seen::Nothing(reason) | Seen::Lost(reason) | Seen::Unread(reason) => {
                started.reason = Some(printable(reason, MAX_REASON));
            }
            Seen::Late => started.reason = Some(LATE.to_owned()),
            Seen::Launches(launches, _) => launches.iter().for_each(|launch| started.add(launch)),
        }
        started.chain.truncate(MAX_CHAIN);
        started
    }

    /// One start after those before it.
    fn add(&mut self, launch: &Launch) {
        let text = |path: &Vec<u8>| printable(&String::from_utf8_lossy(path), MAX_WORD);
        match &launch.start.answer {
            Answer::Starts { chain, .. } => {
                self.outcome = Outcome::Starts;
                self.chain.extend(chain.iter().map(text));
            }
            Answer::Fails { errno, path, chain } => {
                self.outcome = Outcome::Fails;
                self.errno = Some(errno.name());
                self.path = Some(text(path));
                self.chain.extend(chain.iter().map(text));
            }
            // Something starts; what that starts in its turn, is not told.
            Answer::Unknown { reason, chain } => {
                self.reason = Some(printable(&reason.to_string(), MAX_REASON));
                self.chain.extend(chain.iter().map(text));
            }
        }
    }
}
