//! The rows of the page as its script reads them: two lines of JSON for each image, compressed with gzip and encoded as
//! base64. 100,000 images take some 13 MB.
//!
//! The first line is what the list sorts, filters and searches by; the second one, which is longer, is parsed when the row is
//! shown. Both are ASCII, because browsers decode and parse that in half of the time.

use std::io::{self, Write};

use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::write::EncoderWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};

use super::texts::{self, sanitize_command, sanitize_name, sanitize_sentence, state_name};
use crate::cli::image_use::ImageUser;
use crate::cli::report_counts::sanitize_code;
use crate::cli::stored_report::{StoredArrival, StoredReport};
use crate::cli::stored_runtime::{StoredFault, StoredRuntime, StoredStart};
use crate::report::OVERRIDE_NOTE;
use crate::runtime::RUNTIMES;

/// Encodes the rows. Both encoders must be finished.
pub(super) fn encode_rows<W: Write>(out: W) -> GzEncoder<EncoderWriter<'static, GeneralPurpose, W>> {
    GzEncoder::new(EncoderWriter::new(out, &STANDARD), Compression::default())
}

/// Writes the row of an image.
///
/// # Errors
/// The output cannot be written.
pub(super) fn write_row(report: &StoredReport, rows: &mut impl Write) -> io::Result<()> {
    for line in [build_row(report), build_details(report)] {
        line.serialize(&mut Serializer::with_formatter(&mut *rows, AsciiFormatter))?;
        rows.write_all(b"\n")?;
    }
    Ok(())
}

/// Formats JSON with all other characters escaped.
struct AsciiFormatter;

impl Formatter for AsciiFormatter {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if text.is_ascii() {
            return out.write_all(text.as_bytes());
        }
        text.encode_utf16().try_for_each(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => out.write_all(&[byte]),
            _ => write!(out, "\\u{unit:04x}"),
        })
    }
}

/// Builds what the list sorts, filters and searches by. Every text is sanitized and limited here and below.
fn build_row(report: &StoredReport) -> Value {
    let (arrival, image) = (&report.arrival, &report.image);
    let intended: Vec<&str> = RUNTIMES
        .iter()
        .map(|profile| profile.name)
        .filter(|name| report.intended.iter().any(|intent| intent.runtime == *name))
        .collect();
    let titles: Vec<String> = report.runtimes.iter().map(|runtime| runtime_title(runtime, report)).collect();
    let reason = report.runtimes.iter().flat_map(|runtime| runtime.unknown.iter().chain(&runtime.not_verified)).next();
    let registry = sanitize_name(&format!("{}, {}", arrival.account, arrival.region));
    let mut row = json!({
        "registry": registry.trim_matches([',', ' ']),
        "repository": sanitize_name(if arrival.repository.is_empty() { &image.reference } else { &arrival.repository }),
        "tag": sanitize_name(&arrival.tag),
        "also": arrival.also_tagged.iter().map(|tag| sanitize_name(tag)).collect::<Vec<_>>(),
        "digest": sanitize_name(if image.digest.is_empty() { &arrival.digest } else { &image.digest }),
        "pushed": sanitize_name(&arrival.pushed_at),
        "verdict": state_name(report.verdict(), report.is_unverified_pass()),
        "platforms": image.platforms.iter().map(|platform| sanitize_name(platform)).collect::<Vec<_>>(),
        "intended": intended,
        "titles": titles.join(", "),
        "codes": report.fault_codes().into_iter().map(sanitize_code).collect::<Vec<_>>(),
        "reason": reason.map(|reason| sanitize_sentence(reason)),
    });
    if let Some(in_use) = &report.in_use {
        let names = in_use.names().into_iter().map(sanitize_name).collect::<Vec<_>>();
        row["users"] = if in_use.is_unknown() { Value::Null } else { names.into() };
    }
    row
}

/// Builds what else is shown of an image.
fn build_details(report: &StoredReport) -> Value {
    let StoredArrival { tag, .. } = &report.arrival;
    let address = report.repository().map(|repository| format!("{repository}:{tag}"));
    let digest = if report.image.digest.is_empty() { &report.arrival.digest } else { &report.image.digest };
    let console_url = report.repository().and_then(|repository| repository.console_url(&digest.parse().ok()?));
    let is_about_program = report.faults().any(|fault| fault.code.starts_with("exec-"));
    let mut details = json!({
        "console": console_url,
        "owner": Some(sanitize_name(&report.owner)).filter(|owner| !owner.is_empty()),
        "address": address.filter(|_| !tag.is_empty()).map(|address| sanitize_name(&address)),
        "runtimes": report.runtimes.iter().map(|runtime| build_runtime(runtime, report)).collect::<Vec<_>>(),
        "exec": report.exec.iter().map(build_start).collect::<Vec<_>>(),
        "remark": is_about_program.then_some(OVERRIDE_NOTE),
        "ignored": report.ignored.as_deref().map(texts::ignored_reason),
    });
    if let Some(in_use) = &report.in_use {
        details["users"] = in_use.by.iter().map(describe_user).collect();
    }
    details
}

