//! What an image counts as in an audit: its verdict, unless its findings are waived or known.

use crate::verdict::Verdict;

/// The outcome of an image, the most urgent first: an undeclared image may hide a problem, one that runs does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ImageOutcome {
    Fails,
    Unknown,
    /// Fails or is unknown, but every finding that is not waived is in the baseline.
    Known,
    /// Fails or is unknown, but every finding is waived.
    Waived,
    Undeclared,
    Runs,
    Ignored,
}

impl ImageOutcome {
    /// Every outcome, in its order.
    pub(super) const ALL: [Self; 7] =
        [Self::Fails, Self::Unknown, Self::Known, Self::Waived, Self::Undeclared, Self::Runs, Self::Ignored];

    /// The outcome of a verdict that counts.
    pub(super) fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Fails => Self::Fails,
            Verdict::Unknown => Self::Unknown,
            Verdict::Undeclared => Self::Undeclared,
            Verdict::Runs => Self::Runs,
            Verdict::Ignored => Self::Ignored,
        }
    }

    /// The name, in tables and counts.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Fails => Verdict::Fails.as_str(),
            Self::Unknown => Verdict::Unknown.as_str(),
            Self::Known => "known",
            Self::Waived => "waived",
            Self::Undeclared => Verdict::Undeclared.as_str(),
            Self::Runs => Verdict::Runs.as_str(),
            Self::Ignored => Verdict::Ignored.as_str(),
        }
    }

    /// Whether the image is a problem that counts.
    pub(super) fn is_problem(self) -> bool {
        self <= Self::Unknown
    }
}
