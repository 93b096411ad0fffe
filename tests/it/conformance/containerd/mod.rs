//! Predictions against containerd and runc: `ctr` imports each image, unpacks it with the overlayfs snapshotter, and
//! starts it as its config states.
//!
//! `SEED` and `IMAGES` select random images; `ONLY` selects realistic ones by a part of their name. `VERBOSE` prints
//! every image of which something is not predicted, with all that is needed to reproduce it. `UPDATE_EXPECT` writes what
//! happened into the table of realistic images.
#![allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]

mod built_images;
mod damage;
mod daemon;
mod docker;
mod image;
mod known;
mod outcome;
mod pattern;
mod random_images;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::{env, fmt, thread};

use daemon::Daemon;
use docker::Docker;
use expect_test::expect_file;
use image::{Image, Images};
use known::KNOWN;
use outcome::{Disagreement, Outcome, Prediction, compare, is_missed, predict};
use pattern::Pattern;

use crate::support::registry::{Auth, REPOSITORY, Registry};

/// Images that are imported and predicted at once.
const BATCH: usize = 100;
/// Random images of a run, and of a part that is reported.
const STANDARD_IMAGES: u64 = 1000;
/// Containers that run at once; each mostly waits.
const WORKERS: usize = 4;

/// An image, its prediction, and what happened to it.
struct Compared {
    image: Image,
    prediction: Prediction,
    outcome: Outcome,
    disagreement: Option<Disagreement>,
}

impl Compared {
    fn summary(&self) -> String {
        let predicted = match self.prediction {
            Prediction::Starts => "starts",
            Prediction::Fails { .. } => "fails",
            Prediction::Unknown(_) => "unknown",
        };
        let happened = match self.outcome {
            Outcome::Started => "started",
            Outcome::Ended(..) => "ended",
            Outcome::NotStarted(_) => "not started",
            Outcome::Refused(_) => "refused",
        };
        format!("{predicted}/{happened}")
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, prediction, outcome, disagreement } = self;
        write!(formatter, "{disagreement:?}: predicted {prediction}, {outcome}\n  {image}")
    }
}

/// Compares images.
fn compare_images(daemon: &Daemon, name: &str, images: Vec<Image>) -> Vec<Compared> {
    let mut stored = Images::new();
    let tags: Vec<String> = (0..images.len()).map(|number| format!("i{number}")).collect();
    images.iter().zip(&tags).for_each(|(image, tag)| stored.add(image, tag));
    let layout = stored.layout.path();
    let predictions = predict(layout, &tags);
    daemon.import(layout, name).unwrap();
    let outcomes = run_images(&tags, |tag| daemon.run(&format!("{name}:{tag}")));
    let compared = images.into_iter().zip(predictions).zip(outcomes).map(|((image, prediction), outcome)| {
        let disagreement = compare(&prediction, &outcome);
        Compared { image, prediction, outcome, disagreement }
    });
    compared.collect()
}

/// Compares an image that may be refused, which is pulled from a registry.
fn compare_damaged(daemon: &Daemon, image: Image) -> Compared {
    let mut stored = Images::new();
    stored.add(&image, "damaged");
    let prediction = predict(stored.layout.path(), &["damaged".to_owned()]).remove(0);
    let registry = Registry::new(&stored.layout, Auth::None);
    let reference = format!("{}/{REPOSITORY}:damaged", registry.address());
    let outcome = match daemon.pull(&reference) {
        Ok(()) => daemon.run(&reference),
        Err(refusal) => Outcome::of(1, "", &refusal, false),
    };
    let disagreement = compare(&prediction, &outcome);
    Compared { image, prediction, outcome, disagreement }
}

fn run_images(tags: &[String], run: impl Fn(&str) -> Outcome + Sync) -> Vec<Outcome> {
    let left = Mutex::new(tags.iter().enumerate());
    let outcomes = Mutex::new(vec![None; tags.len()]);
    let work = || {
        let next = || left.lock().unwrap().next();
        while let Some((place, tag)) = next() {
            let outcome = run(tag);
            outcomes.lock().unwrap()[place] = Some(outcome);
        }
    };
    thread::scope(|scope| (0..WORKERS).for_each(|_| drop(scope.spawn(work))));
    outcomes.into_inner().unwrap().into_iter().map(Option::unwrap).collect()
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().filter(|text| !text.is_empty()).map_or(default, |text| text.parse().unwrap())
}

/// How often each prediction had each outcome.
#[derive(Debug, Default)]
struct Counts {
    outcomes: BTreeMap<String, usize>,
    disagreements: BTreeMap<Disagreement, usize>,
    missed: usize,
    unknown_failures: usize,
}

