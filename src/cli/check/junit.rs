//! Results as a JUnit report: a test suite for each image, a test case for each runtime.
//!
//! It contains no times, so that two reports of the same images are equal.

use std::io;

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::checker::{CheckFailure, CheckRecord, CheckResult};
use super::gate::GateArguments;
use crate::cli::error_text::describe_error_in_line;
use crate::report::{Report, RuntimeReport, format_headline, format_text};
use crate::verdict::Verdict;

/// Formats the report; fails if it cannot be written as XML.
pub(super) fn format_junit(records: &[CheckRecord<'_>], gate: GateArguments) -> io::Result<String> {
    let mut junit = Junit::new("ecr-preflight");
    for CheckRecord { reference, container, outcome } in records {
        let container = container.map(|container| format!(" ({})", container.consumer.title())).unwrap_or_default();
        let suite_name = format!("{reference}{container}");
        let mut suite = TestSuite::new(suite_name.as_str());
        let cases = match outcome.as_ref().map(|checked| &checked.result) {
            Ok(CheckResult::Report(report)) => list_cases(report, gate),
            Ok(CheckResult::Platforms(_)) => Vec::new(),
            Err(failure) => vec![("read".to_owned(), read_error_status(failure))],
        };
        for (name, status) in cases {
            let warnings = warnings_of(outcome.as_ref().ok().map(|checked| &checked.result), &name);
            let mut case = TestCase::new(name, status);
            case.set_classname(suite_name.as_str());
            if !warnings.is_empty() {
                case.set_system_out(warnings.join("\n"));
            }
            suite.add_test_case(case);
        }
        junit.add_test_suite(suite);
    }
    Ok(junit.to_string().map_err(io::Error::other)?.trim_end().to_owned())
}

/// The warnings for a runtime, which do not change the result of its test.
fn warnings_of(result: Option<&CheckResult>, name: &str) -> Vec<String> {
    let Some(CheckResult::Report(report)) = result else { return Vec::new() };
    let of_name = report.runtimes().filter(|runtime| runtime.subject.name() == name);
    let warnings = of_name.flat_map(|runtime| &runtime.warnings);
    warnings.map(|warning| format!("warning: {}: {}", warning.code.as_str(), warning.evidence)).collect()
}

/// The names and results of the runtimes.
fn list_cases(report: &Report, gate: GateArguments) -> Vec<(String, TestCaseStatus)> {
    let case = |runtime: &RuntimeReport| (runtime.subject.name(), runtime_status(report, runtime, gate));
    let mut cases: Vec<_> = report.runtimes().map(case).collect();
    if cases.is_empty() || report.verdict == Verdict::Undeclared {
        // Without a runtime to check, the result is neither a success nor a failure.
        let mut status = if gate.stops(report) {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        } else {
            TestCaseStatus::skipped()
        };
        status.set_message(format_headline(report));
        cases.push(("runtime".to_owned(), status));
    }
    cases
}

/// An unknown result is an error: CI servers show a skipped case as if nothing were wrong. A start that is not verified is
/// an error only with `--strict`, because servers fail a build with errors; otherwise the case is skipped.
fn runtime_status(report: &Report, runtime: &RuntimeReport, gate: GateArguments) -> TestCaseStatus {
    if let Some(reason) = &runtime.not_verified {
        let mut status =
            if gate.strict { TestCaseStatus::non_success(NonSuccessKind::Error) } else { TestCaseStatus::skipped() };
        status.set_message(format!("{}: {reason}", format_headline(report)));
        status.set_type("not-verified");
        return status;
    }
    if let Some(reason) = runtime.waived_reason().filter(|_| runtime.unwaived_verdict() < Verdict::Unknown) {
        let mut status = TestCaseStatus::skipped();
        let evidence: Vec<&str> = runtime.faults.iter().map(|fault| fault.evidence.as_str()).collect();
        status.set_message(format!("{reason}: {}", evidence.join("; ")));
        status.set_type("waived");
        return status;
    }
    let counting = || runtime.faults.iter().filter(|fault| fault.waived.is_none());
    let kind = match runtime.unwaived_verdict() {
        Verdict::Fails => NonSuccessKind::Failure,
        Verdict::Unknown => NonSuccessKind::Error,
        Verdict::Runs | Verdict::Undeclared | Verdict::Ignored => return TestCaseStatus::success(),
    };
    let mut status = TestCaseStatus::non_success(kind);
    let evidence = counting().map(|fault| fault.evidence.clone());
    let reasons: Vec<String> = evidence.chain(runtime.unknown.iter().cloned()).collect();
    status.set_message(reasons.join("; "));
    status.set_type(counting().next().map_or("unknown", |fault| fault.code.as_str()));
    status.set_description(format_text(report));
    status
}

fn read_error_status(failure: &CheckFailure) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(describe_error_in_line(&failure.error));
    status.set_type("unreadable");
    if let Some(hint) = &failure.hint {
        status.set_description(format!("hint: {hint}"));
    }
    status
}
