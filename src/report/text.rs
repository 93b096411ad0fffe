//! Formats the report as text for a terminal or an email, in lines whose spans have roles.

use super::consumers_report::ConsumersReport;
use super::declaration::suggest_declaration;
use super::exec_report::{ExecReport, ExecReportOutcome};
use super::model::{FaultReport, Remedy, Report, RuntimeReport};
use super::styled_line::{SpanRole, StyledLine};
use crate::event::IgnoreReason;
use crate::intent::DeclarationSource;
use crate::text::{collect_unique, sanitize};
use crate::verdict::{FaultCode, FindingSubject, Verdict};

/// Formats the report as one line without a period. If every fault is waived, it ends with `(waived)`.
pub fn format_headline(report: &Report) -> String {
    let mut headline = format_finding(report);
    if let (Some(_), Some(consumer)) = (&report.stopped, &report.consumer) {
        headline = format!("{} stopped: {headline}", consumer.short_name());
    }
    if report.resolved.is_some() {
        headline = format!("{headline}, which resolves an earlier report");
    }
    if report.is_waived() { format!("{headline} (waived)") } else { headline }
}

/// Formats what was found, whether it is waived or not.
fn format_finding(report: &Report) -> String {
    let name = report.display_name();
    let titles_of = |is_selected: &dyn Fn(&RuntimeReport) -> bool| {
        let is_counted = |runtime: &&RuntimeReport| {
            is_selected(runtime) && !matches!(runtime.subject, FindingSubject::Declaration(_))
        };
        let mut titles: Vec<String> =
            report.runtimes().filter(is_counted).map(RuntimeReport::title_with_consumers).collect();
        titles.dedup();
        titles.join(", ")
    };
    let titles = |verdict: Verdict| titles_of(&|runtime| runtime.verdict == verdict);
    let is_mismatch = |fault: &FaultReport| {
        matches!(fault.code, FaultCode::PlatformMismatch | FaultCode::DescriptorMismatch | FaultCode::IdenticalLayers)
    };
    let has_only_mismatches = report.faults().all(is_mismatch);
    let has_no_runtime =
        report.runtimes().all(|runtime| matches!(runtime.subject, FindingSubject::DeclaredPlatform(_)));
    match (report.verdict, report.ignored) {
        (Verdict::Fails, _) if report.faults().all(|fault| fault.code == FaultCode::NotAnImage) => {
            format!("{name} is not a container image")
        }
        (Verdict::Fails, _) if has_only_mismatches => format!("{name} does not match its declared platform"),
        (Verdict::Fails, _) if has_no_runtime => format!("{name} will not start"),
        (Verdict::Fails, _) => format!("{name} will not start on {}", titles(Verdict::Fails)),
        (Verdict::Unknown, _) if has_no_runtime => format!("{name} could not be checked"),
        (Verdict::Unknown, _) if titles(Verdict::Unknown).is_empty() => {
            format!("{name}: the declared runtime is unknown")
        }
        (Verdict::Unknown, _) => format!("{name} may not start on {}", titles(Verdict::Unknown)),
        (Verdict::Runs, _) => {
            let verified = titles_of(&|runtime| runtime.verdict == Verdict::Runs && runtime.verified);
            let unverified = titles_of(&RuntimeReport::is_unverified_pass);
            match (verified.as_str(), unverified.as_str()) {
                (verified, "") => format!("{name} will start on {verified}"),
                ("", unverified) => format!("{name} has the right architecture for {unverified}; start not verified"),
                (verified, unverified) => format!(
                    "{name} will start on {verified}; it has the right architecture for {unverified}, start not verified"
                ),
            }
        }
        (Verdict::Undeclared, _) => format!("{name}: no runtime is declared for it"),
        (Verdict::Ignored, reason) => format!("{name} is not checked: {}", reason.map_or("", describe_ignored)),
    }
}

/// Formats the report as plain text.
pub fn format_text(report: &Report) -> String {
    format_lines(report).iter().map(|line| sanitize(&line.text(), usize::MAX) + "\n").collect()
}

