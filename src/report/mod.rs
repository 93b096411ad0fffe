//! The report about one image, and its output formats: JSON (schema `ecr-preflight/1`), text, e-mail
//! and Slack card.

mod exec_report;
mod model;
mod remedy;
mod symptom;
mod styled_line;
mod text;
mod cause;
mod declaration;
mod consumer_report;
mod consumer_results;
mod consumers_report;
mod circumstances;
mod circumstance_text;
mod slack;
mod email;
mod platforms;
mod waived;
mod waiver_report;

pub use circumstances::{PreviousImage, ResolvedReport, StoppedReport};
pub use consumer_report::ConsumerReport;
pub use consumers_report::ConsumersReport;
pub use email::{SUBJECT_PREFIX, email_body, email_subject};
pub use exec_report::{ExecReport, ExecReportOutcome, ProgramOutcome, ProgramReport};
pub use model::{
    ArrivalReport, FaultReport, ImageReport, Remedy, Report, ReportContext, ReportedImageKind, RuntimeReport, SCHEMA,
    WarningReport,
};
pub use platforms::{PlatformOverview, PlatformReport};
pub use slack::slack_card;
pub use styled_line::{SpanRole, StyledLine, StyledSpan};
pub use text::{
    OVERRIDE_NOTE, UNVERIFIED_SYMBOL, describe_ignored, describe_wrong_side, format_headline, format_lines,
    format_text, verdict_symbol,
};
pub use waiver_report::WaiverReport;

use self::exec_report::MAX_REASON;
use self::model::{FaultCase, FindingCase};
use crate::event::{Arrival, IgnoreReason};
use crate::inspect::Inspection;
use crate::oci::{Image, ImageContent};
use crate::text::sanitize;
use crate::verdict::{Fault, FaultCode, Finding, Judgement, Verdict};

/// Why a start is not verified if the inspection of programs is disabled.
const INSPECTION_DISABLED: &str = "disabled by PREFLIGHT_INSPECT or --no-exec";

