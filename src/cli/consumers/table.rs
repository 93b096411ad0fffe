//! The table of `consumers`: by repository, what runs its images, and with `--check`, whether they start.

use textwrap::core::display_width;

use super::document::ConsumersDocument;
use super::image_check::{ImageChecks, ImageResult};
use super::running_image::RunningImage;
use crate::consumer::{ConsumerPlatform, ConsumerService};
use crate::report::{self, Report, SpanRole, StyledLine, verdict_symbol};
use crate::verdict::Verdict;

/// The widest column. A longer cell moves the rest of its line.
const MAX_COLUMN: usize = 44;

/// How many characters of a digest are shown, as in a verdict tag.
const DIGEST_LENGTH: usize = 12;

/// Formats the table, what could not be read, and the totals.
pub(super) fn format_table(
    document: &ConsumersDocument<'_>,
    images: &[RunningImage],
    checks: Option<&ImageChecks>,
) -> Vec<StyledLine> {
    let rows: Vec<[String; 4]> = images.iter().map(format_row).collect();
    let widths: Vec<usize> = (0..3)
        .map(|column| {
            let cells = rows.iter().map(|row| display_width(&row[column]));
            cells.filter(|width| *width <= MAX_COLUMN).max().unwrap_or_default()
        })
        .collect();
    let mut lines = Vec::new();
    let has_one_registry = images.windows(2).all(|pair| registry(&pair[0]) == registry(&pair[1]));
    let mut repository = None;
    for (position, (image, row)) in images.iter().zip(&rows).enumerate() {
        if repository != Some(&image.image.repository) {
            let found = &image.image.repository;
            let name = if has_one_registry { found.name().to_owned() } else { found.to_string() };
            if repository.is_some() {
                lines.push(StyledLine::unbroken());
            }
            lines.push(StyledLine::unbroken().with_span(SpanRole::Heading, name));
            repository = Some(found);
        }
        let result = checks.map(|checks| checks.result(position));
        let line = StyledLine::unbroken().with_text("  ");
        let line = match result.map(ImageResult::verdict) {
            Some(verdict) => line.with_span(SpanRole::Verdict(verdict), verdict_symbol(verdict)).with_text(" "),
            None => line,
        };
        let cells = row.iter().zip(&widths).map(|(cell, width)| pad(cell, *width)).collect::<String>();
        lines.push(line.with_text(format!("{cells}{}", row[3])));
        lines.extend(result.into_iter().flat_map(|result| describe_result(image, result)));
    }
    if images.is_empty() {
        let region = document.region;
        lines.push(StyledLine::wrapping(0).with_text(format!("Nothing that was read runs such an image in {region}.")));
    }
    lines.push(StyledLine::unbroken());
    for failure in &document.not_read {
        let line = StyledLine::wrapping(2).with_span(SpanRole::Verdict(Verdict::Unknown), "not read:");
        lines.push(line.with_text(format!(" {}", failure.line)));
    }
    lines.push(StyledLine::wrapping(0).with_text(format_totals(document, images, checks)));
    lines
}

fn registry(image: &RunningImage) -> String {
    let repository = image.image.repository.to_string();
    repository.split('/').next().unwrap_or_default().to_owned()
}

/// Pads a cell, with two columns before the next.
fn pad(cell: &str, width: usize) -> String {
    format!("{cell}{:padding$}  ", "", padding = width.saturating_sub(display_width(cell)))
}

