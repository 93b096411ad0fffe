//! What there is to say about one image: one value with several faces.
//!
//! Does not send anything. The value itself, serialised, is the JSON face, schema `ecr-preflight/1`.

mod line;
mod face;
mod card;
mod declare;
mod remedy;
mod repair;
mod started;
mod symptom;
mod text;
mod size;
mod program;
mod platforms;

pub use card::card;
#[cfg(feature = "cli")]
pub(crate) use card::{code as inline_code, escape};
pub use face::{ArrivalFace, FaultFace, ImageFace, Kind, RuntimeFace};
pub use line::{Line, Role, Span};
pub use platforms::{PlatformFace, Platforms};
pub use program::{ProgramFace, ProgramOutcome};
pub use remedy::Remedy;
pub use started::{Outcome, Started};
pub use text::{OVERRIDE, because, headline, lines, sign, text};

use serde::Serialize;

use crate::event::{Arrival, Ignored};
use crate::inspect::Inspection;
use crate::intent::Declared;
use crate::name::{Repository, Tag};
use crate::oci::{Content, Image};
use crate::verdict::{Code, Finding, Judgement, Verdict};

/// The schema of the JSON face, with its version.
pub const SCHEMA: &str = "ecr-preflight/1";

/// What there is to say about one image. Keys that do not apply are left out of the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    schema: &'static str,
    /// The arrival that it answers; none for a check at the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival: Option<ArrivalFace>,
    /// The image; none where it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageFace>,
    /// The intended runtimes that it was held against; none where it was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended: Option<Vec<Declared>>,
    /// The worst of the runtimes' verdicts.
    pub verdict: Verdict,
    /// Why it was ignored, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<Ignored>,
    /// One answer for each intended runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtimes: Option<Vec<RuntimeFace>>,
    /// What is started of the images that the verdict depends on; none where no program was to be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<Started>,
    /// What else the reader is to know, such as a mark that could not be set. Not in the JSON: it is about this
    /// program, not about the image.
    #[serde(skip)]
    pub remarks: Vec<String>,
    /// The key under which a runtime would be declared. Not in the JSON either.
    #[serde(skip)]
    pub key: String,
}

/// What is said of every image where programs are not looked at.
const LABELS_ONLY: &str = "label checked, binary not inspected: that is turned off";

/// How an image is called: by people, and in the commands that mend it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The arrival, where there was one.
    pub arrival: Option<&'a Arrival>,
    /// The reference as the user knows it.
    pub reference: &'a str,
    /// The repository, where it is one of Amazon ECR.
    pub repository: Option<&'a Repository>,
    /// The tag, where it has one.
    pub tag: Option<&'a Tag>,
    /// The key under which runtimes are declared.
    pub key: &'a str,
    /// Whether programs were not to be looked at.
    pub labels_only: bool,
}

impl Report {
    /// The report of an image that was judged; `image` is `None` where it could not be read.
    #[must_use]
    pub fn judged(place: Place<'_>, image: Option<&Image>, inspections: &[Inspection], judgement: &Judgement) -> Self {
        let runtime = |finding: &Finding| {
            let fault = |fault: &crate::verdict::Fault| {
                let remedy = remedy::remedies(fault, finding, judgement, image, place);
                FaultFace {
                    code: fault.code,
                    platform: fault.platform.clone(),
                    evidence: fault.evidence.clone(),
                    symptom: symptom::symptom(fault, finding, image, place),
                    advice: remedy.iter().map(|remedy| remedy.advice.clone()).collect(),
                    remedy,
                }
            };
            RuntimeFace {
                subject: finding.subject.clone(),
                verdict: finding.verdict,
                unknown: finding.unknown.clone(),
                faults: finding.faults.iter().map(fault).collect(),
            }
        };
        let is_image = image.is_some_and(|image| matches!(image.content, Content::Single(_) | Content::Index(_)));
        let is_labels = place.labels_only && is_image && judgement.verdict != Verdict::Undeclared;
        Self {
            remarks: is_labels.then(|| LABELS_ONLY.to_owned()).into_iter().collect(),
            image: image.map(|image| ImageFace::new(place.reference, image)),
            intended: Some(judgement.intended.clone()),
            verdict: judgement.verdict,
            runtimes: Some(judgement.findings.iter().map(runtime).collect()),
            exec: inspections.iter().map(Started::new).collect(),
            ..Self::empty(place)
        }
    }

    /// The report of an image, or of an event, that is not for this program to judge.
    #[must_use]
    pub fn ignored(place: Place<'_>, image: Option<&Image>, why: Ignored) -> Self {
        let image = image.map(|image| ImageFace::new(place.reference, image));
        Self { image, ignored: Some(why), ..Self::empty(place) }
    }

    fn empty(place: Place<'_>) -> Self {
        Self {
            schema: SCHEMA,
            arrival: place.arrival.map(ArrivalFace::new),
            image: None,
            intended: None,
            verdict: Verdict::Ignored,
            ignored: None,
            runtimes: None,
            exec: Vec::new(),
            remarks: Vec::new(),
            key: place.key.to_owned(),
        }
    }

    /// Whether people are to be told: of what fails, of what could not be told where a runtime is declared, and of a
    /// declaration that cannot be read.
    #[must_use]
    pub fn is_news(&self) -> bool {
        let declared = self.intended.as_ref().is_some_and(|intended| !intended.is_empty());
        let unreadable = self.faults().any(|fault| fault.code == Code::IntentUnreadable);
        match self.verdict {
            Verdict::Fails => true,
            Verdict::Unknown => declared || unreadable,
            Verdict::Ignored | Verdict::Undeclared | Verdict::Runs => false,
        }
    }

    /// The answers for the runtimes.
    pub fn runtimes(&self) -> impl Iterator<Item = &RuntimeFace> {
        self.runtimes.iter().flatten()
    }

    /// Everything that is wrong.
    pub fn faults(&self) -> impl Iterator<Item = &FaultFace> {
        self.runtimes().flat_map(|runtime| &runtime.faults)
    }

    /// How the image is called in a sentence: `team/app:v1`, or the reference that was checked.
    #[must_use]
    pub fn subject(&self) -> String {
        let named = |arrival: &ArrivalFace| {
            let tag = arrival.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
            format!("{}{tag}", arrival.repository)
        };
        let reference = || self.image.as_ref().map(|image| image.reference.clone());
        self.arrival.as_ref().map(named).or_else(reference).unwrap_or_else(|| "the image".to_owned())
    }
}
