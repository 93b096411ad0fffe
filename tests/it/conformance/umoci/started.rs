//! What starts from images of several layers: asked of the layers as names, from the top and in the end, of the kernel
//! over what umoci makes of them on disk, and of runc.

use std::collections::BTreeMap;
use std::thread;

use ecr_preflight::exec::{ExecOutcome, Host, predict_execve};
use ecr_preflight::layers::LayerStack;
use ecr_preflight::rootfs::{FilesystemView, UnknownReason};

use super::laid::{Image, Laid, Question, laid, place};
use super::{drawn, named, run};
use crate::conformance::kernel::{self, answers, told};

const DRAWN: u64 = 350;
/// At least so many of the drawn ones can be laid out, and so many starts are runc's.
const COMPARED: usize = 300;
const STARTS: usize = 48;

fn predicted(stack: &LayerStack, host: Host, question: &Question, directory: Option<Vec<u8>>) -> ExecOutcome {
    let view =
        FilesystemView { files: stack, working_directory: directory, user: question.user.clone(), mounts: Vec::new() };
    predict_execve(&view, host, question.path.as_bytes())
}

#[derive(Default)]
struct Outcome {
    laid: Vec<Laid>,
    refused: usize,
    early: usize,
    tally: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

fn compared(images: impl Iterator<Item = Image>, (host, mirror): (Host, Host)) -> Outcome {
    let mut outcome = Outcome::default();
    for image in images {
        match laid(image) {
            Ok(Some(laid)) => outcome.laid.push(laid),
            Ok(None) => outcome.refused += 1,
            Err(wrong) => outcome.wrong.push(wrong),
        }
    }
    let all = || outcome.laid.iter().flat_map(|laid| laid.image.questions.iter().map(move |question| (laid, question)));
    let places: Vec<Option<Vec<u8>>> = all().map(|(laid, question)| place(laid.whole(), &question.directory)).collect();
    let asked = all().zip(&places).map(|((laid, question), place)| kernel::Question {
        root: laid.root.clone(),
        // Where the image has no such directory, its root will do.
        directory: place.as_deref().unwrap_or(b""),
        path: question.path.as_bytes(),
        user: &question.user,
    });
    let kernel = answers(&asked.collect::<Vec<_>>());
    for (((laid, question), place), kernel) in all().zip(&places).zip(kernel) {
        let directory = Some(place.clone().unwrap_or_default());
        let plain = told(&predicted(laid.whole(), host, question, directory.clone()));
        let mirrored = told(&predicted(&laid.mirrored, mirror, question, directory));
        let known = question.known.unwrap_or(&kernel);
        let (mut early, mut told_before) = (Vec::new(), 0);
        let layers = laid.image.layers.len();
        for (read, stack) in laid.stacks[..=layers].iter().enumerate() {
            let directory = if place.is_none() { Some(Vec::new()) } else { self::place(stack, &question.directory) };
            match predicted(stack, host, question, directory) {
                ExecOutcome::Unknown { reason: UnknownReason::LayerNotRead(_), .. } => {}
                answer => early.push(told(&answer)),
            }
            told_before += usize::from(read < layers && !early.is_empty());
        }
        if [&plain, &mirrored].into_iter().chain(&early).any(|answer| *answer != kernel) || known != kernel {
            let said =
                format!("kernel {kernel}, predicted {plain}, mirrored {mirrored}, early {early:?}, known {known}");
            let Image { name, layers, .. } = &laid.image;
            outcome.wrong.push(format!("{name}: {question:?}: {said}\n  {layers:?}"));
        }
        outcome.early += usize::from(told_before > 0);
        *outcome.tally.entry(kernel).or_insert(0) += 1;
    }
    outcome
}

#[test]
#[ignore = "needs umoci, Python 3, runc and root: make test-layers"]
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn layers_are_answered_as_the_kernel_and_runc_answer_what_umoci_makes_of_them() {
    let _alone = kernel::alone();
    let hosts = kernel::hosts();
    let half = |number: u64| {
        let drawn = (0..DRAWN).filter(|seed| seed % 2 == number).map(drawn::image);
        let named = named::images().into_iter().filter(|image| image.seed % 2 == number);
        compared(named.chain(drawn), hosts)
    };
    let half = &half;
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let threads: Vec<_> = [0, 1].map(|number| scope.spawn(move || half(number))).into_iter().collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (mut wrong, mut tally, mut laid) = (Vec::new(), BTreeMap::new(), Vec::new());
    let (mut refused, mut early) = (0, 0);
    for outcome in outcomes {
        outcome.tally.into_iter().for_each(|(answer, count)| *tally.entry(answer).or_insert(0) += count);
        wrong.extend(outcome.wrong);
        laid.extend(outcome.laid);
        refused += outcome.refused;
        early += outcome.early;
    }
    let is_named = |laid: &&Laid| laid.image.seed >= named::SEED;
    let named = laid.iter().filter(is_named).count();
    let drawn = laid.iter().filter(|laid| !is_named(laid) && laid.image.layers.len() > 1).count();
    let (starts, disagreeing) = run::compared(&laid, hosts.0, STARTS);
    wrong.extend(disagreeing);
    println!(
        "{drawn} drawn and {named} named images, {refused} refused by both: {tally:?}, {early} told early; by runc {starts:?}"
    );
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert_eq!(named, named::images().len(), "every named image is compared");
    assert!(drawn >= COMPARED && refused > 0, "only {drawn} drawn images were compared, {refused} refused");
    assert!(
        tally.len() > 6 && early > 1000,
        "these cases hardly tell one answer from another: {tally:?}, {early} early"
    );
    assert!(starts.values().sum::<usize>() == STARTS && starts.len() == 2, "{starts:?}");
}