/// Describes a consumer: `prod/web, container app of web (Amazon ECS)`.
fn describe_user(user: &ImageUser) -> String {
    let ImageUser { container, definition, .. } = user;
    let part = |before: &str, name: &str| match name {
        "" => String::new(),
        name => format!("{before}{}", sanitize_name(name)),
    };
    let container = part(", container ", container);
    let definition = part(" of ", if definition == user.short_name() { "" } else { definition });
    format!("{}{container}{definition} ({})", sanitize_name(user.short_name()), user.service_title())
}

/// Returns the title of a runtime, as `FindingSubject::title` writes it; a stored report contains only its name.
fn runtime_title(runtime: &StoredRuntime, report: &StoredReport) -> String {
    let is_intended = report.intended.iter().any(|intent| intent.runtime == runtime.runtime);
    let profile = RUNTIMES.iter().find(|profile| is_intended && profile.name == runtime.runtime);
    let name = sanitize_name(&runtime.runtime);
    match profile {
        Some(profile) => profile.title.to_owned(),
        None if runtime.faults.iter().any(|fault| fault.code == "invalid-declaration") => format!("`{name}`"),
        None => format!("its declared platform, {name}"),
    }
}

fn build_runtime(runtime: &StoredRuntime, report: &StoredReport) -> Value {
    let intent = report.intended.iter().find(|intent| intent.runtime == runtime.runtime);
    let warnings = runtime.warnings.iter().map(|warning| format!("warning: {}: {}", warning.code, warning.evidence));
    let not_verified = runtime.not_verified.iter().map(|reason| format!("start not verified: {reason}"));
    let waived = runtime
        .faults
        .iter()
        .filter_map(|fault| fault.waived.as_ref().map(|waiver| format!("{}: {}", fault.code, waiver.describe())));
    let notes: Vec<String> =
        runtime.unknown.iter().cloned().chain(warnings).chain(not_verified).chain(waived).collect();
    json!({
        "title": runtime_title(runtime, report),
        "verdict": state_name(runtime.verdict(), runtime.is_unverified_pass()),
        "by": intent.map(|intent| texts::format_declaration_source(&intent.declared_by)),
        "faults": runtime.faults.iter().map(build_fault).collect::<Vec<_>>(),
        "unknown": notes.iter().map(|note| sanitize_sentence(note)).collect::<Vec<_>>(),
    })
}

fn build_fault(fault: &StoredFault) -> Value {
    let steps = fault.remedy.iter().enumerate().map(|(number, remedy)| {
        let advice = fault.advice.get(number).filter(|_| fault.advice.len() == fault.remedy.len());
        match advice {
            Some(advice) if advice == remedy => json!([sanitize_command(advice)]),
            Some(advice) => json!([sanitize_command(advice), sanitize_command(remedy)]),
            // Without advice of its own it may be a command or a sentence.
            None => json!(["", sanitize_command(remedy)]),
        }
    });
    json!({
        "code": sanitize_code(&fault.code),
        "evidence": sanitize_sentence(&fault.evidence),
        "symptom": fault.symptom.as_ref().map(|symptom| sanitize_sentence(symptom)),
        "steps": steps.collect::<Vec<_>>(),
    })
}

fn build_start(start: &StoredStart) -> Value {
    let (platform, host) = (sanitize_name(&start.platform), sanitize_name(&start.host));
    let error = start.errno.as_deref().map(|errno| {
        let path = start.path.as_deref().map(|path| format!(": {}", sanitize_name(path)));
        format!("{}{}", sanitize_name(errno), path.unwrap_or_default())
    });
    json!({
        "on": if platform == host { host } else { format!("{platform} on {host}") },
        "argv": sanitize_sentence(&start.argv.join(" ")),
        "chain": start.chain.iter().map(|path| sanitize_name(path)).collect::<Vec<_>>(),
        "starts": start.outcome == "starts",
        "error": error,
        "reason": start.reason.as_ref().map(|reason| sanitize_sentence(reason)),
    })
}
