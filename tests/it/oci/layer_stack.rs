//! Random images queried from the top layer down: early answers equal the final ones, and those equal the result of
//! applying the layers.

use std::collections::BTreeSet;
use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{LayerChangeset, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::{FileTree, Rootfs};
use ecr_preflight::settings::LayerLimits;

use crate::support::archive::Archive;
use crate::support::random_layers::layers;

const IMAGES: u64 = 600;

fn apply<'a>(layers: impl IntoIterator<Item = &'a Arc<LayerChangeset>>) -> Option<Rootfs> {
    let mut rootfs = Rootfs::default();
    let result =
        layers.into_iter().try_for_each(|layer| layers::apply_layer(&mut rootfs, layer, &LayerLimits::default()));
    result.is_ok().then_some(rootfs)
}

/// The same layer with one more name whose directory is missing, so that its changes are kept and applied in archive
/// order.
fn with_unordered_entry(layer: &[u8]) -> Vec<u8> {
    let more = Archive::default().file("unordered/x", b"").end();
    [&more[..more.len() - 1024], layer].concat()
}

/// All names that some of the layers produce, and some names next to and below them.
fn paths_to_query(layers: &[Arc<LayerChangeset>]) -> BTreeSet<Vec<u8>> {
    let prefixes = (1..=layers.len()).map(|count| &layers[..count]);
    let made = prefixes.chain(layers.chunks(1)).filter_map(apply);
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
fn partial_stack_agrees_with_the_applied_layers() {
    let limits = LayerLimits::default();
    let (mut applied, mut refused, mut ordered, mut early, mut unread, mut unordered) = (0, 0, 0, 0, 0, 0);
    for seed in 0..IMAGES {
        let read = |layer: &Vec<u8>| layers::read_layer(layer.as_slice(), &Digest::of(layer), &limits).map(Arc::new);
        let archives = layers(seed);
        let layers: Vec<Arc<LayerChangeset>> = archives.iter().map(|layer| read(layer).unwrap()).collect();
        let in_archive_order: Vec<Arc<LayerChangeset>> =
            archives.iter().map(|layer| read(&with_unordered_entry(layer)).unwrap()).collect();
        let paths = paths_to_query(&layers);
        let mut stack = LayerStack::new();
        let mut answers = Vec::new();
        for layer in layers.iter().rev() {
            stack.push(layer.clone(), &limits).unwrap();
            let known = paths.iter().filter_map(|path| Some((path, stack.get(path).ok()?.cloned())));
            answers.push(known.collect::<Vec<_>>());
        }
        let Some(mut rootfs) = apply(&in_archive_order) else {
            assert!(stack.complete(&limits).is_err(), "image {seed}");
            refused += 1;
            continue;
        };
        applied += 1;
        rootfs.remove(b"unordered");
        assert_eq!(apply(&layers).as_ref(), Some(&rootfs), "image {seed}, each layer in the order in which it is kept");
        // If all names are known before the last layer, the layers must be ordered.
        let every = answers.last().unwrap();
        let is_ordered =
            rootfs.descendants(b"").all(|(path, _)| every.iter().any(|(known, _)| known.as_slice() == path));
        if is_ordered {
            ordered += 1
        } else {
            unordered += 1
        }
        for (path, early_answer) in answers.iter().flatten() {
            assert_eq!(early_answer.as_ref(), rootfs.get(path), "image {seed}, /{}", path.escape_ascii());
        }
        early += answers.iter().map(Vec::len).sum::<usize>();
        unread += answers.iter().map(|answers| paths.len() - answers.len()).sum::<usize>();
        stack.complete(&limits).unwrap();
        for path in &paths {
            assert_eq!(stack.get(path), Ok(rootfs.get(path)), "image {seed}, /{}", path.escape_ascii());
        }
    }
    println!(
        "{applied} images, {ordered} of them ordered, {early} early answers and {unread} that came late; {refused} refused"
    );
    assert!(applied > 300 && refused > 50, "{applied} applied, {refused} refused");
    assert!(ordered > 170 && unordered > 100, "{ordered} ordered, {unordered} not");
    assert!(early > 20_000 && unread > 20_000, "{early} early answers, {unread} late ones");
}
