//! What happened to an image, what was predicted, and whether both agree.

use std::fmt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What containerd and runc did with an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It could not be unpacked, or no container could be created of it.
    Refused(String),
    /// runc could not start its command.
    NotStarted(String),
    /// Its command was started, and a program printed `started` and exited with 0, or ran until it was killed.
    Started,
    /// Its command was started and ended otherwise: with this code and error output.
    Ended(i32, String),
}

/// The text without bytes that a terminal does not show; a carriage return is a space, as in expected errors.
fn printable(text: &str) -> String {
    text.replace('\r', " ").chars().filter(|character| matches!(character, '\n' | ' '..='~')).collect()
}

/// The words without what differs from run to run: directories, numbers of snapshots and processes, and digests.
fn neutralize(words: &str) -> String {
    let words = printable(&words.replace("\\\"", "\""));
    let mut result = String::new();
    for word in words.split_inclusive([' ', '\n']) {
        let path = word.find("/snapshots/").map(|at| &word[at + "/snapshots/".len()..]);
        let mount = "/containerd-mount";
        let path = path.or_else(|| word.find(mount).map(|at| &word[at + mount.len()..]));
        let is_process = word.starts_with('(') && (word.ends_with(")] ") || word.ends_with("): "));
        match path.map(|path| path.trim_start_matches(|character: char| character.is_ascii_digit())) {
            Some(path) => result.push_str(path.strip_prefix("/fs").unwrap_or(path)),
            None if word.starts_with("sha256:") => {
                result.push_str(word.trim_start_matches(|character| character > ' '))
            }
            None if word.starts_with("http://127.0.0.1:") => result.push_str("REGISTRY "),
            None if is_process => result.push_str("(N) "),
            None => result.push_str(word),
        }
    }
    hide_digests(&result.replace("mount callback failed on : ", ""))
}

/// The text with a word for each digest: those of layers with a program depend on the machine's programs.
fn hide_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |hidden, part| {
        hidden + "sha256:DIGEST" + part.trim_start_matches(|one: char| one.is_ascii_hexdigit())
    })
}

/// The longest error that is compared.
const MESSAGE: usize = 160;

impl Outcome {
    /// From the exit code of `ctr run` and its output.
    pub fn of(code: i32, printed: &str, said: &str, is_killed: bool) -> Self {
        let words = neutralize(said);
        let last = words.lines().last().unwrap_or_default();
        if is_killed || code == 0 && printed.contains("started\n") {
            Self::Started
        } else if let Some((_, said)) = last.split_once("OCI runtime create failed: ") {
            let start = "runc create failed: unable to start container process: ";
            Self::NotStarted(said.trim_start_matches(start).trim_end_matches(": unknown").to_owned())
        } else if let Some(said) = last.strip_prefix("ctr: ") {
            Self::Refused(said.trim_end_matches(": unknown").to_owned())
        } else if code == 1 && words.starts_with("exec ") {
            Self::NotStarted(words.trim_end().to_owned())
        } else {
            Self::Ended(code, words.trim_end().to_owned())
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Refused(said) | Self::NotStarted(said) | Self::Ended(_, said) => said,
            Self::Started => "",
        }
    }
}

/// In one line.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.message().replace('\n', " | ");
        let said = said[..said.len().min(MESSAGE)].trim_end();
        match self {
            Self::Refused(_) => write!(formatter, "refused: {said}"),
            Self::NotStarted(_) => write!(formatter, "not started: {said}"),
            Self::Started => write!(formatter, "started"),
            Self::Ended(code, _) if said.is_empty() => write!(formatter, "ended with {code}"),
            Self::Ended(code, _) => write!(formatter, "ended with {code}: {said}"),
        }
    }
}

/// What the command-line tool predicts for this machine's platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prediction {
    Starts,
    /// With the fault and the expected error, if that is known.
    Fails {
        fault: String,
        symptom: Option<String>,
    },
    /// With the reason.
    Unknown(String),
}

impl Prediction {
    fn of(report: &Value) -> Self {
        let runtime = &report["runtimes"][0];
        let unknown = || report["exec"].as_array().into_iter().flatten().find(|one| one["outcome"] == "unknown");
        match report["verdict"].as_str().unwrap() {
            "fails" => {
                let fault = &runtime["faults"][0];
                let text = |key: &str| fault[key].as_str().map(str::to_owned);
                Self::Fails { fault: text("code").unwrap(), symptom: text("symptom") }
            }
            "runs" if report["exec"].get(0).is_some_and(|one| one["outcome"] == "starts") && unknown().is_none() => {
                Self::Starts
            }
            _ => Self::Unknown(
                unknown().map_or_else(|| runtime["unknown"].to_string(), |one| one["reason"].as_str().unwrap().into()),
            ),
        }
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starts => write!(formatter, "starts"),
            Self::Fails { fault, symptom } => {
                write!(formatter, "fails: {fault}")?;
                symptom.iter().try_for_each(|symptom| write!(formatter, ": {symptom}"))
            }
            Self::Unknown(reason) => write!(formatter, "unknown: {reason}"),
        }
    }
}

/// The predictions of the command-line tool for the tagged images of a layout, in order.
pub fn predict(layout: &Path, tags: &[String]) -> Vec<Prediction> {
    let references: Vec<String> = tags.iter().map(|tag| format!("oci:{}:{tag}", layout.display())).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    command.args(["check", "--format", "json", "--runtime", "linux/amd64"]).args(&references);
    let output = command.output().unwrap();
    let reports = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let reports: Vec<Value> = reports.map(|report| report.expect("reports are JSON")).collect();
    let of = |reference: &String| {
        let report = reports.iter().find(|report| report["image"]["reference"] == **reference);
        report.map_or_else(
            || Prediction::Unknown(format!("not read: {}", String::from_utf8_lossy(&output.stderr))),
            Prediction::of,
        )
    };
    references.iter().map(of).collect()
}

/// Whether the command was started and then failed to start another program, which was not predicted.
pub fn is_missed(prediction: &Prediction, outcome: &Outcome) -> bool {
    matches!((prediction, outcome), (Prediction::Starts, Outcome::Ended(126 | 127, _)))
}

/// How a prediction and what happened differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disagreement {
    /// It is predicted to fail, and starts.
    FalseAlarm,
    /// It is predicted to start, and does not.
    FalsePass,
    /// It fails as predicted, but with another error.
    OtherError,
}

/// Compares a prediction with what happened. An unknown result never disagrees.
pub fn compare(prediction: &Prediction, outcome: &Outcome) -> Option<Disagreement> {
    match (prediction, outcome) {
        // What happens after the start is only predicted where it is certain.
        (Prediction::Unknown(_), _) | (Prediction::Starts, Outcome::Started | Outcome::Ended(..)) => None,
        (Prediction::Starts, _) => Some(Disagreement::FalsePass),
        (Prediction::Fails { .. }, Outcome::Started | Outcome::Ended(0, _)) => Some(Disagreement::FalseAlarm),
        (Prediction::Fails { symptom, .. }, _) => {
            let is_printed = |symptom: &String| {
                let symptom = printable(symptom);
                // Debian's runc is built with Go before 1.20, which leaves the check of the user to runc, whose message
                // has no quotes.
                let older = symptom.replacen("exec: \"", "exec ", 1).replacen("\": ", ": ", 1);
                outcome.message().contains(&symptom) || outcome.message().contains(&older)
            };
            (!symptom.as_ref().is_none_or(is_printed)).then_some(Disagreement::OtherError)
        }
    }
}
