//! The function with the memory that the template gives it, while it reads many large layers slowly and at once.
//!
//! `make test-memory` runs it with the release build. The memory is a limit of a control group, in which the kernel kills
//! the function if it needs more, as Lambda does.
#![allow(clippy::print_stdout, reason = "the figures are the answer")]

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::function::{TOPIC_SETTING, command, endpoints, region};
use super::{REPOSITORY, push_event};
use crate::support::archive::Archive;
use crate::support::aws::{FakeAws, Fault};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config, with_platform};

/// The default of the template's `FunctionMemorySize`.
const MEMORY_MIB: u64 = 512;
/// The layers of each image, and the names in each. Together they take several times the memory.
const LAYERS: usize = 10;
const NAMES: usize = 270_000;
/// The delay of each of the 4,096 pieces of a layer, if it takes five seconds.
const SLOW: Duration = Duration::from_millis(1);
/// The same, if it takes longer than the inspection may.
const TOO_SLOW: Duration = Duration::from_millis(6);

/// A control group with limited memory.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn new(name: &str) -> Self {
        // Version 2, or the controller of version 1.
        let (root, limit) = match Path::new("/sys/fs/cgroup/memory").exists() {
            true => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            false => ("/sys/fs/cgroup", "memory.max"),
        };
        let directory = Path::new(root).join(format!("ecr-preflight-{name}-{}", std::process::id()));
        fs::create_dir(&directory).expect("a control group needs root");
        fs::write(directory.join(limit), (MEMORY_MIB << 20).to_string()).expect("the memory controller limits memory");
        Self(directory)
    }

    /// Starts the command in the group.
    fn wrap(&self, command: &Command) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$1\""]).arg(&self.0).arg(command.get_program());
        shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).process_group(0);
        shell
    }

    fn has_killed(&self) -> bool {
        let events = ["memory.events", "memory.oom_control"].map(|file| fs::read_to_string(self.0.join(file)));
        let killed = |text: &String| text.lines().any(|line| line.starts_with("oom_kill ") && line != "oom_kill 0");
        assert!(events.iter().any(Result::is_ok), "the group says whether it killed a process");
        events.iter().flatten().any(killed)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Possible once its process has ended.
        let _ = fs::remove_dir(&self.0);
    }
}

/// A gzip member.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// The beginning of a layer with many names, compressed once for all layers.
fn many_names() -> Vec<u8> {
    let mut archive = Archive::default();
    for name in 0..NAMES {
        archive = archive.file(&format!("usr/share/{name:06}-{}", "a-name-that-is-long-".repeat(3)), b"");
    }
    let archive = archive.end();
    gzip(&archive[..archive.len() - 1024])
}

/// An image whose lowest layer has the program, so that all layers are read.
fn large_image(layout: &Builder, architecture: &str, names: &[u8]) -> Value {
    let layers: Vec<Value> = (0..LAYERS)
        .map(|layer| {
            let program = if layer == 0 { "app".to_owned() } else { format!("{architecture}-{layer}") };
            let end = Archive::default().file(&program, &elf::program(architecture)).end();
            layout.blob(OCI_GZIP, &[names, &gzip(&end)].concat())
        })
        .collect();
    layout.manifest(&config("linux", architecture, json!({})), &layers)
}

/// The report of a push whose layers are sent slowly, and how often a message was sent.
fn push(name: &str, aws: &FakeAws, layout: &mut Builder, image: &Value, runtimes: Option<&str>) -> (Value, usize) {
    let digest = layout.tag("v1", image);
    aws.push(REPOSITORY, layout);
    if let Some(runtimes) = runtimes {
        aws.tag_resource(REPOSITORY, "intended-runtime", runtimes);
    }
    aws.fail("Blob", 1.., Fault::Trickled);
    let group = MemoryGroup::new(name);
    let mut function = command(&[TOPIC_SETTING]);
    function.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MIB.to_string()).envs(region()).envs(endpoints(aws));
    let mut child = group.wrap(&function).spawn().unwrap();
    let began = Instant::now();
    let invocation = aws.invoke(&push_event(&digest, "v1").to_string());
    let took = began.elapsed();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().to_owned();
    child.kill().unwrap();
    child.wait().unwrap();
    println!("{name}: answered after {} s, peak memory {peak}", took.as_secs());
    assert!(!group.has_killed(), "{name} needs more than {MEMORY_MIB} MiB");
    assert_eq!(invocation.outcome, "response", "{}", invocation.body);
    (serde_json::from_str(&invocation.body).unwrap(), aws.calls_of("Publish").len())
}

#[test]
#[ignore = "needs root, control groups and a release build: make test-memory"]
fn large_layers_of_two_platforms_fit_the_function() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    aws.set_time_left(Duration::from_secs(300));
    aws.set_trickle(SLOW);
    let names = many_names();
    let platforms = ["amd64", "arm64"];
    let images: Vec<Value> = platforms
        .iter()
        .map(|architecture| with_platform(&large_image(&layout, architecture, &names), "linux", architecture))
        .collect();
    let index = layout.index(&images);
    let (report, _) = push("index", &aws, &mut layout, &index, None);
    assert_eq!(report["verdict"], "undeclared");
    let reasons: Vec<&str> =
        report["exec"].as_array().unwrap().iter().filter_map(|exec| exec["reason"].as_str()).collect();
    assert_eq!(reasons, ["the names take more than 67108864 bytes"; 2], "{report}");
}

#[test]
#[ignore = "needs root, control groups and a release build: make test-memory"]
fn platform_verdict_is_published_if_time_for_the_layers_runs_out() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    // An inspection ends thirty seconds before the function's time does: after fifteen seconds.
    aws.set_time_left(Duration::from_secs(45));
    aws.set_trickle(TOO_SLOW);
    let image = large_image(&layout, "arm64", &many_names());
    let (report, messages) = push("deadline", &aws, &mut layout, &image, Some("ecs/arm64 apprunner"));
    assert_eq!((&report["verdict"], messages), (&json!("fails"), 1));
    let of = |runtime: &str| {
        report["runtimes"].as_array().unwrap().iter().find(|found| found["runtime"] == runtime).unwrap().clone()
    };
    assert_eq!(of("apprunner")["faults"][0]["code"], "wrong-architecture");
    assert_eq!((&of("ecs/arm64")["verdict"], &of("ecs/arm64")["verified"]), (&json!("runs"), &json!(false)));
}
