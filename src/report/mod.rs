//! The report about one image, and its output formats: JSON (schema `ecr-preflight/1`), text and Slack card.

mod exec_report;
mod model;
mod remedy;
mod symptom;
mod build;
mod styled_line;
mod text;
mod slack;
mod program;
mod platforms;

pub use exec_report::{ExecReport, ExecReportOutcome};
pub use model::{
    ArrivalReport, FaultReport, ImageReport, Remedy, Report, ReportContext, ReportedImageKind, RuntimeReport, SCHEMA,
};
pub use platforms::{PlatformOverview, PlatformReport};
pub use program::{ProgramOutcome, ProgramReport};
pub use slack::slack_card;
#[cfg(feature = "cli")]
pub(crate) use slack::{escape_slack, escape_slack_code};
pub use styled_line::{SpanRole, StyledLine, StyledSpan};
pub use text::{OVERRIDE_NOTE, describe_ignored, format_headline, format_lines, format_text, verdict_symbol};