/// Formats the report as styled lines.
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
    lines.extend(describe_starts(report).iter().map(|start| field_line("starts", start)));
    if let (Some(owner), Some(_)) = (&report.owner, &report.image) {
        lines.push(field_line("owner", owner));
    }
    lines.extend(report.consumer.iter().map(|consumer| field_line("run by", &consumer.describe())));
    for runtime in report.runtimes() {
        lines.push(StyledLine::unbroken());
        lines.push(
            StyledLine::wrapping(2)
                .with_span(SpanRole::Verdict(runtime.verdict), runtime_symbol(runtime))
                .with_text(" ")
                .with_span(SpanRole::Heading, runtime.subject.title())
                .with_text(format_declared_by(report, runtime)),
        );
        lines.extend(runtime.describe_consumers().map(|consumers| {
            StyledLine::wrapping(4).with_span(SpanRole::FieldName, "  run by: ").with_text(consumers)
        }));
        for fault in &runtime.faults {
            let code = format!("{}:", fault.code.as_str());
            let line = StyledLine::wrapping(4).with_text("  ").with_span(SpanRole::Code, code);
            lines.push(line.with_text(format!(" {}", fault.evidence)));
            lines.extend(
                describe_wrong_side(report, runtime, fault).map(|side| {
                    StyledLine::wrapping(4).with_span(SpanRole::FieldName, "  to change: ").with_text(side)
                }),
            );
            lines.extend(fault.describe_waiver().map(|(label, reason)| {
                StyledLine::wrapping(4).with_span(SpanRole::FieldName, format!("  {label}: ")).with_text(reason)
            }));
        }
        lines.extend(runtime.unknown.iter().map(|reason| StyledLine::wrapping(4).with_text(format!("  {reason}"))));
        lines.extend(runtime.warnings.iter().map(|warning| {
            let line = StyledLine::wrapping(4).with_span(SpanRole::FieldName, "  warning: ");
            line.with_text(format!("{}: {}", warning.code.as_str(), warning.evidence))
        }));
        lines.extend(runtime.not_verified.iter().map(|reason| {
            StyledLine::wrapping(4).with_span(SpanRole::FieldName, "  start not verified: ").with_text(reason)
        }));
        lines.extend(runtime.faults.iter().filter_map(|fault| fault.symptom.as_ref()).map(|symptom| {
            StyledLine::wrapping(4).with_span(SpanRole::FieldName, "  expected error: ").with_text(symptom)
        }));
    }
    let steps = collect_steps(report);
    if !steps.is_empty() {
        lines.extend([StyledLine::unbroken(), StyledLine::unbroken().with_span(SpanRole::Heading, "What to do")]);
    }
    for (number, Remedy { advice, command }) in (1..).zip(steps) {
        let end = if command.is_some() { ":" } else { "" };
        lines.push(StyledLine::wrapping(5).with_text(format!("  {number}. {advice}{end}")));
        lines.extend(command.iter().map(|command| StyledLine::unbroken().with_text(format!("     {command}"))));
    }
    for remark in collect_remarks(report) {
        lines.extend([StyledLine::unbroken(), StyledLine::wrapping(0).with_text(remark)]);
    }
    lines
}

/// Says whether the image or what runs it has to change, if that is known.
pub fn describe_wrong_side(report: &Report, runtime: &RuntimeReport, fault: &FaultReport) -> Option<String> {
    let consumer = report.consumer.as_ref().or_else(|| runtime.consumers.first())?;
    Some(consumer.describe_wrong_side(fault.wrong?))
}

/// Formats a value with its name. A value without spaces, for example a digest, is never wrapped.
pub(super) fn field_line(name: &str, value: &str) -> StyledLine {
    let line = if value.contains(' ') { StyledLine::wrapping(12) } else { StyledLine::unbroken() };
    line.with_span(SpanRole::FieldName, format!("  {name:<10}")).with_text(value)
}

/// Describes what starts, once for each chain of programs.
fn describe_starts(report: &Report) -> Vec<String> {
    let line = |exec: &ExecReport| {
        let host = if report.exec.len() > 1 { format!(" on {}", exec.host) } else { String::new() };
        format!("{}{host}", exec.chain.join(" \u{2192} "))
    };
    let starts = report.exec.iter().filter(|exec| exec.outcome == ExecReportOutcome::Starts);
    let mut lines: Vec<String> = starts.map(line).collect();
    lines.dedup();
    lines
}

/// Collects what to do, each step once, in the order of the runtimes. Nothing needs to be done about a waived fault.
pub(super) fn collect_steps(report: &Report) -> Vec<&Remedy> {
    let faults = report.faults().filter(|fault| fault.waived.is_none()).flat_map(|fault| &fault.remedy);
    collect_unique(faults.chain(report.runtimes().flat_map(|runtime| &runtime.next_steps)))
}

