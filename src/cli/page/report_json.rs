//! What was found out about an image, in the compact form that the page's script reads.
//!
//! Does not name the image: names are replaced by signs, so that images with the same answer share it.

use serde_json::{Value, json};

use super::line::{StoredArrival, StoredFault, StoredReport, StoredRuntime, StoredStart};
use super::texts::{self, MAX_COMMAND_CHARS, MAX_NAME_CHARS, MAX_SENTENCE_CHARS, sanitize};
use crate::name::Repository;
use crate::report::OVERRIDE_NOTE;
use crate::runtime::RUNTIMES;

/// What of an image's texts is its own: each is replaced by a control character, of which no text has any by then.
#[derive(Debug, Default)]
pub(super) struct NamePlaceholders(Vec<(String, &'static str)>);

impl NamePlaceholders {
    /// The script puts them back in by the same signs.
    pub(super) fn new(arrival: Option<&StoredArrival>, digest: &str) -> Self {
        let Some(arrival) = arrival else { return Self::default() };
        let mut names = Vec::new();
        if let Some(repository) = ecr_repository(arrival) {
            if let Some(tag) = &arrival.tag {
                names.push((format!("{repository}:{tag}"), "\u{1}"));
            }
            names.push((repository.to_string(), "\u{2}"));
            names.push((repository.arn(), "\u{4}"));
        }
        if !digest.is_empty() {
            names.push((digest.to_owned(), "\u{3}"));
        }
        Self(names)
    }

    fn replace_names(&self, text: &str, most: usize) -> String {
        let text = sanitize(text, most);
        self.0.iter().fold(text, |text, (name, sign)| text.replace(name.as_str(), sign))
    }
}

/// The repository, where it is one of Amazon ECR's.
pub(super) fn ecr_repository(arrival: &StoredArrival) -> Option<Repository> {
    Repository::new(&arrival.account, &arrival.region, &arrival.repository).ok()
}

/// The answer; each step of what to do is passed through `step`, which may share it.
pub(super) fn build_report_json(
    line: &StoredReport,
    names: &NamePlaceholders,
    step: &mut impl FnMut(Value) -> Value,
) -> Value {
    let image = line.image.as_ref();
    let platforms = image.map(|image| image.platforms.as_slice()).unwrap_or_default();
    let intended: Vec<&str> = RUNTIMES
        .iter()
        .filter(|profile| line.intended.iter().any(|declared| declared.runtime == profile.name))
        .map(|profile| profile.name)
        .collect();
    let runtimes: Vec<Value> =
        line.runtimes.iter().map(|answer| build_runtime_json(answer, line, names, step)).collect();
    let is_of_a_program = |fault: &StoredFault| fault.code.starts_with("exec-");
    let programs = line.runtimes.iter().flat_map(|answer| &answer.faults).any(is_of_a_program);
    json!({
        "verdict": texts::parse_verdict(&line.verdict).as_str(),
        "platforms": platforms.iter().map(|platform| sanitize(platform, MAX_NAME_CHARS)).collect::<Vec<_>>(),
        "intended": intended,
        "because": line.ignored.as_deref().map(texts::ignored_reason),
        "runtimes": runtimes,
        "exec": line.exec.iter().map(|started| build_start_json(started, names)).collect::<Vec<_>>(),
        "remark": programs.then_some(OVERRIDE_NOTE),
    })
}

fn build_runtime_json(
    answer: &StoredRuntime,
    line: &StoredReport,
    names: &NamePlaceholders,
    step: &mut impl FnMut(Value) -> Value,
) -> Value {
    let declared = line.intended.iter().find(|declared| declared.runtime == answer.runtime);
    let profile = RUNTIMES.iter().find(|profile| declared.is_some() && profile.name == answer.runtime);
    let name = sanitize(&answer.runtime, MAX_NAME_CHARS);
    let is_declaration = answer.faults.iter().any(|fault| fault.code == "invalid-declaration");
    // As `Subject::title` has it; of a subject, the results have the name alone.
    let title = match profile {
        Some(profile) => profile.title.to_owned(),
        None if is_declaration => format!("`{name}`"),
        None => format!("its own label, {name}"),
    };
    let faults: Vec<Value> = answer.faults.iter().map(|found| build_fault_json(found, names, step)).collect();
    json!({
        "title": title,
        "verdict": texts::parse_verdict(&answer.verdict).as_str(),
        "by": declared.map(|declared| texts::format_declaration_source(&declared.declared_by)),
        "faults": faults,
        "unknown": answer.unknown.iter().map(|reason| names.replace_names(reason, MAX_SENTENCE_CHARS)).collect::<Vec<_>>(),
    })
}

fn build_fault_json(fault: &StoredFault, names: &NamePlaceholders, step: &mut impl FnMut(Value) -> Value) -> Value {
    let steps = fault.remedy.iter().enumerate().map(|(at, remedy)| {
        let advice = fault.advice.get(at).filter(|_| fault.advice.len() == fault.remedy.len());
        let text = |text: &str| names.replace_names(text, MAX_COMMAND_CHARS);
        step(match advice {
            Some(advice) if advice == remedy => json!([text(advice)]),
            Some(advice) => json!([text(advice), text(remedy)]),
            // Which of the two it is, is not known.
            None => json!(["", text(remedy)]),
        })
    });
    let steps: Vec<Value> = steps.collect();
    json!({
        "code": sanitize(&fault.code, MAX_NAME_CHARS),
        "evidence": names.replace_names(&fault.evidence, MAX_SENTENCE_CHARS),
        "symptom": fault.symptom.as_ref().map(|symptom| names.replace_names(symptom, MAX_SENTENCE_CHARS)),
        "steps": steps,
    })
}

fn build_start_json(started: &StoredStart, names: &NamePlaceholders) -> Value {
    let name = |text: &str| sanitize(text, MAX_NAME_CHARS);
    let (platform, host) = (name(&started.platform), name(&started.host));
    let refused = started.errno.as_deref().map(|errno| {
        let path = started.path.as_deref().map(|path| format!(": {}", names.replace_names(path, MAX_NAME_CHARS)));
        format!("{}{}", name(errno), path.unwrap_or_default())
    });
    json!({
        "on": if platform == host { host } else { format!("{platform} on {host}") },
        "argv": names.replace_names(&started.argv.join(" "), MAX_SENTENCE_CHARS),
        "chain": started.chain.iter().map(|path| names.replace_names(path, MAX_NAME_CHARS)).collect::<Vec<_>>(),
        "starts": started.outcome == "starts",
        "refused": refused,
        "reason": started.reason.as_ref().map(|reason| names.replace_names(reason, MAX_SENTENCE_CHARS)),
    })
}
