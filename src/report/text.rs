//! The report for people who read plain text: a terminal, an e-mail.
//!
//! Does not use colour or markup: it says what each piece of a line is, and others choose how that looks.

use super::styled_line::{SpanRole, StyledLine};
use super::{ExecReport, ExecReportOutcome, FaultReport, Report, RuntimeReport};
use crate::event::IgnoreReason;
use crate::intent::DeclarationSource;
use crate::verdict::{FaultCode, FindingSubject, Verdict};

/// The report in one line, without a full stop.
#[must_use]
pub fn format_headline(report: &Report) -> String {
    let subject = report.display_name();
    let titles = |verdict: Verdict| {
        let is_place = |runtime: &&RuntimeReport| !matches!(runtime.subject, FindingSubject::Declaration(_));
        let fitting = report.runtimes().filter(is_place).filter(|runtime| runtime.verdict == verdict);
        let mut titles: Vec<String> = fitting.map(|runtime| runtime.subject.title()).collect();
        titles.dedup();
        titles.join(", ")
    };
    let lies = |fault: &FaultReport| {
        matches!(fault.code, FaultCode::PlatformMismatch | FaultCode::DescriptorMismatch | FaultCode::IdenticalLayers)
    };
    let only_lies = report.faults().all(lies);
    let only_labels = report.runtimes().all(|runtime| matches!(runtime.subject, FindingSubject::DeclaredPlatform(_)));
    match (report.verdict, report.ignored) {
        (Verdict::Fails, _) if only_labels || only_lies => format!("{subject} is not what it says it is"),
        (Verdict::Fails, _) => format!("{subject} will not start on {}", titles(Verdict::Fails)),
        (Verdict::Unknown, _) if only_labels => format!("{subject} could not be checked"),
        (Verdict::Unknown, _) if titles(Verdict::Unknown).is_empty() => {
            format!("{subject}: where it is meant to run is not readable")
        }
        (Verdict::Unknown, _) => format!("{subject} may not start on {}", titles(Verdict::Unknown)),
        (Verdict::Runs, _) => format!("{subject} will start on {}", titles(Verdict::Runs)),
        (Verdict::Undeclared, _) => format!("{subject}: no runtime is declared for it"),
        (Verdict::Ignored, why) => format!("{subject} is not checked: {}", why.map_or("", describe_ignored)),
    }
}

/// The report as plain text.
#[must_use]
pub fn format_text(report: &Report) -> String {
    format_lines(report).iter().map(|line| line.text() + "\n").collect()
}

/// The report in lines, each piece of which says what it is.
#[must_use]
pub fn format_lines(report: &Report) -> Vec<StyledLine> {
    let mut lines = vec![StyledLine::wrapping(2).with_span(SpanRole::Verdict(report.verdict), format_headline(report))];
    if let Some(image) = &report.image {
        let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
        lines.extend([
            StyledLine::unbroken(),
            field_line("image", &image.reference),
            field_line("digest", image.digest.as_str()),
        ]);
        if !platforms.is_empty() {
            lines.push(field_line("platform", &platforms.join(", ")));
        }
    }
    lines.extend(describe_starts(report).iter().map(|started| field_line("starts", started)));
    for runtime in report.runtimes() {
        lines.push(StyledLine::unbroken());
        let declared = format_declared_by(report, runtime);
        let sign = StyledLine::wrapping(2)
            .with_span(SpanRole::Verdict(runtime.verdict), verdict_symbol(runtime.verdict))
            .with_text(" ");
        lines.push(sign.with_span(SpanRole::Heading, runtime.subject.title()).with_text(declared));
        let fault = |fault: &FaultReport| {
            let code =
                StyledLine::wrapping(4).with_text("  ").with_span(SpanRole::Code, format!("{}:", fault.code.as_str()));
            code.with_text(format!(" {}", fault.evidence))
        };
        lines.extend(runtime.faults.iter().map(fault));
        lines.extend(runtime.unknown.iter().map(|reason| StyledLine::wrapping(4).with_text(format!("  {reason}"))));
        let symptoms = runtime.faults.iter().filter_map(|fault| fault.symptom.as_ref());
        let met =
            |symptom| StyledLine::wrapping(4).with_span(SpanRole::FieldName, "  you would meet: ").with_text(symptom);
        lines.extend(symptoms.map(met));
    }
    let steps = collect_steps(report);
    if !steps.is_empty() {
        lines.extend([StyledLine::unbroken(), StyledLine::unbroken().with_span(SpanRole::Heading, "What to do")]);
    }
    for (number, (advice, command)) in (1..).zip(&steps) {
        let end = if command.is_some() { ":" } else { "" };
        lines.push(StyledLine::wrapping(5).with_text(format!("  {number}. {advice}{end}")));
        lines.extend(command.iter().map(|command| StyledLine::unbroken().with_text(format!("     {command}"))));
    }
    for remark in collect_remarks(report) {
        lines.extend([StyledLine::unbroken(), StyledLine::wrapping(0).with_text(remark)]);
    }
    lines
}