/// Returns the consumer, its service, its image, and where it runs.
fn format_row(image: &RunningImage) -> [String; 4] {
    let service = match image.consumer.service {
        ConsumerService::Ecs => "ECS",
        ConsumerService::Lambda => "Lambda",
        ConsumerService::AppRunner => "App Runner",
        ConsumerService::Batch => "Batch",
        ConsumerService::AgentCore => "AgentCore",
    };
    let tag = image.image.tag.as_ref().map(|tag| format!(":{tag}"));
    let digest = image.consumer.digest.as_ref().or(image.image.digest.as_ref());
    let digest = digest.map(|digest| {
        let hexadecimal = digest.as_str().rsplit(':').next().unwrap_or_default();
        format!("@{}", hexadecimal.chars().take(DIGEST_LENGTH).collect::<String>())
    });
    let platform = match &image.consumer.platform {
        ConsumerPlatform::Known(runtime, source) => {
            format!("{} ({})", runtime.profile().architecture, source.describe())
        }
        ConsumerPlatform::Unknown(reason) => format!("? ({reason})"),
        ConsumerPlatform::Windows => "Windows, which is not checked".to_owned(),
    };
    [image.consumer_name(), service.to_owned(), [tag, digest].map(Option::unwrap_or_default).concat(), platform]
}

/// Describes why an image does not start, or why that is unknown.
fn describe_result(image: &RunningImage, result: &ImageResult) -> Vec<StyledLine> {
    let line = |text: String| StyledLine::wrapping(6).with_text(format!("    {text}"));
    let report = match result {
        ImageResult::Report(report) => report,
        ImageResult::Deleted => {
            return vec![line("its image does not exist any more, so it cannot be started again".to_owned())];
        }
        ImageResult::Error(error) => return vec![line(format!("its image could not be read: {error}"))],
        ImageResult::Windows => return Vec::new(),
    };
    let mut lines = Vec::new();
    let faults = report.runtimes().flat_map(|runtime| runtime.faults.iter().map(move |fault| (runtime, fault)));
    for (runtime, fault) in faults.filter(|(_, fault)| fault.waived.is_none()) {
        let code = format!("{}:", fault.code.as_str());
        let fault_line = StyledLine::wrapping(6).with_text("    ").with_span(SpanRole::Code, code);
        lines.push(fault_line.with_text(format!(" {}", fault.evidence)));
        if fault.code.is_exec() && !image.consumer.start.is_none() {
            lines.extend(describe_own_start(image).map(line));
        }
        let side = report::describe_wrong_side(report, runtime, fault);
        lines.extend(side.map(|side| line(format!("to change: {side}"))));
    }
    lines.extend(unknown_reasons(report).into_iter().map(line));
    lines
}

/// Says what the consumer starts instead of what its image declares: ``prod/worker starts `celery` ``.
fn describe_own_start(image: &RunningImage) -> Option<String> {
    let start = &image.consumer.start;
    let words: Vec<&str> = start.entrypoint.iter().chain(&start.command).map(String::as_str).collect();
    (!words.is_empty()).then(|| format!("{} starts `{}`", image.consumer_name(), words.join(" ")))
}

fn unknown_reasons(report: &Report) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for runtime in report.runtimes() {
        reasons.extend(runtime.unknown.iter().map(ToString::to_string));
        reasons.extend(runtime.not_verified.iter().map(|reason| format!("start not verified: {reason}")));
    }
    reasons
}

fn format_totals(document: &ConsumersDocument<'_>, images: &[RunningImage], checks: Option<&ImageChecks>) -> String {
    let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut repositories: Vec<String> = images.iter().map(|image| image.image.repository.to_string()).collect();
    repositories.dedup();
    let repositories = match repositories.len() {
        1 => "1 repository".to_owned(),
        more => format!("{more} repositories"),
    };
    let mut totals =
        vec![format!("{} of images of {repositories} in {}", count(images.len(), "consumer"), document.region)];
    if let Some(checks) = checks {
        let number = |verdict| (0..images.len()).filter(|at| checks.result(*at).verdict() == verdict).count();
        for (verdict, word) in [
            (Verdict::Fails, "fail"),
            (Verdict::Unknown, "unknown"),
            (Verdict::Undeclared, "without a known or declared platform"),
            (Verdict::Ignored, "not checked"),
            (Verdict::Runs, "run"),
        ] {
            let number = number(verdict);
            if number > 0 {
                totals.push(format!("{number} {word}"));
            }
        }
    }
    if document.elsewhere > 0 {
        totals.push(format!("{} of images from elsewhere, not listed", count(document.elsewhere, "consumer")));
    }
    totals.join("; ")
}
