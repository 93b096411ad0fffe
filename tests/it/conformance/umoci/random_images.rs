//! Random images as programs are shipped: a base with a shell and a loader, and layers that change it.

use std::collections::{BTreeMap, BTreeSet};

use ecr_preflight::rootfs::{Permissions, User};

use super::layer::{EntryKind, Layer};
use super::unpacked::{Image, Question};
use crate::conformance::kernel::elf::{foreign, own};
use crate::conformance::kernel::random_cases::{bytes, owner};
use crate::conformance::kernel::tree::OPEN;
use crate::support::random::Random;

const DIRECTORIES: [&str; 9] = ["usr", "usr/bin", "usr/lib", "bin", "lib", "app", "app/bin", "opt", "opt/d"];
const NAMES: [&str; 6] = ["sh", "ld", "env", "run", "x", "go"];

fn random_place(random: &mut Random) -> String {
    match random.below(12) {
        0 => random.pick(&DIRECTORIES).to_string(),
        1 => random.pick(&NAMES).to_string(),
        2 => format!("opt/{}/{}", "n".repeat(120), random.pick(&NAMES)),
        3..=5 => random.pick(&["usr/bin/sh", "usr/lib/ld", "app/run", "bin/sh", "lib/ld"]).to_string(),
        _ => format!("{}/{}", random.pick(&DIRECTORIES), random.pick(&NAMES)),
    }
}

/// A path as a script, a program, a link or an entrypoint names it.
fn random_path(random: &mut Random) -> String {
    let start = *random.pick(&["/", "/", "/", "/", "/", "", "./", "../", "//", "/bin/../", "/app/./", "../../"]);
    format!("{start}{}", random_place(random))
}

fn program(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => foreign().bytes(),
        1..=3 => own().loaded_by("/lib/ld").bytes(),
        _ => own().bytes(),
    }
}

/// The contents of a file: mostly a program or script that starts if the file that it names does.
fn contents(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0..=1 => program(random),
        2..=3 => format!("#!/bin/sh{}", random.pick(&["\n", "", " -e\n", "\r\n"])).into_bytes(),
        4 => own().loaded_by(*random.pick(&["/lib/ld", "lib/ld", "/usr/lib/ld", "/lib/../lib/./ld"])).bytes(),
        _ => {
            let mut bytes = bytes(random, random_path);
            // The version of arm's EABI, which only arm reads, cannot be mirrored.
            if bytes.starts_with(b"\x7fELF\x01") && bytes.len() > 39 {
                bytes[39] = 5;
            }
            bytes
        }
    }
}

fn base(random: &mut Random) -> Layer {
    let mut layer = Layer::default();
    for directory in ["usr", "usr/bin", "usr/lib", "app", "app/bin", "opt"] {
        layer = layer.directory(directory);
    }
    layer = match random.below(3) {
        0 => layer.directory("bin").directory("lib").file("bin/sh", program(random)).file("lib/ld", own().bytes()),
        1 => layer.link("bin", "usr/bin").link("lib", "usr/lib"),
        _ => layer.link("bin", "/usr/bin").link("lib", "/usr/lib"),
    };
    layer = layer.file("usr/bin/sh", program(random)).file("usr/lib/ld", own().bytes()).link("usr/bin/env", "sh");
    layer = layer.file("app/run", contents(random)).file("app/x", contents(random)).link("run", "app/run");
    layer = layer.hard_link("app/bin/go", "usr/bin/sh").link("go", "/app/bin/go");
    match random.below(3) {
        0 => layer.link("opt/d", "/app"),
        1 => layer.link("opt/d", "../app/./bin"),
        _ => layer.directory("opt/d"),
    }
}

