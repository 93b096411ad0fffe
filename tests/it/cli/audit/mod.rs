//! `ecr-preflight audit` as a process, against the fake AWS over HTTP.
#![allow(clippy::needless_raw_string_hashes, reason = "snapshots are written with them")]

mod consumers;
mod output;
mod scope;
mod resume;
mod failures;
mod notify;
mod scale;
mod via_lambda;
mod via_lambda_failures;
mod waivers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::report::schema::assert_valid;
use crate::support::aws::FakeAws;
use crate::support::layout::{Builder, with_platform};

/// A fake AWS, and a directory for the files that the audit writes.
pub struct Fixture {
    pub aws: FakeAws,
    pub directory: TempDir,
    /// How far images are read. By its manifest alone, one call is enough for an index.
    pub depth: &'static str,
}

impl Fixture {
    pub fn new() -> Self {
        Self { aws: FakeAws::start(), directory: TempDir::new().unwrap(), depth: "manifest" }
    }

    /// Contains an image that fails, one that runs, one without a declared runtime, one that is unknown, and a Helm
    /// chart.
    pub fn with_images() -> Self {
        let fixture = Self { depth: "program", ..Self::new() };
        let mut layout = Builder::new();
        let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
        let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
        let wrong = layout.tag("11.4.0", &arm64).to_string();
        layout.tag("latest", &arm64);
        let right = layout.tag("11.5.0", &both).to_string();
        fixture.aws.push("grafana/grafana", &layout);
        fixture.aws.tag_resource("grafana/grafana", "intended-runtime", "apprunner");
        fixture.aws.set_pushed_at("grafana/grafana", &wrong, 1_780_000_000);
        fixture.aws.set_pushed_at("grafana/grafana", &right, 1_785_000_000);
        let mut layout = Builder::new();
        let (arm, chart) = (layout.image("arm"), layout.helm());
        layout.tag("0.9-ecs-arm64", &arm);
        layout.tag("chart", &chart);
        fixture.aws.push("team/app", &layout);
        let mut layout = Builder::new();
        let amd64 = layout.image("amd64");
        layout.tag("v1", &amd64);
        fixture.aws.push("team/tools", &layout);
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command with exactly this environment. `DIR` in an argument is replaced by the directory.
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

    /// Exit status, standard output and standard error, with everything masked that differs between runs.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.format_output(&self.output(arguments))
    }

    pub fn format_output(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let (success, code) = (output.status.success(), output.status.code().unwrap());
        let all = format!("success {success} code {code}\n--- out\n{out}--- err\n{err}");
        let all = all.replace(&self.directory.path().display().to_string(), "DIR").replace(&self.aws.url(), "URL");
        all.lines().map(|line| format!("{}\n", mask_time(line).trim_end())).collect()
    }

    /// Reads a results file, whose lines are reports.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        let lines = lines(&self.path(name));
        lines.iter().for_each(|line| assert_valid(line, name));
        lines
    }
}

pub fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is complete");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Repository and tag of each line, sorted.
pub fn image_names(lines: &[Value]) -> Vec<String> {
    let subject = |line: &Value| {
        let arrival = &line["arrival"];
        format!("{}:{}", arrival["repository"].as_str().unwrap(), arrival["tag"].as_str().unwrap())
    };
    let mut image_names: Vec<String> = lines.iter().map(subject).collect();
    image_names.sort();
    image_names
}

/// Masks the duration and the number of requests of a line: images that are read concurrently may each fetch a layer
/// that they share.
fn mask_time(line: &str) -> String {
    match (line.split_once(" in "), line.split_once(" requests")) {
        (Some((before, _)), Some((_, after))) if before.contains(" checked") => {
            format!("{before} in TIME, N requests{after}")
        }
        _ => line.to_owned(),
    }
}
