//! `ecr-preflight audit` against the small AWS: the real binary, over real HTTP.
#![allow(clippy::needless_raw_string_hashes, reason = "snapshots are written with them")]

mod printed;
mod scope;
mod resumed;
mod failures;
mod told;
mod scale;
mod via_lambda;
mod via_trouble;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::aws::FakeAws;
use crate::support::layout::{Builder, promising};

/// A registry, and a directory for what the audit writes.
pub struct Stage {
    pub aws: FakeAws,
    pub directory: TempDir,
    /// How far images are looked at; by their labels alone, one call answers for an index.
    pub depth: &'static str,
}

impl Stage {
    pub fn new() -> Self {
        Self { aws: FakeAws::start(), directory: TempDir::new().unwrap(), depth: "labels" }
    }

    /// With an image that fails, one that runs, one for which nothing is declared, one that cannot be told and a chart.
    pub fn filled() -> Self {
        let stage = Self { depth: "binaries", ..Self::new() };
        let mut layout = Builder::new();
        let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
        let both = layout.index(&[promising(&amd64, "linux", "amd64"), promising(&arm64, "linux", "arm64")]);
        let wrong = layout.tag("11.4.0", &arm64).to_string();
        layout.tag("latest", &arm64);
        let right = layout.tag("11.5.0", &both).to_string();
        stage.aws.push("grafana/grafana", &layout);
        stage.aws.tag_resource("grafana/grafana", "intended-runtime", "apprunner");
        stage.aws.date("grafana/grafana", &wrong, 1_780_000_000);
        stage.aws.date("grafana/grafana", &right, 1_785_000_000);
        let mut layout = Builder::new();
        let (arm, chart) = (layout.image("arm"), layout.helm());
        layout.tag("old-ecs-arm64", &arm);
        layout.tag("chart", &chart);
        stage.aws.push("team/app", &layout);
        let mut layout = Builder::new();
        let amd64 = layout.image("amd64");
        layout.tag("v1", &amd64);
        stage.aws.push("team/tools", &layout);
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command, in nothing but this environment; DIR is the directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let directory = self.directory.path().display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
        command.env_clear().envs([
            ("HOME", "/nonexistent"),
            ("PATH", "/usr/bin"),
            ("TMPDIR", directory.as_str()),
            ("AWS_ENDPOINT_URL", &self.aws.url()),
            ("AWS_REGION", "us-west-2"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "0KEYKEY0"),
            ("PREFLIGHT_INSPECT", self.depth),
        ]);
        command.arg("audit").args(arguments.iter().map(|argument| argument.replace("DIR", &directory)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The four facts of a run, without what no two runs share.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.shown(&self.output(arguments))
    }

    pub fn shown(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let (success, code) = (output.status.success(), output.status.code().unwrap());
        let all = format!("success {success} code {code}\n--- out\n{out}--- err\n{err}");
        let all = all.replace(&self.directory.path().display().to_string(), "DIR").replace(&self.aws.url(), "URL");
        all.lines().map(|line| format!("{}\n", timeless(line).trim_end())).collect()
    }

    /// The lines of a file of results.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        lines(&self.path(name))
    }
}

pub fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What each line is of: repository and tag, sorted.
pub fn subjects(lines: &[Value]) -> Vec<String> {
    let subject = |line: &Value| {
        let arrival = &line["arrival"];
        format!("{}:{}", arrival["repository"].as_str().unwrap(), arrival["tag"].as_str().unwrap())
    };
    let mut subjects: Vec<String> = lines.iter().map(subject).collect();
    subjects.sort();
    subjects
}

/// A line without how long it took, and without how many requests: images that are read beside each other may each fetch a
/// layer that they share.
fn timeless(line: &str) -> String {
    match (line.split_once(" in "), line.split_once(" requests")) {
        (Some((before, _)), Some((_, after))) if before.contains(" answer") => {
            format!("{before} in TIME, N requests{after}")
        }
        _ => line.to_owned(),
    }
}
