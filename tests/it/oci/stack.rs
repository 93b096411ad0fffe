//! Random images asked from the top, layer by layer: what is answered early is what is answered in the end, and that is
//! what layers laid one over the other make.

use std::collections::BTreeSet;
use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{LayerChangeset, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::{FileTree, Rootfs};
use ecr_preflight::settings::LayerLimits;

use crate::support::archive::Archive;
use crate::support::layers::layers;

const IMAGES: u64 = 600;

fn apply<'a>(layers: impl IntoIterator<Item = &'a Arc<LayerChangeset>>) -> Option<Rootfs> {
    let mut rootfs = Rootfs::default();
    let laid =
        layers.into_iter().try_for_each(|layer| layers::apply_layer(&mut rootfs, layer, &LayerLimits::default()));
    laid.is_ok().then_some(rootfs)
}

/// The same layer with one more name, whose directory is not put: it is not tidy any more, so that its changes are kept and
/// applied as they came.
fn untidy(layer: &[u8]) -> Vec<u8> {
    let more = Archive::default().file("untidy/x", b"").end();
    [&more[..more.len() - 1024], layer].concat()
}

/// All names that some of the layers make, and some beside and below them.
fn of_interest(layers: &[Arc<LayerChangeset>]) -> BTreeSet<Vec<u8>> {
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
fn a_stack_says_early_what_it_says_in_the_end_and_that_is_what_the_layers_make() {
    let limits = LayerLimits::default();
    let (mut laid_out, mut refused, mut tidy, mut early, mut unread, mut below_untidy) = (0, 0, 0, 0, 0, 0);
    for seed in 0..IMAGES {
        let read = |layer: &Vec<u8>| layers::read_layer(layer.as_slice(), &Digest::of(layer), &limits).map(Arc::new);
        let archives = layers(seed);
        let layers: Vec<Arc<LayerChangeset>> = archives.iter().map(|layer| read(layer).unwrap()).collect();
        let as_they_came: Vec<Arc<LayerChangeset>> =
            archives.iter().map(|layer| read(&untidy(layer)).unwrap()).collect();
        let paths = of_interest(&layers);
        let mut stack = LayerStack::new();
        let mut answers = Vec::new();
        for layer in layers.iter().rev() {
            stack.push(layer.clone(), &limits).unwrap();
            let known = paths.iter().filter_map(|path| Some((path, stack.get(path).ok()?.cloned())));
            answers.push(known.collect::<Vec<_>>());
        }
        let Some(mut rootfs) = apply(&as_they_came) else {
            assert!(stack.complete(&limits).is_err(), "image {seed}");
            refused += 1;
            continue;
        };
        laid_out += 1;
        rootfs.remove(b"untidy");
        assert_eq!(apply(&layers).as_ref(), Some(&rootfs), "image {seed}, each layer in the order it is kept in");
        // Where all names that the layers have are known before the end, none of these can be untidy.
        let every = answers.last().unwrap();
        let is_tidy = rootfs.descendants(b"").all(|(path, _)| every.iter().any(|(known, _)| known.as_slice() == path));
        if is_tidy {
            tidy += 1
        } else {
            below_untidy += 1
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
        "{laid_out} images, {tidy} of them tidy, {early} early answers and {unread} that came late; {refused} refused"
    );
    assert!(laid_out > 300 && refused > 50, "{laid_out} laid out, {refused} refused");
    assert!(tidy > 170 && below_untidy > 100, "{tidy} tidy, {below_untidy} not");
    assert!(early > 20_000 && unread > 20_000, "{early} early answers, {unread} late ones");
}
