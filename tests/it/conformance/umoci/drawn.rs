//! Random images as programs are shipped in them: a base with a shell and a loader, and layers that change it.

use std::collections::BTreeMap;

use ecr_preflight::rootfs::User;

use super::image::{Layer, What};
use super::laid::{Image, Question, is_laid};
use crate::conformance::kernel::elf::{foreign, own};
use crate::conformance::kernel::random::{bytes, owner};
use crate::conformance::kernel::tree::OPEN;
use crate::support::random::Random;

const DIRECTORIES: [&str; 9] = ["usr", "usr/bin", "usr/lib", "bin", "lib", "app", "app/bin", "opt", "opt/d"];
const NAMES: [&str; 6] = ["sh", "ld", "env", "run", "x", "go"];

fn place(random: &mut Random) -> String {
    match random.below(12) {
        0 => random.of(&DIRECTORIES).to_string(),
        1 => random.of(&NAMES).to_string(),
        2 => format!("opt/{}/{}", "n".repeat(120), random.of(&NAMES)),
        3..=5 => random.of(&["usr/bin/sh", "usr/lib/ld", "app/run", "bin/sh", "lib/ld"]).to_string(),
        _ => format!("{}/{}", random.of(&DIRECTORIES), random.of(&NAMES)),
    }
}

/// A path as a script, a program, a link or an entrypoint names it.
fn path(random: &mut Random) -> String {
    let start = *random.of(&["/", "/", "/", "/", "/", "", "./", "../", "//", "/bin/../", "/app/./", "../../"]);
    format!("{start}{}", place(random))
}

fn program(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => foreign().bytes(),
        1..=3 => own().loaded_by("/lib/ld").bytes(),
        _ => own().bytes(),
    }
}

/// What a file holds: mostly what starts if what it names does.
fn contents(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0..=1 => program(random),
        2..=3 => format!("#!/bin/sh{}", random.of(&["\n", "", " -e\n", "\r\n"])).into_bytes(),
        4 => own().loaded_by(*random.of(&["/lib/ld", "lib/ld", "/usr/lib/ld", "/lib/../lib/./ld"])).bytes(),
        _ => {
            let mut bytes = bytes(random, path);
            // The edition of arm's convention, which only arm looks at, cannot be mirrored.
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

/// A layer of changes; a tidy one has the directories above every name, as image builders write it.
fn change(random: &mut Random) -> Layer {
    let is_tidy = random.below(4) > 0;
    let mut layer = Layer::default();
    let mut put: BTreeMap<String, char> = BTreeMap::new();
    for _ in 0..=random.below(7) {
        let mut path = place(random);
        if is_tidy && (path.starts_with("bin/") || path.starts_with("lib/")) && random.below(4) > 0 {
            path = format!("usr/{path}");
        }
        let made: Vec<String> = put.keys().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned())).collect();
        let files: Vec<String> = put.iter().filter(|(_, kind)| **kind == 'f').map(|(path, _)| path.clone()).collect();
        let (kind, what) = match random.below(18) {
            0..=6 => ('f', What::File(contents(random))),
            7..=8 => ('l', What::Link(self::path(random))),
            9 if is_tidy && files.is_empty() => continue,
            9 if is_tidy => ('f', What::HardLink(random.of(&files).clone())),
            9 => ('f', What::HardLink(place(random))),
            10..=13 => ('w', What::Whiteout),
            14 => ('o', What::Opaque),
            15..=16 => ('d', What::Directory),
            _ => ('p', What::Pipe),
        };
        if matches!(kind, 'w' | 'o') && !made.is_empty() && random.below(3) == 0 {
            // A layer that fills a directory empties it too.
            path = random.of(&made).clone();
        }
        let ways: Vec<String> = path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect();
        let blocked = ways.iter().any(|way| put.get(way).is_some_and(|kind| *kind != 'd'));
        let opened = if kind == 'o' { 'd' } else { kind };
        if is_tidy && (blocked || kind != 'w' && put.get(&path).is_some_and(|before| *before != opened)) {
            continue;
        }
        let above: Vec<String> = ways.into_iter().chain((kind == 'o').then(|| path.clone())).collect();
        for way in above.into_iter().filter(|_| is_tidy) {
            if put.insert(way.clone(), 'd').is_none() {
                layer = layer.directory(&way);
            }
        }
        let owner = if random.below(4) == 0 { owner(random) } else { OPEN };
        if kind != 'w' && kind != 'o' {
            put.insert(path.clone(), kind);
        }
        layer = layer.with(&path, owner, what);
    }
    layer
}

fn question(random: &mut Random, layers: &[Layer]) -> Question {
    let start = *random.of(&["/", "/", "/", "/", "/", "/", "", "", "./", "../", "//", "/app/../", "../../"]);
    let end =
        *random.of(&["", "", "", "", "", "", "", "", "", "", "", "", "", "", "/", "/.", "/..", "/x", "/../sh", "none"]);
    // What no layer puts is asked for too, but less often than what one of them puts, links to or removes.
    let entries = layers.iter().flat_map(|layer| layer.0.iter());
    let entries = entries.filter(|(.., what)| !matches!(what, What::Directory | What::Opaque));
    let entries: Vec<&String> = entries.map(|(path, ..)| path).collect();
    let mut name = if random.below(5) > 0 { random.of(&entries).to_string() } else { place(random) };
    let mut directory = random.of(&["", "", "usr", "usr/bin", "app", "bin", "lib/", "app/bin/.", "opt"]).to_string();
    if matches!(start, "" | "./") && random.below(4) > 0 {
        // Mostly from the directory where it lies.
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
        // Mostly what can be laid out; the rest is refused by both, which is a case too.
        let change = (0..6).map(|_| change(&mut random)).find(|change| {
            seed.is_multiple_of(10) || is_laid(&[layers.as_slice(), std::slice::from_ref(change)].concat())
        });
        layers.extend(change);
    }
    let mut questions = Vec::new();
    for _ in 0..12 {
        let asked = question(&mut random, &layers);
        let (user, group) = *random.of(&[(10, 20), (10, 10), (11, 20), (12, 12)]);
        let groups = random.of(&[vec![], vec![], vec![20]]).clone();
        questions.push(Question {
            user: User::Exact { uid: user, gid: group, supplementary_gids: groups },
            ..asked.clone()
        });
        questions.push(asked);
    }
    Image { name: format!("image {seed}"), seed, layers, questions }
}
