//! Answers as a `JUnit` report: a test suite for each image, a test case for each runtime.
//!
//! Does not hold times: two reports of the same images are the same.

use quick_junit::{NonSuccessKind, Report as Junit, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::checker::{CheckFailure, CheckResult};
use super::printer::CheckRecord;
use crate::cli::error::CliError;
use crate::report::{FaultReport, Report, RuntimeReport, format_headline, format_text};
use crate::text::error_chain;
use crate::verdict::Verdict;

/// The report.
///
/// # Errors
/// Where it cannot be written as XML.
pub(super) fn format_junit(done: &[CheckRecord<'_>]) -> Result<String, CliError> {
    let mut junit = Junit::new("ecr-preflight");
    for done in done {
        let mut suite = TestSuite::new(done.reference);
        match &done.outcome {
            Ok(checked) => {
                if let CheckResult::Report(report) = &checked.result {
                    suite.add_test_cases(build_cases(report, done.reference));
                }
            }
            Err(error) => {
                suite.add_test_case(build_case("read", done.reference, read_error_status(error)));
            }
        }
        junit.add_test_suite(suite);
    }
    let xml = junit.to_string().map_err(|error: SerializeError| std::io::Error::other(error))?;
    Ok(xml.trim_end().to_owned())
}

fn build_cases(report: &Report, reference: &str) -> Vec<TestCase> {
    let cases: Vec<TestCase> = report
        .runtimes()
        .map(|runtime| build_case(&runtime.subject.name(), reference, runtime_status(report, runtime)))
        .collect();
    if cases.is_empty() {
        // Nothing was asked of it: that is neither a success nor a failure.
        let mut skipped = TestCaseStatus::skipped();
        skipped.set_message(format_headline(report));
        return vec![build_case("runtime", reference, skipped)];
    }
    cases
}

fn build_case(name: &str, reference: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(reference);
    case
}

/// What could not be told is an error, since a server shows skipped ones as if all were well.
fn runtime_status(report: &Report, runtime: &RuntimeReport) -> TestCaseStatus {
    let kind = match runtime.verdict {
        Verdict::Fails => NonSuccessKind::Failure,
        Verdict::Unknown => NonSuccessKind::Error,
        Verdict::Runs | Verdict::Undeclared | Verdict::Ignored => return TestCaseStatus::success(),
    };
    let mut status = TestCaseStatus::non_success(kind);
    let fault = |fault: &FaultReport| fault.evidence.clone();
    let said: Vec<String> = runtime.faults.iter().map(fault).chain(runtime.unknown.iter().cloned()).collect();
    status.set_message(said.join("; "));
    status.set_type(runtime.faults.first().map_or("unknown", |fault| fault.code.as_str()));
    status.set_description(format_text(report));
    status
}

fn read_error_status(unread: &CheckFailure) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(error_chain(&unread.error));
    status.set_type("unread");
    if let Some(hint) = &unread.hint {
        status.set_description(format!("hint: {hint}"));
    }
    status
}