/// The note on faults of an image's own program, which do not matter if a service starts another one.
pub const OVERRIDE_NOTE: &str = "This is what the image's own entrypoint and command do. A task definition, a service or a \
                                 function may override them.";

pub(super) fn collect_remarks(report: &Report) -> Vec<String> {
    let mut remarks: Vec<String> = report.exec.iter().filter_map(|exec| describe_unknown_start(report, exec)).collect();
    remarks.dedup();
    // A consumer is checked with what it starts.
    let is_own = |runtime: &RuntimeReport| report.consumer.is_none() && runtime.consumers.is_empty();
    let has_exec_fault = |runtime: &RuntimeReport| runtime.faults.iter().any(|fault| fault.code.is_exec());
    if report.runtimes().any(|runtime| is_own(runtime) && has_exec_fault(runtime)) {
        remarks.push(OVERRIDE_NOTE.to_owned());
    }
    remarks.extend(report.describe_circumstances());
    remarks.extend(report.consumers.as_ref().and_then(ConsumersReport::describe_unknown));
    if report.verdict == Verdict::Undeclared {
        remarks.push(suggest_declaration(report));
    }
    remarks.extend(report.remarks.iter().cloned());
    remarks
}

/// Describes why it is unknown what an image starts, if it is.
fn describe_unknown_start(report: &Report, exec: &ExecReport) -> Option<String> {
    // A runtime without a verified start has the same reason.
    let is_shown = |reason: &&String| report.runtimes().all(|runtime| runtime.not_verified.as_ref() != Some(*reason));
    let reason = exec.reason.as_ref().filter(is_shown)?;
    let platform = if report.exec.len() > 1 { format!("{}: ", exec.platform) } else { String::new() };
    Some(if exec.outcome == ExecReportOutcome::Starts {
        format!("{platform}next program unknown: {reason}")
    } else {
        format!("{platform}platform checked, program not inspected: {reason}")
    })
}

/// Formats what declared the runtime, in parentheses.
pub(super) fn format_declared_by(report: &Report, runtime: &RuntimeReport) -> String {
    let FindingSubject::Runtime(subject) = runtime.subject else { return String::new() };
    let declared = report.intended.iter().flatten().find(|declared| declared.runtime == subject);
    match declared.map(|declared| declared.declared_by) {
        Some(DeclarationSource::CommandLine) | None => String::new(),
        Some(DeclarationSource::Consumer) => {
            let consumer = report.consumer.as_ref().or_else(|| runtime.consumers.first());
            let reason = consumer.and_then(|consumer| consumer.architecture_from);
            reason.map(|reason| format!(" ({})", reason.describe())).unwrap_or_default()
        }
        Some(source) => format!(" (declared by {})", source.title()),
    }
}

/// The symbol of a runtime that the image has the right architecture for, but where its start is not verified.
pub const UNVERIFIED_SYMBOL: &str = "~";

/// Returns the result for a runtime as one character.
pub(super) fn runtime_symbol(runtime: &RuntimeReport) -> &'static str {
    if runtime.is_unverified_pass() { UNVERIFIED_SYMBOL } else { verdict_symbol(runtime.verdict) }
}

/// Returns the verdict as one character, so that it is visible without color.
pub fn verdict_symbol(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fails => "\u{2717}",
        Verdict::Unknown => "?",
        Verdict::Runs => "\u{2713}",
        Verdict::Undeclared | Verdict::Ignored => "-",
    }
}

/// Describes why an image is not checked, as the end of a sentence.
pub fn describe_ignored(reason: IgnoreReason) -> &'static str {
    match reason {
        IgnoreReason::NotAnArrival => "the event does not announce a new image",
        IgnoreReason::Untagged => "it has no tag",
        IgnoreReason::VerdictTag => "the tag is a verdict tag",
        IgnoreReason::Artifact => "it is not a container image",
        IgnoreReason::Attestation => "it is an attestation",
        IgnoreReason::Superseded => "the tag points at another image now",
        IgnoreReason::Deleted => "it is no longer in the repository",
        IgnoreReason::OtherAccount => "it is in another account",
        IgnoreReason::ExcludedRepository => "its repository is excluded",
    }
}
