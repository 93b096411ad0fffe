//! What there is to say about one image: one value with several faces.
//!
//! Does not send anything. The value itself, serialised, is the JSON face, schema `ecr-preflight/1`.

mod styled_line;
mod model;
mod slack;
mod declaration_remedy;
mod remedy;
mod program_remedy;
mod exec_report;
mod symptom;
mod text;
mod size;
mod program;
mod platforms;

pub use exec_report::{ExecReport, ExecReportOutcome};
pub use model::{ArrivalReport, FaultReport, ImageReport, ReportedImageKind, RuntimeReport};
pub use platforms::{PlatformOverview, PlatformReport};
pub use program::{ProgramOutcome, ProgramReport};
pub use remedy::Remedy;
pub use slack::slack_card;
#[cfg(feature = "cli")]
pub(crate) use slack::{escape_slack, escape_slack_code as inline_code};
pub use styled_line::{SpanRole, StyledLine, StyledSpan};
pub use text::{OVERRIDE_NOTE, describe_ignored, format_headline, format_lines, format_text, verdict_symbol};

use serde::Serialize;

use crate::event::{Arrival, IgnoreReason};
use crate::inspect::Inspection;
use crate::intent::DeclaredRuntime;
use crate::name::{Repository, Tag};
use crate::oci::{Image, ImageContent};
use crate::verdict::{FaultCode, Finding, Judgement, Verdict};

/// The schema of the JSON face, with its version.
pub const SCHEMA: &str = "ecr-preflight/1";

/// What there is to say about one image. Keys that do not apply are left out of the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    schema: &'static str,
    /// The arrival that it answers; none for a check at the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival: Option<ArrivalReport>,
    /// The image; none where it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageReport>,
    /// The intended runtimes that it was held against; none where it was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended: Option<Vec<DeclaredRuntime>>,
    /// The worst of the runtimes' verdicts.
    pub verdict: Verdict,
    /// Why it was ignored, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<IgnoreReason>,
    /// One answer for each intended runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtimes: Option<Vec<RuntimeReport>>,
    /// What is started of the images that the verdict depends on; none where no program was to be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<ExecReport>,
    /// What else the reader is to know, such as a mark that could not be set. Not in the JSON: it is about this
    /// program, not about the image.
    #[serde(skip)]
    pub remarks: Vec<String>,
    /// The key under which a runtime would be declared. Not in the JSON either.
    #[serde(skip)]
    pub declaration_key: String,
}

/// What is said of every image where programs are not looked at.
const PROGRAM_NOT_INSPECTED: &str = "label checked, binary not inspected: that is turned off";

/// How an image is called: by people, and in the commands that mend it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportContext<'a> {
    /// The arrival, where there was one.
    pub arrival: Option<&'a Arrival>,
    /// The reference as the user knows it.
    pub reference: &'a str,
    /// The repository, where it is one of Amazon ECR.
    pub repository: Option<&'a Repository>,
    /// The tag, where it has one.
    pub tag: Option<&'a Tag>,
    /// The key under which runtimes are declared.
    pub declaration_key: &'a str,
    /// Whether programs were not to be looked at.
    pub is_platform_only: bool,
}

impl Report {
    /// The report of an image that was judged; `image` is `None` where it could not be read.
    #[must_use]
    pub fn from_judgement(
        place: ReportContext<'_>,
        image: Option<&Image>,
        inspections: &[Inspection],
        judgement: &Judgement,
    ) -> Self {
        let runtime = |finding: &Finding| {
            let fault = |fault: &crate::verdict::Fault| {
                let remedy = remedy::suggest_remedies(fault, finding, judgement, image, place);
                FaultReport {
                    code: fault.code,
                    platform: fault.platform.clone(),
                    evidence: fault.evidence.clone(),
                    symptom: symptom::expected_symptom(fault, finding, image, place),
                    advice: remedy.iter().map(|remedy| remedy.advice.clone()).collect(),
                    remedy,
                }
            };
            RuntimeReport {
                subject: finding.subject.clone(),
                verdict: finding.verdict,
                unknown: finding.unknown.clone(),
                faults: finding.faults.iter().map(fault).collect(),
            }
        };
        let is_image =
            image.is_some_and(|image| matches!(image.content, ImageContent::Single(_) | ImageContent::Index(_)));
        let is_labels = place.is_platform_only && is_image && judgement.verdict != Verdict::Undeclared;
        Self {
            remarks: is_labels.then(|| PROGRAM_NOT_INSPECTED.to_owned()).into_iter().collect(),
            image: image.map(|image| ImageReport::new(place.reference, image)),
            intended: Some(judgement.intended.clone()),
            verdict: judgement.verdict,
            runtimes: Some(judgement.findings.iter().map(runtime).collect()),
            exec: inspections.iter().map(ExecReport::new).collect(),
            ..Self::empty(place)
        }
    }

    /// The report of an image, or of an event, that is not for this program to judge.
    #[must_use]
    pub fn from_ignored(place: ReportContext<'_>, image: Option<&Image>, why: IgnoreReason) -> Self {
        let image = image.map(|image| ImageReport::new(place.reference, image));
        Self { image, ignored: Some(why), ..Self::empty(place) }
    }

    /// The report of an event that is ignored before its image is read.
    #[must_use]
    pub fn from_ignored_event(arrival: Option<&Arrival>, reason: IgnoreReason) -> Self {
        Self::from_ignored(ReportContext { arrival, ..ReportContext::default() }, None, reason)
    }

    fn empty(place: ReportContext<'_>) -> Self {
        Self {
            schema: SCHEMA,
            arrival: place.arrival.map(ArrivalReport::new),
            image: None,
            intended: None,
            verdict: Verdict::Ignored,
            ignored: None,
            runtimes: None,
            exec: Vec::new(),
            remarks: Vec::new(),
            declaration_key: place.declaration_key.to_owned(),
        }
    }

    /// Whether people are to be told: of what fails, of what could not be told where a runtime is declared, and of a
    /// declaration that cannot be read.
    #[must_use]
    pub fn needs_notification(&self) -> bool {
        let declared = self.intended.as_ref().is_some_and(|intended| !intended.is_empty());
        let unreadable = self.faults().any(|fault| fault.code == FaultCode::InvalidDeclaration);
        match self.verdict {
            Verdict::Fails => true,
            Verdict::Unknown => declared || unreadable,
            Verdict::Ignored | Verdict::Undeclared | Verdict::Runs => false,
        }
    }

    /// The answers for the runtimes.
    pub fn runtimes(&self) -> impl Iterator<Item = &RuntimeReport> {
        self.runtimes.iter().flatten()
    }

    /// Everything that is wrong.
    pub fn faults(&self) -> impl Iterator<Item = &FaultReport> {
        self.runtimes().flat_map(|runtime| &runtime.faults)
    }

    /// How the image is called in a sentence: `team/app:v1`, or the reference that was checked.
    #[must_use]
    pub fn display_name(&self) -> String {
        let named = |arrival: &ArrivalReport| {
            let tag = arrival.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
            format!("{}{tag}", arrival.repository)
        };
        let reference = || self.image.as_ref().map(|image| image.reference.clone());
        self.arrival.as_ref().map(named).or_else(reference).unwrap_or_else(|| "the image".to_owned())
    }
}
