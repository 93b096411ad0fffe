//! Random images queried from the top layer down: early answers equal the final ones, and those equal the merged layers.

use std::collections::BTreeSet;
use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{LayerChangeset, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::{FileTree, Rootfs};
use ecr_preflight::settings::LayerLimits;

use crate::support::random_layers::layers;

const IMAGES: u64 = 600;

fn merge(layers: &[Arc<LayerChangeset>]) -> Option<Rootfs> {
    let limits = LayerLimits::default();
    let mut stack = LayerStack::new();
    let result = layers.iter().rev().try_for_each(|layer| stack.push(layer.clone(), &limits));
    result.and_then(|()| stack.complete(&limits)).ok().map(|()| stack.to_rootfs())
}

/// All names that some of the layers produce, and some names next to and below them.
fn paths_to_query(layers: &[Arc<LayerChangeset>]) -> BTreeSet<Vec<u8>> {
    let prefixes = (1..=layers.len()).map(|count| &layers[..count]);
    let made = prefixes.chain(layers.chunks(1)).filter_map(merge);
    let mut paths: BTreeSet<Vec<u8>> = BTreeSet::from([Vec::new()]);
    for rootfs in made {
        for (path, _) in rootfs.descendants(b"") {
            paths.insert(path.to_vec());
            paths.extend(["/a", "/b/c", "x"].map(|end| [path, end.as_bytes()].concat()));
        }
    }
    paths
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn partial_stack_agrees_with_the_merged_layers() {
    let limits = LayerLimits::default();
    let (mut merged, mut refused, mut early, mut unread) = (0, 0, 0, 0);
    for seed in 0..IMAGES {
        let read = |layer: &Vec<u8>| layers::read_layer(layer.as_slice(), &Digest::of(layer), &limits).map(Arc::new);
        let layers: Vec<Arc<LayerChangeset>> = layers(seed).iter().map(|layer| read(layer).unwrap()).collect();
        let Some(rootfs) = merge(&layers) else {
            refused += 1;
            continue;
        };
        merged += 1;
        let paths = paths_to_query(&layers);
        let mut stack = LayerStack::new();
        for layer in layers.iter().rev() {
            stack.push(layer.clone(), &limits).unwrap();
            for path in &paths {
                match stack.get(path) {
                    Ok(answer) => {
                        assert_eq!(answer, rootfs.get(path), "image {seed}, /{} early", path.escape_ascii());
                        early += 1;
                    }
                    Err(_) => unread += 1,
                }
            }
        }
        stack.complete(&limits).unwrap();
        for path in &paths {
            assert_eq!(stack.get(path), Ok(rootfs.get(path)), "image {seed}, /{}", path.escape_ascii());
        }
    }
    println!("{merged} images, {early} early answers and {unread} that came late; {refused} refused");
    assert!(merged > 300 && refused > 50, "{merged} merged, {refused} refused");
    assert!(early > 20_000 && unread > 20_000, "{early} early answers, {unread} late ones");
}
