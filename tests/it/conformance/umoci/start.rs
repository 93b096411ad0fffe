//! What starts from images of several layers: predicted from the layers, from the top and at the end, and compared with
//! the kernel on what umoci unpacked, and with runc.

use std::collections::BTreeMap;
use std::thread;

use ecr_preflight::exec::{ExecOutcome, Host, predict_execve};
use ecr_preflight::layers::LayerStack;
use ecr_preflight::rootfs::{FilesystemView, UnknownReason};

use super::unpacked::{Image, Question, Unpacked, unpack, working_directory_in};
use super::{file_cases, random_images, runc};
use crate::conformance::kernel::{self, answer_text, ask_kernel};

const RANDOM_IMAGES: u64 = 350;
/// The number of starts that are run by runc.
const RUNC_STARTS: usize = 48;

fn predict(stack: &LayerStack, host: Host, question: &Question, directory: Option<Vec<u8>>) -> ExecOutcome {
    let view =
        FilesystemView { files: stack, working_directory: directory, user: question.user.clone(), mounts: Vec::new() };
    predict_execve(&view, host, question.path.as_bytes())
}

#[derive(Default)]
struct Outcome {
    unpacked: Vec<Unpacked>,
    early: usize,
    counts: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

fn compare(images: impl Iterator<Item = Image>, (host, mirror): (Host, Host)) -> Outcome {
    let mut outcome = Outcome::default();
    for image in images {
        match unpack(image) {
            Ok(unpacked) => outcome.unpacked.push(unpacked),
            Err(wrong) => outcome.wrong.push(wrong),
        }
    }
    let all = || {
        outcome
            .unpacked
            .iter()
            .flat_map(|unpacked| unpacked.image.questions.iter().map(move |question| (unpacked, question)))
    };
    let places: Vec<Option<Vec<u8>>> =
        all().map(|(unpacked, question)| working_directory_in(unpacked.complete(), &question.directory)).collect();
    let questions = all().zip(&places).map(|((unpacked, question), place)| kernel::Question {
        root: unpacked.root.clone(),
        // If the image has no such directory, its root is used.
        directory: place.as_deref().unwrap_or(b""),
        path: question.path.as_bytes(),
        user: &question.user,
    });
    let kernel = ask_kernel(&questions.collect::<Vec<_>>());
    for (((unpacked, question), place), kernel) in all().zip(&places).zip(kernel) {
        let directory = Some(place.clone().unwrap_or_default());
        let plain = answer_text(&predict(unpacked.complete(), host, question, directory.clone()));
        let mirrored = answer_text(&predict(&unpacked.mirrored, mirror, question, directory));
        let known = question.known.unwrap_or(&kernel);
        let (mut early, mut early_count) = (Vec::new(), 0);
        let layers = unpacked.image.layers.len();
        for (read, stack) in unpacked.stacks[..=layers].iter().enumerate() {
            let directory =
                if place.is_none() { Some(Vec::new()) } else { working_directory_in(stack, &question.directory) };
            match predict(stack, host, question, directory) {
                ExecOutcome::Unknown { reason: UnknownReason::LayerNotRead(_), .. } => {}
                answer => early.push(answer_text(&answer)),
            }
            early_count += usize::from(read < layers && !early.is_empty());
        }
        if [&plain, &mirrored].into_iter().chain(&early).any(|answer| *answer != kernel) || known != kernel {
            let text =
                format!("kernel {kernel}, predicted {plain}, mirrored {mirrored}, early {early:?}, known {known}");
            let Image { name, layers, .. } = &unpacked.image;
            outcome.wrong.push(format!("{name}: {question:?}: {text}\n  {layers:?}"));
        }
        outcome.early += usize::from(early_count > 0);
        *outcome.counts.entry(kernel).or_insert(0) += 1;
    }
    outcome
}

#[test]
#[ignore = "needs umoci, Python 3, runc and root: make test-layers"]
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn starts_from_layers_match_the_kernel_and_runc() {
    let _guard = kernel::lock();
    let hosts = kernel::hosts();
    let half = |number: u64| {
        let random = (0..RANDOM_IMAGES).filter(|seed| seed % 2 == number).map(random_images::image);
        let named = file_cases::images().into_iter().filter(|image| image.seed % 2 == number);
        compare(named.chain(random), hosts)
    };
    let half = &half;
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let threads: Vec<_> = [0, 1].map(|number| scope.spawn(move || half(number))).into_iter().collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (mut wrong, mut counts, mut unpacked) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut early = 0;
    for outcome in outcomes {
        outcome.counts.into_iter().for_each(|(answer, count)| *counts.entry(answer).or_insert(0) += count);
        wrong.extend(outcome.wrong);
        unpacked.extend(outcome.unpacked);
        early += outcome.early;
    }
    let is_named = |unpacked: &&Unpacked| unpacked.image.seed >= file_cases::SEED;
    let named = unpacked.iter().filter(is_named).count();
    let random = unpacked.iter().filter(|unpacked| !is_named(unpacked) && unpacked.image.layers.len() > 1).count();
    let (starts, disagreeing) = runc::compare(&unpacked, hosts.0, RUNC_STARTS);
    wrong.extend(disagreeing);
    println!("{random} random and {named} named images: {counts:?}, {early} known early; by runc {starts:?}");
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert_eq!(named, file_cases::images().len(), "every named image is compared");
    assert!(random as u64 == RANDOM_IMAGES, "only {random} random images were compared");
    assert!(counts.len() > 6 && early > 1000, "too few different answers: {counts:?}, {early} early");
    assert!(starts.values().sum::<usize>() == RUNC_STARTS && starts.len() == 2, "{starts:?}");
}
