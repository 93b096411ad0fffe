//! Layers one over the other, with whatever may stand in a layer: what is answered from the top is what they make.
//!
//! Does not compress them; see `archive` for that.

use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{LayerChangeset, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::FileTree;
use ecr_preflight::settings::LayerLimits;

use super::draw::Draw;
use super::starts::{PROGRAM, check_launches};
use super::tar_builder::{Archive, Fields, GNU};

const NAMES: [&str; 8] = ["a", "b", "bin", "sh", "env", "..", ".", "l"];
const TARGETS: [&str; 10] = ["a", "b", "..", "/", "/bin/sh", "../a", "bin", "/l/l", "/a/../b/./bin", "busybox"];

/// Up to four layers.
pub fn stack(input: &[u8]) {
    let mut draw = Draw(input);
    let limits =
        draw.of(&[LayerLimits::default(), LayerLimits { total_entries: 6, memory: 1200, ..LayerLimits::default() }]);
    let archives: Vec<Vec<u8>> = (0..=draw.below(4)).map(|_| layer(&mut draw)).collect();
    let read = |bytes: &Vec<u8>| layers::read_layer(bytes.as_slice(), &Digest::of(bytes), &limits).ok().map(Arc::new);
    let Some(layers) = archives.iter().map(read).collect::<Option<Vec<Arc<LayerChangeset>>>>() else { return };
    let mut stack = LayerStack::new();
    let paths = paths(&layers);
    let mut early = Vec::new();
    for layer in layers.iter().rev() {
        if stack.push(layer.clone(), &limits).is_err() {
            return;
        }
        early.extend(paths.iter().filter_map(|path| Some((path, stack.get(path).ok()?.cloned()))));
    }
    if stack.complete(&limits).is_ok() {
        let rootfs = stack.to_rootfs();
        for (path, answer) in early {
            assert_eq!(answer.as_ref(), rootfs.get(path), "/{} early", path.escape_ascii());
        }
        for path in &paths {
            assert_eq!(stack.get(path), Ok(rootfs.get(path)), "/{}", path.escape_ascii());
        }
        check_launches(&stack, &mut draw);
    }
}

/// All names that the layers make one by one or together, and some below.
fn paths(layers: &[Arc<LayerChangeset>]) -> Vec<Vec<u8>> {
    let mut paths = vec![Vec::new()];
    for layers in layers.chunks(1).chain([layers]) {
        let (mut stack, limits) = (LayerStack::new(), LayerLimits::default());
        let pushed = layers.iter().rev().try_for_each(|layer| stack.push(layer.clone(), &limits));
        if pushed.and_then(|()| stack.complete(&limits)).is_ok() {
            let rootfs = stack.to_rootfs();
            paths.extend(rootfs.descendants(b"").flat_map(|(path, _)| [path.to_vec(), [path, b"/a"].concat()]));
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

fn layer(draw: &mut Draw<'_>) -> Vec<u8> {
    let mut archive = Archive::default();
    for _ in 0..draw.below(12) {
        let depth = 1 + draw.below(3);
        let mut names: Vec<&str> = (0..depth).map(|_| draw.of(&NAMES)).collect();
        let whiteout = format!(".wh.{}", names[depth - 1]);
        let fields = Fields { mode: draw.of(&[0o755, 0o700, 0o644]), user: draw.of(&[0, 7]), ..Fields::default() };
        let target = draw.of(&TARGETS);
        let data = draw.of(&[b"".as_slice(), b"#!/bin/sh\nexec \"$@\"\n", b"#!/usr/bin/env a\n", PROGRAM]);
        archive = match draw.below(10) {
            0..=2 => archive.entry(names.join("/").as_bytes(), fields, data),
            3 | 4 => archive.entry(names.join("/").as_bytes(), Fields { kind: b'5', ..fields }, b""),
            5 => archive.link(&names.join("/"), target),
            6 => archive.hard_link(&names.join("/"), target),
            7 => {
                names[depth - 1] = &whiteout;
                archive.file(&names.join("/"), b"")
            }
            8 => {
                names[depth - 1] = ".wh..wh..opq";
                archive.file(&names.join("/"), b"")
            }
            // The second kind is a character device 0/0.
            _ => {
                let kind = draw.of(b"63");
                archive.entry(names.join("/").as_bytes(), Fields { kind, magic: GNU, ..fields }, b"")
            }
        };
    }
    archive.end()
}
