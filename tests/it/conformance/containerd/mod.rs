//! Predictions against containerd and runc: `ctr` imports each image, unpacks it with the overlayfs snapshotter, and
//! starts it as its config states.

mod daemon;
mod image;
mod known;
mod outcome;
mod pattern;
mod random_images;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::{env, fmt, thread};

use daemon::Daemon;
use image::{Image, Images};
use known::KNOWN;
use outcome::{Disagreement, Outcome, Prediction, compare, predict};

/// Images that are imported and predicted at once.
const BATCH: usize = 100;
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
    daemon.import(layout, name).unwrap();
    let predictions = predict(layout, &tags);
    let left = Mutex::new(tags.iter().enumerate());
    let outcomes = Mutex::new(vec![None; tags.len()]);
    let work = || {
        let next = || left.lock().unwrap().next();
        while let Some((place, tag)) = next() {
            let outcome = daemon.run(&format!("{name}:{tag}"));
            outcomes.lock().unwrap()[place] = Some(outcome);
        }
    };
    thread::scope(|scope| (0..WORKERS).for_each(|_| drop(scope.spawn(work))));
    let outcomes = outcomes.into_inner().unwrap().into_iter().map(Option::unwrap);
    let compared = images.into_iter().zip(predictions).zip(outcomes).map(|((image, prediction), outcome)| {
        let disagreement = compare(&prediction, &outcome);
        Compared { image, prediction, outcome, disagreement }
    });
    compared.collect()
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().filter(|text| !text.is_empty()).map_or(default, |text| text.parse().unwrap())
}

#[test]
#[ignore = "needs containerd, runc, busybox-static and root: make test-containerd"]
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn random_images_start_as_predicted() {
    let (seed, images) = (number("SEED", 0), number("IMAGES", 1000));
    let daemon = Daemon::start();
    let seeds: Vec<u64> = (seed..seed + images).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for batch in seeds.chunks(BATCH) {
        let images = batch.iter().map(|seed| random_images::image(*seed)).collect();
        for one in compare_images(&daemon, &format!("b{}", batch[0]), images) {
            *counts.entry(one.summary()).or_default() += 1;
            if one.disagreement.is_some() {
                wrong.push(one);
            }
        }
    }
    let mut causes: BTreeMap<&str, usize> = KNOWN.iter().map(|known| (known.cause, 0)).collect();
    wrong.retain(|one: &Compared| match KNOWN.iter().find(|known| (known.recognize)(one)) {
        Some(known) => {
            *causes.get_mut(known.cause).unwrap() += 1;
            env::var_os("VERBOSE").is_some()
        }
        None => true,
    });
    println!("{images} images: {counts:?}\nknown disagreements: {causes:#?}");
    let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[ignore = "needs containerd, runc, busybox-static, tini, dumb-init, gosu and root: make test-containerd"]
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn realistic_images_start_as_predicted() {
    let daemon = Daemon::start();
    let mut patterns = pattern::read();
    let only = env::var("ONLY").unwrap_or_default();
    patterns.retain(|pattern| pattern.image.name.contains(&only));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut wrong, mut measured) = (Vec::new(), Vec::new());
    for (number, batch) in patterns.chunks(BATCH).enumerate() {
        let images = batch.iter().map(|pattern| pattern.image.clone()).collect();
        for (pattern, one) in batch.iter().zip(compare_images(&daemon, &format!("p{number}"), images)) {
            *counts.entry(one.summary()).or_default() += 1;
            let known = one.disagreement.map_or(String::new(), |_| format!(" !! predicted {}", one.prediction));
            let result = format!("{}{known}", one.outcome);
            if result != pattern.result {
                wrong.push(format!(
                    "{}:{}: {}: {result}",
                    pattern.file.display(),
                    pattern.line + 1,
                    pattern.image.name
                ));
            }
            measured.push(result);
        }
    }
    println!("{} realistic images: {counts:?}", patterns.len());
    if env::var_os("UPDATE_EXPECT").is_some() {
        pattern::write(patterns.iter().zip(&measured));
    } else {
        assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), patterns.len(), wrong.join("\n"));
    }
}
