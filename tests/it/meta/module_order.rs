//! The house: one room knows only the rooms above it, and says at its door what it is.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let within = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(within).filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The rooms, in the reading order of `lib.rs`.
fn rooms() -> Vec<String> {
    let lib = fs::read_to_string("src/lib.rs").unwrap();
    lib.lines()
        .filter_map(|line| {
            Some(line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
        })
        .collect()
}

/// The room that a file belongs to.
fn room(file: &Path) -> String {
    let path = file.strip_prefix("src").unwrap();
    path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn one_room_knows_only_the_rooms_above_it() {
    let rooms = rooms();
    assert!(rooms.len() > 10, "lib.rs lists the rooms");
    let place = |name: &str| rooms.iter().position(|room| room == name);
    for file in
        sources(Path::new("src")).iter().filter(|file| !file.starts_with("src/bin") && !file.ends_with("lib.rs"))
    {
        let own = place(&room(file)).unwrap_or_else(|| panic!("{} belongs to no room of lib.rs", file.display()));
        let text = fs::read_to_string(file).unwrap();
        for word in text.split("crate::").skip(1) {
            let known = word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
            let Some(other) = place(known) else { continue };
            assert!(other <= own, "{} knows {known}, which stands below it in lib.rs", file.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_what_it_does_not_know() {
    for file in sources(Path::new("src")).iter().filter(|file| !file.ends_with("lib.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let door: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(door.len() >= 3, "{} says too little at its door", file.display());
        let without = door.iter().any(|line| line.contains("Does n"));
        assert!(without, "{} does not say what it leaves out", file.display());
    }
}

#[test]
fn the_pure_rooms_do_no_input_or_output() {
    for room in ["text", "name", "platform", "runtime", "event", "intent", "verdict", "report", "settings"] {
        let file = PathBuf::from(format!("src/{room}.rs"));
        let files = if file.exists() { vec![file] } else { sources(&PathBuf::from(format!("src/{room}"))) };
        assert!(!files.is_empty(), "{room} is a room");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for word in
                ["async ", "await", "std::env", "std::fs", "std::io", "std::time", "tokio", "aws_sdk", "aws_smithy"]
            {
                assert!(!text.contains(word), "{} is to be pure, but has `{word}`", file.display());
            }
        }
    }
}