impl Report {
    /// Creates the report about a judged image. `image` is `None` if it could not be read.
    pub fn from_judgement(
        context: ReportContext<'_>,
        image: Option<&Image>,
        inspections: &[Inspection],
        judgement: &Judgement,
    ) -> Self {
        let report_fault = |fault: &Fault, case: FindingCase<'_>| {
            let case = FaultCase { fault, case };
            let remedy = case.suggest_remedies();
            FaultReport {
                code: fault.code,
                platform: fault.platform.clone(),
                evidence: fault.evidence.clone(),
                wrong: case.wrong_side(),
                symptom: case.expected_symptom(),
                advice: remedy.iter().map(|remedy| remedy.advice.clone()).collect(),
                remedy,
                waived: None,
                expired_waiver: None,
                depends_on_command: case.depends_on_command(),
                names: fault.failed_program.as_ref().map(|program| program.names()).unwrap_or_default(),
            }
        };
        let report_warning = |warning: &Fault| WarningReport {
            code: warning.code,
            platform: warning.platform.clone(),
            evidence: warning.evidence.clone(),
        };
        let describe_not_verified = |reason: &String| {
            let reason = if context.is_platform_only { INSPECTION_DISABLED } else { reason };
            sanitize(reason, MAX_REASON)
        };
        let report_finding = |finding: &Finding| {
            let case = FindingCase { finding, judgement, image, context };
            let not_verified = finding.not_verified.as_ref().filter(|_| finding.verdict == Verdict::Runs);
            RuntimeReport {
                subject: finding.subject.clone(),
                verdict: finding.verdict,
                verified: finding.not_verified.is_none(),
                not_verified: not_verified.map(describe_not_verified),
                unknown: finding.unknown.clone(),
                faults: finding.faults.iter().map(|fault| report_fault(fault, case)).collect(),
                warnings: finding.warnings.iter().map(report_warning).collect(),
                next_steps: case.unknown_remedies(inspections),
                consumers: Vec::new(),
                more_consumers: 0,
            }
        };
        let runtimes: Vec<RuntimeReport> = judgement.findings.iter().map(report_finding).collect();
        let is_image =
            image.is_some_and(|image| matches!(image.content, ImageContent::Single(_) | ImageContent::Index(_)));
        // A runtime without a verified start has the same reason.
        let has_remark = context.is_platform_only
            && is_image
            && judgement.verdict != Verdict::Undeclared
            && !runtimes.iter().any(RuntimeReport::is_unverified_pass);
        let remark = || format!("platform checked, program not inspected: {INSPECTION_DISABLED}");
        Self {
            remarks: has_remark.then(remark).into_iter().collect(),
            console_url: context
                .repository
                .zip(image)
                .and_then(|(repository, image)| repository.console_url(&image.digest)),
            image: image.map(|image| ImageReport::new(context.reference, image)),
            intended: Some(judgement.intended.clone()),
            verdict: judgement.verdict,
            runtimes: Some(runtimes),
            exec: inspections.iter().map(ExecReport::new).collect(),
            ..Self::empty(context)
        }
    }

    /// Creates the report about an image or event that is ignored.
    pub fn from_ignored(context: ReportContext<'_>, image: Option<&Image>, reason: IgnoreReason) -> Self {
        let image = image.map(|image| ImageReport::new(context.reference, image));
        Self { image, ignored: Some(reason), ..Self::empty(context) }
    }

    /// Creates the report about an event that is ignored before its image is read.
    pub fn from_ignored_event(arrival: Option<&Arrival>, reason: IgnoreReason) -> Self {
        Self::from_ignored(ReportContext { arrival, ..ReportContext::default() }, None, reason)
    }

    fn empty(context: ReportContext<'_>) -> Self {
        Self {
            schema: SCHEMA,
            arrival: context.arrival.map(ArrivalReport::new),
            owner: context.sanitize_owner(),
            consumer: context.consumer.map(ConsumerReport::new),
            image: None,
            intended: None,
            verdict: Verdict::Ignored,
            ignored: None,
            runtimes: None,
            exec: Vec::new(),
            consumers: None,
            previous: None,
            resolved: None,
            stopped: None,
            omitted: Vec::new(),
            remarks: Vec::new(),
            declaration_key: context.declaration_key.to_owned(),
            docs_url: context.docs_url.map(str::to_owned),
            console_url: None,
        }
    }

    /// Returns whether people are notified: of failures, invalid declarations, and unknown results if one is declared, but
    /// not of what is waived.
    pub fn needs_notification(&self) -> bool {
        let is_declared = self.intended.as_ref().is_some_and(|intended| !intended.is_empty());
        let is_invalid =
            self.faults().any(|fault| fault.code == FaultCode::InvalidDeclaration && fault.waived.is_none());
        match self.unwaived_verdict() {
            Verdict::Fails => true,
            Verdict::Unknown => is_declared || is_invalid,
            Verdict::Ignored | Verdict::Undeclared | Verdict::Runs => false,
        }
    }

    /// Returns the results for all runtimes.
    pub fn runtimes(&self) -> impl Iterator<Item = &RuntimeReport> {
        self.runtimes.iter().flatten()
    }

    /// Returns the faults for all runtimes.
    pub fn faults(&self) -> impl Iterator<Item = &FaultReport> {
        self.runtimes().flat_map(|runtime| &runtime.faults)
    }

    /// Returns whether the image passes for a runtime only by its platform: its start there is not verified.
    pub fn has_unverified_pass(&self) -> bool {
        self.runtimes().any(RuntimeReport::is_unverified_pass)
    }

    /// Returns the name of the image in a sentence: `team/app:v1`, or the checked reference.
    pub fn display_name(&self) -> String {
        match (&self.arrival, &self.image) {
            (Some(ArrivalReport { repository, tag: Some(tag), .. }), _) => format!("{repository}:{tag}"),
            (Some(arrival), _) => arrival.repository.clone(),
            (None, Some(image)) => image.reference.clone(),
            (None, None) => "the image".to_owned(),
        }
    }
}
