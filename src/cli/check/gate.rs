//! The options that make `check` stop a pipeline for images that are not known to fail.

use clap::Args;

use crate::report::Report;
use crate::verdict::Verdict;

/// The options that stop a pipeline in cases where the image is not known to fail.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct GateArguments {
    /// Exit with code 2 if an image has the right architecture but its start could not be verified, for example because
    /// the program is in a volume.
    #[arg(long, conflicts_with = "platforms")]
    pub(super) strict: bool,
    /// Exit with code 2 if no runtime is declared for an image.
    #[arg(long, conflicts_with = "platforms")]
    require_declaration: bool,
}

impl GateArguments {
    /// Whether an image that is not known to fail stops the pipeline.
    pub(super) fn stops(self, report: &Report) -> bool {
        let verdict = report.unwaived_verdict();
        self.strict && verdict == Verdict::Runs && report.has_unverified_pass()
            || self.require_declaration && verdict == Verdict::Undeclared
    }
}