impl Counts {
    fn add(&mut self, one: &Compared) {
        *self.outcomes.entry(one.summary()).or_default() += 1;
        one.disagreement.into_iter().for_each(|kind| *self.disagreements.entry(kind).or_default() += 1);
        let is_missed = is_missed(&one.prediction, &one.outcome);
        let is_failure = matches!(one.outcome, Outcome::Refused(_) | Outcome::NotStarted(_));
        let is_unknown = matches!(one.prediction, Prediction::Unknown(_)) && is_failure;
        self.missed += usize::from(is_missed);
        self.unknown_failures += usize::from(is_unknown);
        if env::var_os("VERBOSE").is_some() && (is_missed || is_unknown) {
            println!("not predicted: {one}");
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcomes, disagreements, missed, unknown_failures } = self;
        let unknown: usize =
            outcomes.iter().filter(|(key, _)| key.starts_with("unknown")).map(|(_, count)| count).sum();
        let agreeing = outcomes.values().sum::<usize>() - unknown - disagreements.values().sum::<usize>();
        writeln!(formatter, "{agreeing} agree, {unknown} unknown; disagreements: {disagreements:?}")?;
        writeln!(formatter, "predicted/happened: {outcomes:?}")?;
        write!(formatter, "failures that are unknown: {unknown_failures}; of later programs, not predicted: {missed}")
    }
}

#[test]
#[ignore = "needs containerd, runc, tini, busybox-static and root: make test-containerd"]
fn random_images_start_as_predicted() {
    let (seed, images) = (number("SEED", 0), number("IMAGES", STANDARD_IMAGES));
    let daemon = Daemon::start();
    let seeds: Vec<u64> = (seed..seed + images).collect();
    let (mut counts, mut wrong) = (Counts::default(), Vec::new());
    let mut causes: BTreeMap<&str, usize> = KNOWN.iter().map(|known| (known.cause, 0)).collect();
    for batch in seeds.chunks(BATCH) {
        if batch[0] > seed && (batch[0] - seed) % STANDARD_IMAGES == 0 {
            println!("{} images, {} disagree: {counts}", batch[0] - seed, wrong.len());
        }
        let images = batch.iter().map(|seed| random_images::image(*seed)).collect();
        for one in compare_images(&daemon, &format!("b{}", batch[0]), images) {
            counts.add(&one);
            if one.disagreement.is_none() {
                continue;
            }
            match KNOWN.iter().find(|known| (known.recognize)(&one)) {
                Some(known) => {
                    *causes.get_mut(known.cause).unwrap() += 1;
                    if env::var_os("VERBOSE").is_some() {
                        println!("{}: {one}", known.cause);
                    }
                }
                None => {
                    println!("unknown cause: {one}");
                    wrong.push(one.image.name);
                }
            }
        }
    }
    println!("{images} random images: {counts}\nknown disagreements: {causes:#?}");
    assert!(wrong.is_empty(), "{} disagree: {}", wrong.len(), wrong.join(", "));
    // The table of realistic images is exact. A cause that neither it nor the standard images have is fixed.
    let patterns = pattern::read();
    let is_in_table =
        |cause: &str| patterns.iter().any(|pattern| pattern.known.as_ref().is_some_and(|(_, known)| known == cause));
    let is_standard = seed == 0 && images >= STANDARD_IMAGES;
    let is_fixed = |(cause, count): &(&&str, &usize)| is_standard && **count == 0 && !is_in_table(cause);
    let fixed: Vec<&str> = causes.iter().filter(is_fixed).map(|(cause, _)| *cause).collect();
    assert!(fixed.is_empty(), "fixed, to be removed from `known.rs`: {fixed:?}");
}