/// One thing that is known of the image. A value of one word, such as a digest, stays beside its label, even where that
/// makes the line too long.
pub(super) fn field_line(label: &str, value: &str) -> StyledLine {
    let line = if value.contains(' ') { StyledLine::wrapping(12) } else { StyledLine::unbroken() };
    line.with_span(SpanRole::FieldName, format!("  {label:<10}")).with_text(value)
}

/// What starts, once for each way in which something does.
fn describe_starts(report: &Report) -> Vec<String> {
    let line = |started: &ExecReport| {
        let which = if report.exec.len() > 1 { format!(" on {}", started.host) } else { String::new() };
        format!("{}{which}", started.chain.join(" \u{2192} "))
    };
    let starts = report.exec.iter().filter(|started| started.outcome == ExecReportOutcome::Starts);
    let mut lines: Vec<String> = starts.map(line).collect();
    lines.dedup();
    lines
}

/// What to do, each once, in the order of the runtimes.
pub(super) fn collect_steps(report: &Report) -> Vec<(String, Option<String>)> {
    let mut steps: Vec<(String, Option<String>)> = Vec::new();
    for remedy in report.faults().flat_map(|fault| &fault.remedy) {
        let step = (remedy.advice.clone(), remedy.command.clone());
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// What holds for every report of its kind, and what was remarked on this one.
pub(super) fn collect_remarks(report: &Report) -> Vec<String> {
    let programs = report.exec.iter().filter_map(|started| describe_unknown_start(report, started));
    let mut remarks: Vec<String> = programs.collect();
    remarks.dedup();
    if report.faults().any(|fault| is_exec_fault(fault.code)) {
        remarks.push(OVERRIDE_NOTE.to_owned());
    }
    let undeclared = format!(
        "declare where it runs: tag the repository, or label the image, `{}=ecs/arm64` for example",
        report.declaration_key
    );
    if report.verdict == Verdict::Undeclared {
        remarks.push(undeclared);
    }
    remarks.extend(report.remarks.iter().cloned());
    remarks
}

/// Where a service starts something else than what the image says, what was seen of that holds no longer.
pub const OVERRIDE_NOTE: &str = "This is what the image's own entrypoint and command do; a task definition, a service or a \
                        function may name others.";

fn is_exec_fault(code: FaultCode) -> bool {
    use FaultCode::{ExecFormat, ExecInterpreterMissing, ExecLoader, ExecNotFound, ExecPermission};
    matches!(code, ExecFormat | ExecInterpreterMissing | ExecLoader | ExecNotFound | ExecPermission)
}

/// Why a program was not looked at, where one was to be.
fn describe_unknown_start(report: &Report, started: &ExecReport) -> Option<String> {
    let reason = started.reason.as_ref()?;
    let which = if report.exec.len() > 1 { format!("{}: ", started.platform) } else { String::new() };
    Some(if started.outcome == ExecReportOutcome::Starts {
        format!("{which}what is started next could not be told: {reason}")
    } else {
        format!("{which}label checked, binary not inspected: {reason}")
    })
}

/// Who declared the runtime, in brackets.
pub(super) fn format_declared_by(report: &Report, runtime: &RuntimeReport) -> String {
    let FindingSubject::Runtime(subject) = runtime.subject else { return String::new() };
    let declared = report.intended.iter().flatten().find(|declared| declared.runtime == subject);
    match declared.map(|declared| declared.declared_by) {
        Some(DeclarationSource::CommandLine) | None => String::new(),
        Some(source) => format!(" (declared by {})", source.title()),
    }
}

/// The verdict as one character, for those who do not see colours.
#[must_use]
pub fn verdict_symbol(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fails => "\u{2717}",
        Verdict::Unknown => "?",
        Verdict::Runs => "\u{2713}",
        Verdict::Undeclared | Verdict::Ignored => "-",
    }
}

/// Why an image is not judged, as the end of a sentence.
#[must_use]
pub fn describe_ignored(why: IgnoreReason) -> &'static str {
    match why {
        IgnoreReason::NotAnArrival => "the event announces no new image",
        IgnoreReason::Untagged => "it has no tag",
        IgnoreReason::VerdictTag => "the tag is a mark of this program's own",
        IgnoreReason::Artifact => "it is not a container image",
        IgnoreReason::Attestation => "it is an attestation",
        IgnoreReason::Superseded => "the tag points at another image by now",
        IgnoreReason::Deleted => "it is no longer in the repository",
    }
}
