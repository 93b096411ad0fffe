//! The report for people who read plain text: a terminal, an e-mail.
//!
//! Does not use colour or markup: it says what each piece of a line is, and others choose how that looks.

use super::line::{Line, Role};
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

/// The report as plain text.
#[must_use]
pub fn text(report: &Report) -> String {
    lines(report).iter().map(|line| line.text() + "\n").collect()
}

/// The report in lines, each piece of which says what it is.
#[must_use]
pub fn lines(report: &Report) -> Vec<Line> {
    let mut lines = vec![Line::prose(2).with(Role::Verdict(report.verdict), headline(report))];
    if let Some(image) = &report.image {
        let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
        lines.extend([Line::fixed(), fact("image", &image.reference), fact("digest", image.digest.as_str())]);
        if !platforms.is_empty() {
            lines.push(fact("platform", &platforms.join(", ")));
        }
    }
    lines.extend(started(report).iter().map(|started| fact("starts", started)));
    for runtime in report.runtimes() {
        lines.push(Line::fixed());
        let declared = declared_by(report, runtime);
        let sign = Line::prose(2).with(Role::Verdict(runtime.verdict), sign(runtime.verdict)).plain(" ");
        lines.push(sign.with(Role::Title, runtime.subject.title()).plain(declared));
        let fault = |fault: &FaultFace| {
            let code = Line::prose(4).plain("  ").with(Role::Code, format!("{}:", fault.code.as_str()));
            code.plain(format!(" {}", fault.evidence))
        };
        lines.extend(runtime.faults.iter().map(fault));
        lines.extend(runtime.unknown.iter().map(|reason| Line::prose(4).plain(format!("  {reason}"))));
        let symptoms = runtime.faults.iter().filter_map(|fault| fault.symptom.as_ref());
        let met = |symptom| Line::prose(4).with(Role::Label, "  you would meet: ").plain(symptom);
        lines.extend(symptoms.map(met));
    }
    let steps = steps(report);
    if !steps.is_empty() {
        lines.extend([Line::fixed(), Line::fixed().with(Role::Title, "What to do")]);
    }
    for (number, (advice, command)) in (1..).zip(&steps) {
        let end = if command.is_some() { ":" } else { "" };
        lines.push(Line::prose(5).plain(format!("  {number}. {advice}{end}")));
        lines.extend(command.iter().map(|command| Line::fixed().plain(format!("     {command}"))));
    }
    for remark in remarks(report) {
        lines.extend([Line::fixed(), Line::prose(0).plain(remark)]);
    }
    lines
}

/// One thing that is known of the image. A value of one word, such as a digest, stays beside its label, even where that
/// makes the line too long.
pub(super) fn fact(label: &str, value: &str) -> Line {
    let line = if value.contains(' ') { Line::prose(12) } else { Line::fixed() };
    line.with(Role::Label, format!("  {label:<10}")).plain(value)
}

/// What starts, once for each way in which something does.
fn started(report: &Report) -> Vec<String> {
    let line = |started: &Started| {
        let which = if report.exec.len() > 1 { format!(" on {}", started.host) } else { String::new() };
        format!("{}{which}", started.chain.join(" \u{2192} "))
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
