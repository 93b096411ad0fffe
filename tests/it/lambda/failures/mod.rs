//! Every outward call, and everything that can go wrong with it, as one page: `docs/failures.md`.
//!
//! Each cell is a walk of the function through its real clients against a small AWS on this machine. Waiting is hurried:
//! the bounds in time are divided, all by the same number, for the failures that run into them.

mod cell;
mod checks;
mod detour;
mod faults;
mod object;
mod page;
mod patience;
mod said;
mod stages;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use expect_test::expect_file;

use self::cell::Cell;
use self::faults::{Failure, takes_time};
use self::stages::{Stage, stages};

/// How many cells are walked beside each other of those that end at once.
const BESIDE: usize = 4;

/// How long after each other those begin that wait.
const APART: Duration = Duration::from_millis(80);

/// How often faster time runs out than in the function.
const HURRIED: u32 = 3;

/// One row of the table.
type Row<'a> = (&'a Stage, Failure);

/// Walks all of them; gives them back in their order. Those that wait for time to run out begin one after the other, and
/// all wait together: were they to begin at once, their time would run out while they wait for the processor.
fn walk(rows: &[Row<'_>], speed: u32) -> Vec<Cell> {
    let (slow, quick): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|at| takes_time(rows[*at].1.fault));
    let (next, cells) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let walk = |at: usize| {
        let cell = cell::walk(rows[at].0, rows[at].1, speed);
        cells.lock().unwrap().push((at, cell));
    };
    std::thread::scope(|scope| {
        for (place, at) in (0..).zip(slow) {
            let walk = &walk;
            scope.spawn(move || {
                std::thread::sleep(APART * place);
                walk(at);
            });
        }
        for _ in 0..BESIDE {
            scope.spawn(|| {
                while let Some(at) = quick.get(next.fetch_add(1, Ordering::Relaxed)) {
                    walk(*at);
                }
            });
        }
    });
    let mut cells = cells.into_inner().unwrap();
    cells.sort_by_key(|(at, _)| *at);
    cells.into_iter().map(|(_, cell)| cell).collect()
}

/// Holds the page against what is walked at this speed.
fn holds(speed: u32) {
    let stages = stages();
    let rows: Vec<Row<'_>> =
        stages.iter().flat_map(|stage| stage.failures.iter().map(move |failure| (stage, *failure))).collect();
    // What is written is never what a hurried clock has shown.
    let speed = if std::env::var_os("UPDATE_EXPECT").is_some() { 1 } else { speed };
    let mut cells = walk(&rows, speed);
    let kept = std::fs::read_to_string(page::PATH).unwrap_or_default();
    // On a machine that is busy elsewhere, time may run out for another reason. What differs of the rows that take time
    // is walked again in the function's own, and that counts.
    let is_odd = |at: &usize| {
        let (stage, failure) = rows[*at];
        takes_time(failure.fault) && !page::section(&kept, stage).contains(&page::row(failure, &cells[*at]))
    };
    let odd: Vec<usize> = (0..rows.len()).filter(is_odd).collect();
    let again: Vec<Row<'_>> = odd.iter().map(|at| rows[*at]).collect();
    for (at, cell) in odd.iter().zip(walk(&again, 1)) {
        cells[*at] = cell;
    }
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/docs/failures.md")].assert_eq(&page::page(&rows, &cells));
}

#[test]
fn every_failure_of_every_call_ends_as_the_page_of_faults_says() {
    holds(HURRIED);
}

#[test]
#[ignore = "takes half a minute; run by `make test-faults`"]
fn every_failure_ends_so_in_the_function_s_own_time() {
    holds(1);
}
