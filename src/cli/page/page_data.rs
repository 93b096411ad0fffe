//! The reports as the page's script reads them: a JSON array, compressed with gzip and encoded as base64, so that it needs no
//! escaping and 100,000 images take some 10 MB.

use std::io::{self, Write};

use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::write::EncoderWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::texts::{self, MAX_COMMAND_CHARS, MAX_NAME_CHARS, MAX_SENTENCE_CHARS, sanitize};
use crate::cli::report_counts::sanitize_code;
use crate::cli::stored_report::{StoredFault, StoredReport, StoredRuntime, StoredStart};
use crate::name::Repository;
use crate::report::OVERRIDE_NOTE;
use crate::runtime::RUNTIMES;

/// Writes the rows of the page.
pub(super) struct PageDataWriter<W: Write> {
    out: GzEncoder<EncoderWriter<'static, GeneralPurpose, W>>,
    separator: &'static str,
}

impl<W: Write> PageDataWriter<W> {
    /// # Errors
    /// The output cannot be written.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut out = GzEncoder::new(EncoderWriter::new(out, &STANDARD), Compression::default());
        out.write_all(b"[")?;
        Ok(Self { out, separator: "" })
    }

    /// Writes the row of an image.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(super) fn write_row(&mut self, report: &StoredReport) -> io::Result<()> {
        self.out.write_all(self.separator.as_bytes())?;
        self.separator = ",\n";
        Ok(serde_json::to_writer(&mut self.out, &build_row(report))?)
    }

    /// Completes the data, and returns the output.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"]")?;
        self.out.finish()?.finish()
    }
}

/// Builds the row of an image. Every text is sanitized and limited here.
fn build_row(report: &StoredReport) -> Value {
    let name = |text: &str| sanitize(text, MAX_NAME_CHARS);
    let names = |texts: &[String]| texts.iter().map(|text| name(text)).collect::<Vec<_>>();
    let [account, region, repository, asked_digest, tag] = report.identity();
    let image = report.image.as_ref();
    let shown_name = if report.arrival.is_some() { repository } else { image.map_or("", |image| &image.reference) };
    let address = Repository::new(account, region, repository).ok().map(|repository| format!("{repository}:{tag}"));
    let intended: Vec<&str> = RUNTIMES
        .iter()
        .map(|profile| profile.name)
        .filter(|name| report.intended.iter().any(|intent| intent.runtime == *name))
        .collect();
    let is_about_program = report.faults().any(|fault| fault.code.starts_with("exec-"));
    json!({
        "repository": name(shown_name),
        "tag": name(tag),
        "digest": name(image.map_or(asked_digest, |image| &image.digest)),
        "address": address.filter(|_| !tag.is_empty()),
        "pushed": name(report.pushed_at()),
        "also": names(report.also_tagged()),
        "verdict": report.verdict(),
        "platforms": names(report.platforms()),
        "intended": intended,
        "ignored": report.ignored.as_deref().map(texts::ignored_reason),
        "runtimes": report.runtimes.iter().map(|runtime| build_runtime(runtime, report)).collect::<Vec<_>>(),
        "exec": report.exec.iter().map(build_start).collect::<Vec<_>>(),
        "remark": is_about_program.then_some(OVERRIDE_NOTE),
    })
}

fn build_runtime(runtime: &StoredRuntime, report: &StoredReport) -> Value {
    let intent = report.intended.iter().find(|intent| intent.runtime == runtime.runtime);
    let profile = RUNTIMES.iter().find(|profile| intent.is_some() && profile.name == runtime.runtime);
    let name = sanitize(&runtime.runtime, MAX_NAME_CHARS);
    let is_declaration = runtime.faults.iter().any(|fault| fault.code == "invalid-declaration");
    // As `report::Subject::title` writes it; a stored report contains only the name of a subject.
    let title = match profile {
        Some(profile) => profile.title.to_owned(),
        None if is_declaration => format!("`{name}`"),
        None => format!("its declared platform, {name}"),
    };
    json!({
        "title": title,
        "verdict": runtime.verdict(),
        "by": intent.map(|intent| texts::format_declaration_source(&intent.declared_by)),
        "faults": runtime.faults.iter().map(build_fault).collect::<Vec<_>>(),
        "unknown": runtime.unknown.iter().map(|reason| sanitize(reason, MAX_SENTENCE_CHARS)).collect::<Vec<_>>(),
    })
}

fn build_fault(fault: &StoredFault) -> Value {
    let steps = fault.remedy.iter().enumerate().map(|(number, remedy)| {
        let advice = fault.advice.get(number).filter(|_| fault.advice.len() == fault.remedy.len());
        let text = |text: &str| sanitize(text, MAX_COMMAND_CHARS);
        match advice {
            Some(advice) if advice == remedy => json!([text(advice)]),
            Some(advice) => json!([text(advice), text(remedy)]),
            // Without advice of its own it may be a command or a sentence.
            None => json!(["", text(remedy)]),
        }
    });
    json!({
        "code": sanitize_code(&fault.code),
        "evidence": sanitize(&fault.evidence, MAX_SENTENCE_CHARS),
        "symptom": fault.symptom.as_ref().map(|symptom| sanitize(symptom, MAX_SENTENCE_CHARS)),
        "steps": steps.collect::<Vec<_>>(),
    })
}

fn build_start(start: &StoredStart) -> Value {
    let name = |text: &str| sanitize(text, MAX_NAME_CHARS);
    let (platform, host) = (name(&start.platform), name(&start.host));
    let error = start.errno.as_deref().map(|errno| {
        let path = start.path.as_deref().map(|path| format!(": {}", name(path)));
        format!("{}{}", name(errno), path.unwrap_or_default())
    });
    json!({
        "on": if platform == host { host } else { format!("{platform} on {host}") },
        "argv": sanitize(&start.argv.join(" "), MAX_SENTENCE_CHARS),
        "chain": start.chain.iter().map(|path| name(path)).collect::<Vec<_>>(),
        "starts": start.outcome == "starts",
        "error": error,
        "reason": start.reason.as_ref().map(|reason| sanitize(reason, MAX_SENTENCE_CHARS)),
    })
}