/// A layer of changes as image builders write it: the parent directories come before every name, and nothing is both
/// removed and made. With anything else, umoci and container runtimes differ: see the module `umoci`.
fn change(random: &mut Random) -> Layer {
    let mut layer = Layer::default();
    let mut put: BTreeMap<String, (char, Permissions)> = BTreeMap::new();
    let mut removed = BTreeSet::new();
    for _ in 0..=random.below(7) {
        let mut path = random_place(random);
        if (path.starts_with("bin/") || path.starts_with("lib/")) && random.below(4) > 0 {
            path = format!("usr/{path}");
        }
        let made: Vec<String> = put.keys().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned())).collect();
        let files: Vec<String> = put
            .iter()
            .filter(|(made, (kind, _))| *kind == 'f' && **made != path)
            .map(|(path, _)| path.clone())
            .collect();
        let (kind, what) = match random.below(18) {
            0..=6 => ('f', EntryKind::File(contents(random))),
            7..=8 => ('l', EntryKind::Link(random_path(random))),
            9 if files.is_empty() => continue,
            9 => ('f', EntryKind::HardLink(random.pick(&files).clone())),
            10..=13 => ('w', EntryKind::Whiteout),
            14 => ('o', EntryKind::Opaque),
            15..=16 => ('d', EntryKind::Directory),
            _ => ('p', EntryKind::Pipe),
        };
        if kind == 'o' && !made.is_empty() && random.below(3) == 0 {
            // A layer that fills a directory also empties it.
            path = random.pick(&made).clone();
        }
        let parents: Vec<String> = path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect();
        let blocked = parents.iter().any(|parent| put.get(parent).is_some_and(|(kind, _)| *kind != 'd'));
        let opened = if kind == 'o' { 'd' } else { kind };
        let below = format!("{path}/");
        let is_made = put.keys().any(|made| *made == path || made.starts_with(&below));
        let is_removed = removed.contains(&path) || parents.iter().any(|parent| removed.contains(parent));
        if blocked
            || put.get(&path).is_some_and(|(before, _)| *before != opened)
            || kind == 'w' && is_made
            || is_removed
        {
            continue;
        }
        for parent in parents.into_iter().chain((kind == 'o').then(|| path.clone())) {
            if put.insert(parent.clone(), ('d', OPEN)).is_none() {
                layer = layer.directory(&parent);
            }
        }
        let owner = match &what {
            // The entry of a hard link has the owner and mode of its file.
            EntryKind::HardLink(target) => put[target].1,
            _ if random.below(4) == 0 => owner(random),
            _ => OPEN,
        };
        match kind {
            'w' => {
                removed.insert(path.clone());
            }
            'o' => {}
            kind => {
                put.insert(path.clone(), (kind, owner));
            }
        }
        layer = layer.with(&path, owner, what);
    }
    layer
}

fn question(random: &mut Random, layers: &[Layer]) -> Question {
    let start = *random.pick(&["/", "/", "/", "/", "/", "/", "", "", "./", "../", "//", "/app/../", "../../"]);
    let end = *random
        .pick(&["", "", "", "", "", "", "", "", "", "", "", "", "", "", "/", "/.", "/..", "/x", "/../sh", "none"]);
    // Names that no layer has are queried too, but less often than those that a layer adds, links to or removes.
    let entries = layers.iter().flat_map(|layer| layer.0.iter());
    let entries = entries.filter(|(.., what)| !matches!(what, EntryKind::Directory | EntryKind::Opaque));
    let entries: Vec<&String> = entries.map(|(path, ..)| path).collect();
    let mut name = if random.below(5) > 0 { random.pick(&entries).to_string() } else { random_place(random) };
    let mut directory = random.pick(&["", "", "usr", "usr/bin", "app", "bin", "lib/", "app/bin/.", "opt"]).to_string();
    if matches!(start, "" | "./") && random.below(4) > 0 {
        // Mostly from the directory of the file.
        let (above, below) = name.rsplit_once('/').unwrap_or(("", &name));
        (directory, name) = (above.to_owned(), below.to_owned());
    }
    Question {
        path: format!("{start}{name}{end}"),
        directory: format!("/{directory}"),
        user: User::default(),
        known: None,
    }
}

/// The image of a seed.
pub fn image(seed: u64) -> Image {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut layers = vec![base(&mut random)];
    for _ in 0..1 + random.below(4) {
        let change = change(&mut random);
        layers.push(change);
    }
    let mut questions = Vec::new();
    for _ in 0..12 {
        let question_as_root = question(&mut random, &layers);
        let (user, group) = *random.pick(&[(10, 20), (10, 10), (11, 20), (12, 12)]);
        let groups = random.pick(&[vec![], vec![], vec![20]]).clone();
        questions.push(Question {
            user: User::Exact { uid: user, gid: group, supplementary_gids: groups },
            ..question_as_root.clone()
        });
        questions.push(question_as_root);
    }
    Image { name: format!("image {seed}"), seed, layers, questions }
}
