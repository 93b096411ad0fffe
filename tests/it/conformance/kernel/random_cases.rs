//! Cases from a seeded generator.

use std::rc::Rc;

use ecr_preflight::rootfs::{Permissions, User};

use super::Case;
use super::elf::{compat, foreign, own};
use super::tree::{Entry, OPEN, Tree};
use crate::support::random::Random;

/// Every header byte with other values, and every length.
pub fn altered() -> Vec<Case> {
    let mut tree = Tree::default().directory("lib").file("lib/ld", own().bytes()).file("lib/ld32", compat().bytes());
    let mut paths = vec![];
    for (kind, elf) in [("64", own().loaded_by("/lib/ld")), ("32", compat().loaded_by("/lib/ld32"))] {
        let bytes = elf.bytes();
        for length in 0..=bytes.len() {
            paths.push(format!("/{kind}-{length}"));
            tree = tree.file(&paths.last().unwrap()[1..], &bytes[..length]);
        }
        for (at, value) in (0..bytes.len()).flat_map(|at| [0, 1, 2, 3, 6, 0x7f, 0x80, 0xff].map(|value| (at, value))) {
            let mut bytes = bytes.clone();
            if std::mem::replace(&mut bytes[at], value) == value {
                continue;
            }
            // A machine without a counterpart cannot be mirrored, nor can the flags that only arm reads.
            let lonely = (18..20).contains(&at) && u16::from_le_bytes([bytes[18], bytes[19]]) == 6;
            if lonely || (kind == "32" && at == 39) {
                continue;
            }
            paths.push(format!("/{kind}-{at}-{value}"));
            tree = tree.file(&paths.last().unwrap()[1..], bytes);
        }
        for length in (0..=200).rev() {
            let mut loader = if kind == "64" { own() } else { compat() }.bytes();
            loader.resize(200, 0);
            tree = tree.file(format!("lib/{kind}-{length}"), &loader[..length]);
            let program = if kind == "64" { own() } else { compat() };
            paths.push(format!("/{kind}-loader-{length}"));
            let program = program.loaded_by(format!("/lib/{kind}-{length}")).bytes();
            tree = tree.file(&paths.last().unwrap()[1..], program);
        }
    }
    let tree = Rc::new(tree);
    paths.into_iter().map(|path| Case::new(path.clone(), tree.clone(), path)).collect()
}

/// First lines of characters with a meaning there.
pub fn lines(seed: u64) -> Vec<Case> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut tree = Tree::default().file("s", own().bytes()).directory("d").file("d/s", own().bytes()).file("t", "x");
    let mut paths = vec![];
    for place in 0..600 {
        let mut line = if random.below(20) == 0 { vec![] } else { b"#!".to_vec() };
        for _ in 0..random.below(9) {
            let words: [&[u8]; 14] =
                [b"/s", b"s", b"/d/s", b"/", b" ", b"\t", b"\n", b"\0", b"\r", b"/t", b"/d", b"/none", b"..", b"./"];
            let word = random.pick(&words);
            // Sometimes repeated, to get near the end of the buffer.
            let times = if random.below(12) == 0 { 250 / word.len() - random.below(8) } else { 1 };
            line.extend(word.repeat(times));
        }
        tree = tree.file(format!("x{place}"), line);
        paths.push(format!("/x{place}"));
    }
    let tree = Rc::new(tree);
    let case = |path: String| Case::new(format!("{path} of seed {seed}"), tree.clone(), path);
    paths.into_iter().map(case).collect()
}

/// Trees of directories, links, scripts and programs with every fault.
pub fn trees(seed: u64) -> Vec<Case> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..400).flat_map(|number| tree(&mut random, number)).collect()
}

const PLACES: [&str; 14] =
    ["a", "b", "c", "d", "d/a", "d/b", "d/c", "d/e", "d/e/a", "d/e/b", "d/e/c", "f", "f/a", "f/b"];

fn path(random: &mut Random) -> String {
    let start = *random.pick(&["/", "/", "/", "", "./", "../", "/d/../", "//", "/f/"]);
    let end = *random.pick(&["", "", "", "", "", "", "/", "/.", "/..", "/a", "/../b"]);
    format!("{start}{}{end}", random.pick(&PLACES))
}

/// The contents of a file; scripts and programs name a path.
pub fn bytes(random: &mut Random, path: impl Fn(&mut Random) -> String) -> Vec<u8> {
    let elf = random.pick(&[own, own, own, foreign, compat])();
    let mut bytes = match random.below(10) {
        0 => vec![],
        1 => b"echo hello\n".to_vec(),
        2..=4 => format!("#!{}{}", path(random), random.pick(&["\n", " -x\n", "", "\r\n", "\t\n"])).into_bytes(),
        5..=6 => elf.loaded_by(path(random)).bytes(),
        _ => elf.bytes(),
    };
    if random.below(8) == 0 && !bytes.is_empty() {
        let at = random.below(bytes.len().min(120));
        bytes[at] = *random.pick(&[0, 1, 2, 4, 0x20, 0x56, 0xff]);
    }
    if random.below(12) == 0 {
        bytes.truncate(random.below(bytes.len() + 1));
    }
    bytes
}

pub fn owner(random: &mut Random) -> Permissions {
    let mode = *random.pick(&[0o755, 0o755, 0o755, 0o755, 0o700, 0o711, 0o070, 0o644, 0o111, 0o655, 0o750]);
    Permissions { mode, uid: *random.pick(&[0, 10]), gid: *random.pick(&[0, 20]) }
}

fn tree(random: &mut Random, number: usize) -> Vec<Case> {
    let mut tree = Tree::default();
    let mut directories = vec![String::new()];
    for place in PLACES {
        let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
        if !directories.contains(&parent) {
            continue;
        }
        let is_directory = matches!(place, "d" | "d/e" | "f") && random.below(5) > 0;
        let entry = match random.below(12) {
            _ if is_directory => {
                directories.push(place.to_owned());
                Entry::Directory
            }
            0 => continue,
            1..=4 => Entry::Link(path(random).into_bytes()),
            _ => Entry::File(bytes(random, path)),
        };
        let owner = if random.below(3) == 0 { owner(random) } else { OPEN };
        tree = tree.with(place, owner, entry);
    }
    let tree = Rc::new(tree);
    let ask = |place: usize| {
        let user = random.pick(&[(0, 0), (0, 0), (10, 20), (11, 20), (12, 21)]);
        let user = User::Exact { uid: user.0, gid: user.1, supplementary_gids: vec![] };
        let directory = random.pick(&directories).clone().into_bytes();
        let path = path(random);
        let name = format!("tree {number}, question {place}: {path} from {directory:?} as {user:?} in {tree:?}");
        Case { directory, user, ..Case::new(name, tree.clone(), path) }
    };
    (0..8).map(ask).collect()
}
