//! The report for people who read plain text: a terminal, an e-mail.
//!
//! Does not use colour or markup.

use std::fmt::Write as _;

use super::{FaultFace, Outcome, Report, RuntimeFace, Started};
use crate::event::Ignored;
use crate::intent::Source;
use crate::verdict::{Code, Subject, Verdict};

/// The report in one line, without a full stop.
#[must_use]
pub fn headline(report: &Report) -> String {
    let subject = report.subject();
    let titles = |verdict: Verdict| {
        let is_place = |runtime: &&RuntimeFace| !matches!(runtime.subject, Subject::Declaration(_));
        let fitting = report.runtimes().filter(is_place).filter(|runtime| runtime.verdict == verdict);
        let mut titles: Vec<String> = fitting.map(|runtime| runtime.subject.title()).collect();
        titles.dedup();
        titles.join(", ")
    };
    let lies = |fault: &FaultFace| matches!(fault.code, Code::LabelLies | Code::DescriptorLies | Code::IdenticalLayers);
    let only_lies = report.faults().all(lies);
    let only_labels = report.runtimes().all(|runtime| matches!(runtime.subject, Subject::Label(_)));
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
        (Verdict::Ignored, why) => format!("{subject} is not checked: {}", why.map_or("", because)),
    }
}

/// The report as plain text of several lines, each short enough for a terminal but for the commands.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = format!("{}\n", headline(report));
    let mut line = |line: &str| writeln!(text, "{line}").expect("a String takes every write");
    if let Some(image) = &report.image {
        let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
        line(&format!("\n  image     {}", image.reference));
        line(&format!("  digest    {}", image.digest));
        if !platforms.is_empty() {
            line(&format!("  platform  {}", platforms.join(", ")));
        }
    }
    started(report).iter().for_each(|started| line(started));
    for runtime in report.runtimes() {
        line(&format!("\n{} {}{}", sign(runtime.verdict), runtime.subject.title(), declared_by(report, runtime)));
        runtime.faults.iter().for_each(|fault| line(&format!("  {}: {}", fault.code.as_str(), fault.evidence)));
        runtime.unknown.iter().for_each(|reason| line(&format!("  {reason}")));
        let symptoms = runtime.faults.iter().filter_map(|fault| fault.symptom.as_ref());
        symptoms.for_each(|symptom| line(&format!("  you would meet: {symptom}")));
    }
    let steps = steps(report);
    if !steps.is_empty() {
        line("\nWhat to do");
    }
    for (number, (advice, command)) in (1..).zip(&steps) {
        line(&format!("  {number}. {advice}{}", if command.is_some() { ":" } else { "" }));
        command.iter().for_each(|command| line(&format!("     {command}")));
    }
    for remark in remarks(report) {
        line(&format!("\n{remark}"));
    }
    text
}

/// What starts, a line for each way in which something does.
fn started(report: &Report) -> Vec<String> {
    let line = |started: &Started| {
        let which = if report.exec.len() > 1 { format!(" on {}", started.host) } else { String::new() };
        format!("  starts    {}{which}", started.chain.join(" \u{2192} "))
    };
    let starts = report.exec.iter().filter(|started| started.outcome == Outcome::Starts);
    let mut lines: Vec<String> = starts.map(line).collect();
    lines.dedup();
    lines
}

/// What to do, each once, in the order of the runtimes.
pub(super) fn steps(report: &Report) -> Vec<(String, Option<String>)> {
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
pub(super) fn remarks(report: &Report) -> Vec<String> {
    let programs = report.exec.iter().filter_map(|started| uninspected(report, started));
    let mut remarks: Vec<String> = programs.collect();
    remarks.dedup();
    if report.faults().any(|fault| is_of_a_program(fault.code)) {
        remarks.push(OVERRIDE.to_owned());
    }
    let undeclared = format!(
        "declare where it runs: tag the repository, or label the image, `{}=ecs/arm64` for example",
        report.key
    );
    if report.verdict == Verdict::Undeclared {
        remarks.push(undeclared);
    }
    remarks.extend(report.remarks.iter().cloned());
    remarks
}

/// Where a service starts something else than what the image says, what was seen of that holds no longer.
pub const OVERRIDE: &str = "This is what the image's own entrypoint and command do; a task definition, a service or a \
                        function may name others.";

fn is_of_a_program(code: Code) -> bool {
    use Code::{ExecFormat, ExecInterpreterMissing, ExecLoader, ExecNotFound, ExecPermission};
    matches!(code, ExecFormat | ExecInterpreterMissing | ExecLoader | ExecNotFound | ExecPermission)
}

/// Why a program was not looked at, where one was to be.
fn uninspected(report: &Report, started: &Started) -> Option<String> {
    let reason = started.reason.as_ref()?;
    let which = if report.exec.len() > 1 { format!("{}: ", started.platform) } else { String::new() };
    Some(if started.outcome == Outcome::Starts {
        format!("{which}what is started next could not be told: {reason}")
    } else {
        format!("{which}label checked, binary not inspected: {reason}")
    })
}

/// Who declared the runtime, in brackets.
pub(super) fn declared_by(report: &Report, runtime: &RuntimeFace) -> String {
    let Subject::Runtime(subject) = runtime.subject else { return String::new() };
    let declared = report.intended.iter().flatten().find(|declared| declared.runtime == subject);
    match declared.map(|declared| declared.declared_by) {
        Some(Source::CommandLine) | None => String::new(),
        Some(source) => format!(" (declared by {})", source.title()),
    }
}

/// The verdict as one character, for those who do not see colours.
#[must_use]
pub fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fails => "\u{2717}",
        Verdict::Unknown => "?",
        Verdict::Runs => "\u{2713}",
        Verdict::Undeclared | Verdict::Ignored => "-",
    }
}

/// Why an image is not judged, as the end of a sentence.
#[must_use]
pub fn because(why: Ignored) -> &'static str {
    match why {
        Ignored::NotAnArrival => "the event announces no new image",
        Ignored::Untagged => "it has no tag",
        Ignored::OwnMark => "the tag is a mark of this program's own",
        Ignored::Artifact => "it is not a container image",
        Ignored::Attestation => "it is an attestation",
        Ignored::Superseded => "the tag points at another image by now",
        Ignored::Deleted => "it is no longer in the repository",
    }
}
