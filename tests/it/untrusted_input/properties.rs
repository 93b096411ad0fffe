//! What must hold of every input, held against some hundred of each kind: the same functions that the fuzzers call, with
//! bytes of any kind, and with seeds of which some bytes were changed.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

use crate::untrusted_input::corpus::seeds;

#[allow(clippy::duplicate_mod, dead_code, reason = "it is the fuzzers', who need it whole")]
#[path = "../../../fuzz/src/lib.rs"]
mod oracle;

const CASES: u32 = 200;

fn holds(target: &str, check: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 2, "{target} has seeds");
    seeds.iter().for_each(|seed| check(seed));
    let changed = (select(seeds), vec((any::<Index>(), any::<u8>()), 1..6), any::<Index>()).prop_map(
        |(mut bytes, changes, end)| {
            for (index, byte) in changes {
                let at = index.index(bytes.len().max(1));
                bytes.get_mut(at).into_iter().for_each(|place| *place = byte);
            }
            // Now and then it is cut off.
            let end = end.index(4 * bytes.len() + 1);
            bytes.truncate(end);
            bytes
        },
    );
    let inputs = prop_oneof![1 => vec(any::<u8>(), 0..400), 3 => changed];
    // The same cases on every machine; the fuzzers look for others.
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner =
        TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()));
    let checked = runner.run(&inputs, |input| {
        check(&input);
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{target}: {error}"));
}

macro_rules! properties {
    ($($name:ident: $target:ident,)*) => {
        /// Every oracle, by the name of its fuzzer.
        pub const TARGETS: &[&str] = &[$(stringify!($target)),*];
        $(
            #[test]
            fn $name() {
                holds(stringify!($target), oracle::$target);
            }
        )*
    };
}

properties! {
    names_are_printed_as_they_are_kept_and_read_again_alike: reference,
    declarations_name_each_runtime_once_and_the_first_source_decides: intent,
    events_are_arrivals_or_ignored_with_a_reason_or_refused_in_words: event,
    manifests_are_read_within_their_bounds: manifest,
    configs_are_read_within_their_bounds: config,
    every_face_of_a_report_is_plain_and_its_json_is_read_again: report,
    layers_are_read_alike_in_whatever_pieces_they_arrive: layer,
    sound_archives_are_read_as_the_crate_tar_does_and_however_compressed: archive,
    stacks_say_early_what_layers_make_in_the_end: stack,
    what_is_asked_of_any_files_is_answered_within_the_bounds: execve,
    first_lines_name_what_stands_in_them_and_nothing_behind_counts: script,
    programs_are_kept_alike_in_whatever_pieces_they_arrive: elf,
    command_strings_start_something_or_nothing_is_said: shell,
    any_file_may_be_taken_for_an_archive_of_images: saved,
}

#[test]
fn every_fuzzer_has_its_property_and_its_seeds() {
    let files = std::fs::read_dir("fuzz/fuzz_targets").unwrap();
    let mut fuzzers: Vec<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut properties: Vec<String> = TARGETS.iter().map(ToString::to_string).collect();
    fuzzers.sort();
    properties.sort();
    assert_eq!(fuzzers, properties);
}
