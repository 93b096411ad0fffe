//! A hundred thousand events, one after another, through one process of the function: what it answers, how fast, and that
//! its memory does not grow.
//!
//! `make load` runs it with the release build and prints the tables; the figures of the debug build say nothing.
#![allow(clippy::print_stdout, reason = "the figures are the answer")]
#![allow(clippy::cast_precision_loss, reason = "figures are rounded for people")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::function::{TOLD, command, endpoints, region};
use super::pushed;
use crate::support::archive::Archive;
use crate::support::aws::{FakeAws, SECRET};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config, promising};
use crate::support::random::Random;

/// Images whose layers are all remembered, and images that are too many for that: each of theirs keeps some 300 kB.
const HOT: usize = 40;
const COLD: usize = 400;
const COLD_NAMES: usize = 3000;

/// How much larger than a fifth of the way through the process may be at the end: an allocator's rounding, and no more. A
/// leak of 200 bytes an event would show.
const SLACK_KIB: u64 = 16 * 1024;

/// After so many events nearly every layer has been read, and what is remembered of them has met its bound of 64 MiB.
const WARM: usize = 4000;

/// What the process may hold at any time: that, the layers of one image at work, and what any process of its kind holds.
const MAX_PEAK_KIB: u64 = 128 * 1024;

/// One kind of event: how many of a thousand, and what becomes of it.
const KINDS: [(&str, usize); 8] = [
    ("runs", 560),
    ("fails", 150),
    ("index", 100),
    ("own mark", 60),
    ("untagged", 40),
    ("cold", 80),
    ("elsewhere", 9),
    // Looked for a second time, half a second later.
    ("gone", 1),
];

/// All that events tell of.
struct Events {
    of: BTreeMap<&'static str, Vec<String>>,
    random: Random,
}

impl Events {
    /// One for each `of` these images, and what they are pushed to.
    fn new(aws: &FakeAws, cold: usize) -> Self {
        let mut layout = Builder::new();
        let (mut of, random) = (BTreeMap::<_, Vec<String>>::new(), Random(20_261_121));
        let mut add = |kind, digest: &Digest, tag: &str| {
            of.entry(kind).or_default().push(pushed(digest, tag).to_string());
        };
        for number in 0..HOT {
            let (amd64, arm64) = (image(&layout, "amd64", number, 20), image(&layout, "arm64", number, 20));
            add("runs", &layout.tag(&format!("runs-{number}"), &arm64), &format!("runs-{number}"));
            add("fails", &layout.tag(&format!("fails-{number}"), &amd64), &format!("fails-{number}"));
            let index = layout.index(&[promising(&amd64, "linux", "amd64"), promising(&arm64, "linux", "arm64")]);
            let digest = layout.tag(&format!("index-{number}"), &index);
            add("index", &digest, &format!("index-{number}"));
            add("own mark", &digest, &format!("preflight-pass-ecs-arm64-{}", digest.short()));
            add("untagged", &digest, "");
        }
        for number in 0..cold {
            let cold = image(&layout, "arm64", HOT + number, COLD_NAMES);
            add("cold", &layout.tag(&format!("cold-{number}"), &cold), &format!("cold-{number}"));
        }
        let mut event = pushed(&Digest::of(b"nowhere"), "v1");
        event["detail"]["repository-name"] = json!("team/gone");
        of.insert("gone", vec![event.to_string()]);
        event["region"] = json!("eu-central-1");
        of.insert("elsewhere", vec![event.to_string()]);
        aws.push(super::REPOSITORY, &layout);
        aws.tag_resource(super::REPOSITORY, "intended-runtime", "ecs/arm64");
        Self { of, random }
    }

    /// The next one, and its kind.
    fn draw(&mut self) -> (&'static str, &str) {
        let mut at = self.random.below(1000);
        let (kind, _) = KINDS
            .iter()
            .find(|(_, share)| {
                let is_it = at < *share;
                at = at.saturating_sub(*share);
                is_it
            })
            .expect("the shares make a thousand");
        let of = &self.of[kind];
        (*kind, &of[self.random.below(of.len())])
    }
}

/// An image whose only layer holds the program and some other files.
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

/// The process, and who reads its log.
struct Process {
    child: Child,
    log: JoinHandle<usize>,
}

impl Process {
    fn start(aws: &FakeAws) -> Self {
        let mut child = command(&[TOLD]).envs(region()).envs(endpoints(aws)).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self { child, log: std::thread::spawn(move || lines(stdout)) }
    }

    /// Resident now, at most so far, in KiB; and the seconds of processor time so far.
    fn usage(&self) -> (u64, u64, f64) {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap();
        let status = of("status");
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        let stat = of("stat");
        // After the name in brackets, which may hold anything: proc(5). In ticks of a hundredth of a second on Linux.
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

/// How many lines there were, none of them with a secret.
fn lines(stdout: ChildStdout) -> usize {
    BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .inspect(|line| assert!(!line.contains(SECRET), "{line}"))
        .count()
}

/// What must come of an event of a kind.
fn check(kind: &str, outcome: &str, body: &str) {
    let expected = match kind {
        "runs" | "index" | "cold" => r#""verdict":"runs""#,
        "fails" => r#""verdict":"fails""#,
        "own mark" | "untagged" | "gone" => r#""verdict":"ignored""#,
        _ => "this function reads the repositories of us-west-2",
    };
    assert_eq!(outcome, if kind == "elsewhere" { "error" } else { "response" }, "{kind}: {body}");
    assert!(body.contains(expected), "{kind}: {body}");
}

#[test]
#[ignore = "takes minutes and a release build: make load"]
fn memory_does_not_grow_with_the_number_of_events() {
    let events: usize = std::env::var("EVENTS").map_or(100_000, |events| events.parse().unwrap());
    let aws = FakeAws::start();
    aws.forget();
    let mut drawn = Events::new(&aws, COLD);
    let process = Process::start(&aws);
    println!("| events | events/s | CPU ms an event | resident MiB | peak MiB |\n|--:|--:|--:|--:|--:|");
    let (mut after_warming, mut counts) = (0, BTreeMap::<&str, usize>::new());
    let began = Instant::now();
    for part in 1..=10 {
        let (start, before) = (Instant::now(), if part == 1 { 0.0 } else { process.usage().2 });
        for _ in 0..events / 10 {
            let (kind, event) = drawn.draw();
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
fn most_of_the_time_is_spent_waiting() {
    println!(
        "| every answer of AWS takes, ms | events | ms an event | CPU ms an event | waiting |\n|--:|--:|--:|--:|--:|"
    );
    for (delay, number) in [(0, 2000), (5, 400), (20, 200)] {
        let aws = FakeAws::start();
        aws.forget();
        let mut drawn = Events::new(&aws, 8);
        let process = Process::start(&aws);
        for _ in 0..200 {
            aws.invoke(drawn.draw().1);
        }
        aws.delay(Duration::from_millis(delay));
        let (start, before) = (Instant::now(), process.usage().2);
        for _ in 0..number {
            let (kind, event) = drawn.draw();
            let done = aws.invoke(event);
            check(kind, &done.outcome, &done.body);
        }
        let (wall, cpu) = (start.elapsed().as_secs_f64(), process.usage().2 - before);
        let each = |seconds: f64| seconds * 1e3 / f64::from(number);
        println!("| {delay} | {number} | {:.2} | {:.2} | {:.0}% |", each(wall), each(cpu), (1.0 - cpu / wall) * 100.0);
        assert!(cpu < wall, "one thread does it all");
        process.end();
    }
}
