//! The result of an invocation as text that depends only on the failure.

use std::fs;

use ecr_preflight::lambda::handler::HandlerError;
use ecr_preflight::report::Report;
use ecr_preflight::text::error_chain;

use super::super::{ARN, TOPIC};
use crate::support::layout::Builder;

/// The verdict and its reasons, or the error.
pub fn answer_text(outcome: &Result<Report, HandlerError>) -> String {
    let report = match outcome {
        Ok(report) => report,
        Err(error) => return format!("Err: {}", error_chain(error)),
    };
    let ignored = report.ignored.map(|why| why.as_str().to_owned());
    let faults = report.faults().map(|fault| fault.code.as_str().to_owned());
    let reasons: Vec<String> = ignored.into_iter().chain(faults).chain(reasons(report)).collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    format!("{}{colon}{}", report.verdict.as_str(), reasons.join("; "))
}

/// Why something is unknown or was not done.
pub fn reasons(report: &Report) -> Vec<String> {
    let unknown = report.runtimes().flat_map(|runtime| runtime.unknown.iter().cloned());
    let uninspected = report.exec.iter().filter_map(|started| started.reason.clone());
    let consumers = report.consumers.iter().filter_map(|consumers| {
        consumers.reason.as_ref().map(|reason| format!("What runs the image could not be read: {reason}"))
    });
    let unknown = unknown.chain(consumers);
    let mut reasons: Vec<String> = unknown.chain(uninspected).chain(report.remarks.iter().cloned()).collect();
    reasons.dedup();
    reasons
}

/// Masks what depends on the bytes of an image or on the speed of the clock.
pub fn mask(text: &str, layout: &Builder) -> String {
    let mut text = text.replace(ARN, "ARN").replace(TOPIC, "TOPIC").replace("on preflight ", "on TABLE ");
    while let Some(at) = text.find("sha256:") {
        text.replace_range(at..at + 7 + 64, "DIGEST");
    }
    for blob in fs::read_dir(layout.path().join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        let size = blob.metadata().unwrap().len();
        let name = blob.file_name().into_string().unwrap();
        text = text
            .replace(&name[..16], "SHORT")
            .replace(&name[..12], "SHORT")
            .replace(&format!(" {size} bytes"), " ALL bytes");
        text = text.replace(&format!(" {} bytes", size / 2), " HALF bytes");
        text = text.replace(&format!(" {} bytes", size - 1), " ALL BUT ONE bytes");
    }
    // `5s`, `1s`, `1.2s`, `200ms`, `10 s`
    let words = text.split(' ').map(|word| {
        let number = word.trim_end_matches([':', ',', ')']);
        let value = number.strip_suffix("ms").or(number.strip_suffix('s'));
        let is_time = value.is_some_and(|value| value.parse::<f64>().is_ok());
        if is_time { format!("TIME{}", &word[number.len()..]) } else { word.to_owned() }
    });
    let text = words.collect::<Vec<_>>().join(" ");
    text.replace("more than 10 s", "more than TIME").replace("more than 2 s", "more than TIME")
}