#[test]
#[ignore = "needs containerd, runc, busybox-static, tini, dumb-init, gosu, catatonit and root: make test-containerd"]
fn realistic_images_start_as_predicted() {
    let daemon = Daemon::start();
    let mut patterns = pattern::read();
    let only = env::var("ONLY").unwrap_or_default();
    patterns.retain(|pattern| pattern.image.name.contains(&only));
    let (mut counts, mut wrong, mut measured) = (Counts::default(), Vec::new(), Vec::new());
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    let is_batch = |one: &Pattern, next: &Pattern| one.image.damage.is_none() && next.image.damage.is_none();
    let batches = patterns.chunk_by(is_batch).flat_map(|patterns| patterns.chunks(BATCH));
    for (number, batch) in batches.enumerate() {
        let images: Vec<Image> = batch.iter().map(|pattern| pattern.image.clone()).collect();
        let compared = match &images[..] {
            [image] if image.damage.is_some() => vec![compare_damaged(&daemon, image.clone())],
            _ => compare_images(&daemon, &format!("p{number}"), images),
        };
        for (pattern, one) in batch.iter().zip(compared) {
            counts.add(&one);
            let result = (one.outcome.to_string(), one.disagreement.map(|_| one.prediction.to_string()));
            let Pattern { result: expected, known, file, line, image } = pattern;
            let known_prediction = known.as_ref().map(|(prediction, cause)| {
                *causes.entry(cause.as_str()).or_default() += 1;
                prediction.as_str()
            });
            if (result.0.as_str(), result.1.as_deref()) != (expected.as_str(), known_prediction) {
                let (outcome, disagreement, prediction) = (&result.0, one.disagreement, &one.prediction);
                let at = format!("{}:{}: {}", file.display(), line + 1, image.name);
                wrong.push(format!("{at}: {outcome}, {disagreement:?}, predicted {prediction}"));
            }
            measured.push(result);
        }
    }
    println!("{} realistic images: {counts}\nknown disagreements: {causes:#?}", patterns.len());
    if env::var_os("UPDATE_EXPECT").is_some() {
        pattern::write(patterns.iter().zip(&measured));
    } else {
        assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), patterns.len(), wrong.join("\n"));
    }
}

/// Docker Engine unpacks with its overlay2 driver and has rules of its own for a config.
#[test]
#[ignore = "needs docker.io, tini and root: make test-docker"]
fn realistic_images_start_alike_in_docker() {
    let docker = Docker::start();
    let mut patterns = pattern::read();
    let only = env::var("ONLY").unwrap_or_default();
    patterns.retain(|pattern| pattern.image.name.contains(&only));
    let is_batch = |one: &Pattern, next: &Pattern| one.image.damage.is_none() && next.image.damage.is_none();
    let (mut differences, mut false_alarms, mut false_passes, mut agreeing) = (String::new(), 0, 0, 0);
    for batch in patterns.chunk_by(is_batch).flat_map(|patterns| patterns.chunks(BATCH)) {
        let mut stored = Images::without_zstd();
        let tags: Vec<String> = (0..batch.len()).map(|number| format!("i{number}")).collect();
        batch.iter().zip(&tags).for_each(|(pattern, tag)| stored.add(&pattern.image, tag));
        let predictions = predict(stored.layout.path(), &tags);
        let registry = Registry::new(&stored.layout, Auth::None);
        let outcomes = run_images(&tags, |tag| docker.run(&format!("{}/{REPOSITORY}:{tag}", registry.address())));
        for ((pattern, prediction), outcome) in batch.iter().zip(predictions).zip(outcomes) {
            let starts = matches!(outcome, Outcome::Started | Outcome::Ended(..));
            let starts_in_containerd = pattern.result == "started" || pattern.result.starts_with("ended");
            let disagreement = compare(&prediction, &outcome);
            let is_false_alarm = disagreement == Some(Disagreement::FalseAlarm);
            let is_false_pass = disagreement == Some(Disagreement::FalsePass);
            false_alarms += usize::from(is_false_alarm);
            false_passes += usize::from(is_false_pass);
            agreeing += usize::from(!matches!(prediction, Prediction::Unknown(_)) && !is_false_alarm && !is_false_pass);
            // What disagrees with containerd in the same way is in the table.
            let is_new = (is_false_alarm || is_false_pass) && pattern.known.is_none();
            if starts != starts_in_containerd || is_new {
                let file = pattern.file.file_name().unwrap().to_string_lossy();
                let predicted = match prediction {
                    Prediction::Starts => "starts".to_owned(),
                    Prediction::Fails { fault, .. } => fault,
                    Prediction::Unknown(_) => "unknown".to_owned(),
                };
                let word = |starts: bool| if starts { "starts" } else { "does not start" };
                let (here, there) = (word(starts), word(starts_in_containerd));
                differences += &format!(
                    "{file}: {}: Docker: {here}; containerd: {there}; predicted: {predicted}\n",
                    pattern.image.name
                );
                println!("{}: Docker: {outcome}; containerd: {}", pattern.image.name, pattern.result);
            }
        }
    }
    println!(
        "{} realistic images: {agreeing} agree, {false_alarms} false alarms, {false_passes} false passes",
        patterns.len()
    );
    if only.is_empty() {
        expect_file!["docker_differences.txt"].assert_eq(&differences);
    }
}
