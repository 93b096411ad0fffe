//! Properties that hold for every input, checked with a few hundred inputs each: the functions that the fuzzers call,
//! with random bytes and with mutated seeds.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

use crate::untrusted_input::fuzz_seeds::seeds;

#[allow(clippy::duplicate_mod, dead_code, reason = "it is the fuzzers', who need it whole")]
#[path = "../../../fuzz/src/lib.rs"]
mod oracle;

const CASES: u32 = 200;

fn check_property(target: &str, check: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 2, "{target} has seeds");
    seeds.iter().for_each(|seed| check(seed));
    let changed = (select(seeds), vec((any::<Index>(), any::<u8>()), 1..6), any::<Index>()).prop_map(
        |(mut bytes, changes, end)| {
            for (index, byte) in changes {
                let at = index.index(bytes.len().max(1));
                bytes.get_mut(at).into_iter().for_each(|place| *place = byte);
            }
            // Sometimes truncated.
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
        /// Every property, by the name of its fuzzer.
        pub const TARGETS: &[&str] = &[$(stringify!($target)),*];
        $(
            #[test]
            fn $name() {
                check_property(stringify!($target), oracle::$target);
            }
        )*
    };
}

properties! {
    names_round_trip: reference,
    declarations_are_unique_and_first_source_wins: intent,
    events_are_arrivals_ignored_or_errors: event,
    manifests_are_read_within_limits: manifest,
    configs_are_read_within_limits: config,
    report_formats_are_escaped_and_json_round_trips: report,
    layers_do_not_depend_on_chunking: layer,
    valid_archives_match_the_tar_crate: archive,
    layer_stacks_match_applied_layers: stack,
    execve_prediction_stays_within_limits: execve,
    shebang_lines_end_at_their_limit: script,
    programs_do_not_depend_on_chunking: elf,
    shell_commands_are_parsed_or_unknown: shell,
    any_bytes_can_be_read_as_an_archive: saved,
}

#[test]
fn every_fuzzer_has_a_property() {
    let files = std::fs::read_dir("fuzz/fuzz_targets").unwrap();
    let mut fuzzers: Vec<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut properties: Vec<String> = TARGETS.iter().map(ToString::to_string).collect();
    fuzzers.sort();
    properties.sort();
    assert_eq!(fuzzers, properties);
}
