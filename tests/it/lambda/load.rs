//! A hundred thousand events, one after another, through one process of the function: its responses, speed and memory.
//!
//! `make load` runs it with the release build and prints the tables; figures of the debug build are meaningless.
#![allow(clippy::print_stdout, reason = "the figures are the answer")]
#![allow(clippy::cast_precision_loss, reason = "figures are rounded for people")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::function::{TOPIC_SETTING, command, endpoints, region};
use super::push_event;
use crate::support::archive::Archive;
use crate::support::aws::{FakeAws, SECRET};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config, with_platform};
use crate::support::random::Random;

/// Images whose layers all fit into the cache, and images that do not: each of the latter takes about 300 kB.
const HOT: usize = 40;
const COLD: usize = 400;
const COLD_NAMES: usize = 3000;

/// How much the process may grow between a fifth of the events and the end, due to the allocator. A leak of 200 bytes
/// per event would exceed it.
const SLACK_KIB: u64 = 16 * 1024;

/// After this many events nearly every layer has been read, and the cache has reached its limit of 64 MiB.
const WARM: usize = 4000;

/// The most memory at any time: the cache, the layers of one image, and the base of any such process.
const MAX_PEAK_KIB: u64 = 128 * 1024;

/// The kinds of events, and how many of a thousand each makes up.
const KINDS: [(&str, usize); 8] = [
    ("runs", 560),
    ("fails", 150),
    ("index", 100),
    ("verdict tag", 60),
    ("untagged", 40),
    ("cold", 80),
    ("elsewhere", 9),
    // Read a second time after half a second.
    ("gone", 1),
];

/// The events of every kind.
struct Events {
    of: BTreeMap<&'static str, Vec<String>>,
    random: Random,
}

impl Events {
    /// Fills a repository with images and makes their events.
    fn new(aws: &FakeAws, cold: usize) -> Self {
        let mut layout = Builder::new();
        let (mut of, random) = (BTreeMap::<_, Vec<String>>::new(), Random(20_261_121));
        let mut add = |kind, digest: &Digest, tag: &str| {
            of.entry(kind).or_default().push(push_event(digest, tag).to_string());
        };
        for number in 0..HOT {
            let (amd64, arm64) = (image(&layout, "amd64", number, 20), image(&layout, "arm64", number, 20));
            add("runs", &layout.tag(&format!("runs-{number}"), &arm64), &format!("runs-{number}"));
            add("fails", &layout.tag(&format!("fails-{number}"), &amd64), &format!("fails-{number}"));
            let index =
                layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
            let digest = layout.tag(&format!("index-{number}"), &index);
            add("index", &digest, &format!("index-{number}"));
            add("verdict tag", &digest, &super::verdict_tag("pass-ecs-arm64", &digest));
            add("untagged", &digest, "");
        }
        for number in 0..cold {
            let cold = image(&layout, "arm64", HOT + number, COLD_NAMES);
            add("cold", &layout.tag(&format!("cold-{number}"), &cold), &format!("cold-{number}"));
        }
        let mut event = push_event(&Digest::of(b"nowhere"), "v1");
        event["detail"]["repository-name"] = json!("team/gone");
        of.insert("gone", vec![event.to_string()]);
        event["region"] = json!("eu-central-1");
        of.insert("elsewhere", vec![event.to_string()]);
        aws.push(super::REPOSITORY, &layout);
        aws.tag_resource(super::REPOSITORY, "intended-runtime", "ecs/arm64");
        Self { of, random }
    }

    /// A random event, and its kind.
    fn next(&mut self) -> (&'static str, &str) {
        let mut at = self.random.below(1000);
        let (kind, _) = KINDS
            .iter()
            .find(|(_, share)| {
                let is_it = at < *share;
                at = at.saturating_sub(*share);
                is_it
            })
            .expect("the shares add up to a thousand");
        let of = &self.of[kind];
        (*kind, &of[self.random.below(of.len())])
    }
}

/// An image with one layer that holds the program and other files.
fn image(layout: &Builder, architecture: &str, number: usize, names: usize) -> Value {
    let mut archive = Archive::default().file("app", &elf::program(architecture));
    for name in 0..names {
        archive = archive.file(&format!("usr/share/{number}/a-file-with-a-name-of-usual-length-{name}"), b"");
    }
    let mut gzip = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive.end()).unwrap();
    let layer = layout.blob(OCI_GZIP, &gzip.finish().unwrap());
    layout.manifest(&config("linux", architecture, json!({})), &[layer])
}

/// The process, and the thread that reads its log.
struct Process {
    child: Child,
    log: JoinHandle<usize>,
}

