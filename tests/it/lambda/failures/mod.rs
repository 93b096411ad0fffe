//! Every outgoing call, and everything that can go wrong with it, as one page: `docs/failures.md`.
//!
//! Each row is an invocation of the function with its real clients, against a fake AWS. For failures that run into a
//! timeout, all timeouts are divided by the same number.

mod answer_text;
pub mod faults;
mod invariants;
pub mod invocation;
mod page;
pub mod sections;
mod target;
pub mod timeouts;
pub mod unreachable_host;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use expect_test::expect_file;

use self::faults::{Failure, takes_time};
use self::invocation::Answer;
use self::sections::{Section, sections};

/// How many invocations without a timeout run concurrently.
const WORKERS: usize = 4;

/// The interval between the starts of invocations with a timeout.
const START_INTERVAL: Duration = Duration::from_millis(80);

/// By how much timeouts are divided.
const SPEED: u32 = 3;

/// One row of the page.
type Row<'a> = (&'a Section, Failure);

/// Runs all invocations and returns their results in order. Those that run into a timeout start one after the other and
/// wait concurrently: if they started at once, their timeouts would expire while they wait for the processor.
fn invoke_all(rows: &[Row<'_>], speed: u32) -> Vec<Answer> {
    let (slow, quick): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|at| takes_time(rows[*at].1.fault));
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let invoke = |at: usize| {
        let answer = invocation::invoke(rows[at].0, rows[at].1, speed);
        answers.lock().unwrap().push((at, answer));
    };
    std::thread::scope(|scope| {
        for (place, at) in (0..).zip(slow) {
            let invoke = &invoke;
            scope.spawn(move || {
                std::thread::sleep(START_INTERVAL * place);
                invoke(at);
            });
        }
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(at) = quick.get(next.fetch_add(1, Ordering::Relaxed)) {
                    invoke(*at);
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap();
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Compares the page with invocations at this speed.
fn compare_with_page(speed: u32) {
    let sections = sections();
    let rows: Vec<Row<'_>> =
        sections.iter().flat_map(|section| section.failures.iter().map(move |failure| (section, *failure))).collect();
    // The page is only ever written from invocations with full timeouts.
    let speed = if std::env::var_os("UPDATE_EXPECT").is_some() { 1 } else { speed };
    let mut answers = invoke_all(&rows, speed);
    let kept = std::fs::read_to_string(page::PATH).unwrap_or_default();
    // On a busy machine, a timeout may expire for another reason. Rows with a timeout that differ are run again with
    // full timeouts, and that result counts.
    let is_different = |at: &usize| {
        let (section, failure) = rows[*at];
        takes_time(failure.fault) && !page::section(&kept, section).contains(&page::row(failure, &answers[*at]))
    };
    let different: Vec<usize> = (0..rows.len()).filter(is_different).collect();
    let again: Vec<Row<'_>> = different.iter().map(|at| rows[*at]).collect();
    for (at, answer) in different.iter().zip(invoke_all(&again, 1)) {
        answers[*at] = answer;
    }
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/docs/failures.md")].assert_eq(&page::page(&rows, &answers));
}

#[test]
fn call_failures_match_the_page() {
    compare_with_page(SPEED);
}

#[test]
#[ignore = "takes half a minute; run by `make test-faults`"]
fn call_failures_match_the_page_at_full_timeouts() {
    compare_with_page(1);
}