impl Process {
    fn start(aws: &FakeAws) -> Self {
        let mut child = command(&[TOPIC_SETTING]).envs(region()).envs(endpoints(aws)).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self { child, log: std::thread::spawn(move || lines(stdout)) }
    }

    /// Resident and peak memory in KiB, and the processor time in seconds.
    fn usage(&self) -> (u64, u64, f64) {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap();
        let status = of("status");
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        let stat = of("stat");
        // The fields follow the name in parentheses, which may hold anything: proc(5). A tick is a hundredth of a
        // second on Linux.
        let ticks: u64 = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|n| n.parse::<u64>().unwrap())
            .sum();
        (field("VmRSS:"), field("VmHWM:"), ticks as f64 / 100.0)
    }

    fn end(mut self) -> usize {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.join().unwrap()
    }
}

/// The number of lines, after checking that none has a secret.
fn lines(stdout: ChildStdout) -> usize {
    BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .inspect(|line| assert!(!line.contains(SECRET), "{line}"))
        .count()
}

/// Checks the response to an event of a kind.
fn check(kind: &str, outcome: &str, body: &str) {
    let expected = match kind {
        "runs" | "index" | "cold" => r#""verdict":"runs""#,
        "fails" => r#""verdict":"fails""#,
        "verdict tag" | "untagged" | "gone" => r#""verdict":"ignored""#,
        // The error names the region of the image.
        _ => "eu-central-1",
    };
    assert_eq!(outcome, if kind == "elsewhere" { "error" } else { "response" }, "{kind}: {body}");
    assert!(body.contains(expected), "{kind}: {body}");
}

#[test]
#[ignore = "takes minutes and a release build: make load"]
fn function_memory_does_not_grow_with_events() {
    let events: usize = std::env::var("EVENTS").map_or(100_000, |events| events.parse().unwrap());
    let aws = FakeAws::start();
    aws.discard_requests();
    let mut mix = Events::new(&aws, COLD);
    let process = Process::start(&aws);
    println!("| events | events/s | CPU ms an event | resident MiB | peak MiB |\n|--:|--:|--:|--:|--:|");
    let (mut after_warming, mut counts) = (0, BTreeMap::<&str, usize>::new());
    let began = Instant::now();
    for part in 1..=10 {
        let (start, before) = (Instant::now(), if part == 1 { 0.0 } else { process.usage().2 });
        for _ in 0..events / 10 {
            let (kind, event) = mix.next();
            let done = aws.invoke(event);
            check(kind, &done.outcome, &done.body);
            *counts.entry(kind).or_default() += 1;
        }
        let ((resident, peak, cpu), number) = (process.usage(), (events / 10) as f64);
        println!(
            "| {} | {:.0} | {:.3} | {:.1} | {:.1} |",
            part * events / 10,
            number / start.elapsed().as_secs_f64(),
            (cpu - before) * 1e3 / number,
            resident as f64 / 1024.0,
            peak as f64 / 1024.0
        );
        assert!(peak <= MAX_PEAK_KIB, "{peak} KiB");
        match part {
            2 => after_warming = resident,
            10 if events >= 5 * WARM => {
                assert!(resident <= after_warming + SLACK_KIB, "{after_warming} KiB have become {resident}");
            }
            _ => {}
        }
    }
    println!("\n{events} events in {:.0} s: {counts:?}", began.elapsed().as_secs_f64());
    let failed = aws.handed_out();
    assert_eq!(failed, events, "every event was handed out once");
    assert_eq!(process.end(), events, "one line for each event");
}

#[test]
#[ignore = "takes minutes and a release build: make load"]
fn function_spends_most_time_waiting() {
    println!(
        "| every answer of AWS takes, ms | events | ms an event | CPU ms an event | waiting |\n|--:|--:|--:|--:|--:|"
    );
    for (delay, number) in [(0, 2000), (5, 400), (20, 200)] {
        let aws = FakeAws::start();
        aws.discard_requests();
        let mut mix = Events::new(&aws, 8);
        let process = Process::start(&aws);
        for _ in 0..200 {
            aws.invoke(mix.next().1);
        }
        aws.set_delay(Duration::from_millis(delay));
        let (start, before) = (Instant::now(), process.usage().2);
        for _ in 0..number {
            let (kind, event) = mix.next();
            let done = aws.invoke(event);
            check(kind, &done.outcome, &done.body);
        }
        let (wall, cpu) = (start.elapsed().as_secs_f64(), process.usage().2 - before);
        let each = |seconds: f64| seconds * 1e3 / f64::from(number);
        println!("| {delay} | {number} | {:.2} | {:.2} | {:.0}% |", each(wall), each(cpu), (1.0 - cpu / wall) * 100.0);
        assert!(cpu < wall, "there is only one thread");
        process.end();
    }
}
