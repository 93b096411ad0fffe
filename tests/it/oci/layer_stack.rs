//! Random images queried from the top layer down: early answers equal the final ones, and those equal the merged layers.

use std::collections::BTreeSet;
use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{ApplyError, LayerChangeset, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::{FileTree, Node, Rootfs};
use ecr_preflight::settings::LayerLimits;

use crate::support::layer_text::parse_layers;
use crate::support::random_layers::layers;

const IMAGES: u64 = 600;

fn read(archive: &[u8]) -> Arc<LayerChangeset> {
    Arc::new(layers::read_layer(archive, &Digest::of(archive), &LayerLimits::default()).unwrap())
}

/// Returns the kind of each path as in `layer_text`, `-` if it does not exist, and `?` if it is unknown.
fn kinds(stack: &LayerStack, names: &[&str]) -> String {
    let letter = |name: &&str| match stack.get(name.as_bytes()) {
        Err(_) => '?',
        Ok(None) => '-',
        Ok(Some(Node::Directory(_))) => 'd',
        Ok(Some(Node::File(..))) => 'f',
        Ok(Some(Node::Symlink(_))) => 'l',
        Ok(Some(Node::Special(_))) => 's',
    };
    names.iter().map(letter).collect()
}

#[test]
fn layer_answers_before_lower_layers() {
    let limits = LayerLimits::default();
    for (upper, names, before, after) in [
        ("d a,f a/z", ["", "a", "a/z", "a/x", "b"], "ddf??", "ddfff"),
        ("d a,w a/x", ["a", "a/x", "a/x/y", "a/d", "b"], "d--??", "d--df"),
        ("w a", ["a", "a/x", "a/d/y", "ab", "b"], "---??", "----f"),
        ("n a", ["a", "a/x", "a/d/y", "ab", "b"], "---??", "----f"),
        ("w a,d a,f a/z", ["a", "a/z", "a/x", "a/d", "a/d/y"], "df???", "dffdf"),
        ("d a,o a,d a/d", ["a", "a/x", "a/d", "a/d/y", "b"], "d-d-?", "d-d-f"),
        ("f .wh..wh..opq,f c", ["", "c", "a", "a/x", "b"], "df???", "dfdff"),
        ("f a", ["a", "a/x", "a/d/y", "a.x", "b"], "f--??", "f---f"),
        ("l a x", ["a", "a/x", "a/d", "a/d/y", "b"], "l---?", "l---f"),
        ("w b,f b", ["b", "b/x", "a", "a/x", "l"], "f-???", "f-dfl"),
        ("d b,w b/x,f b/z", ["b", "b/x", "b/z", "b/y", "a"], "d-f??", "d-f-d"),
        ("d l,f l/x", ["l", "l/x", "l/y", "l/x/z", "a"], "df?-?", "df--d"),
        ("f c,h e c,h g e,f c", ["c", "e", "g", "g/x", "b"], "fff-?", "fff-f"),
        ("", ["", "a", "none", "none/x", "b"], "d????", "dd--f"),
        // The permissions of a directory without an entry are unknown.
        ("f a/z,f n/z", ["a", "a/z", "a/x", "n", "n/z"], "?f??f", "dffdf"),
        ("l k n,f k/z", ["k", "n", "n/z", "k/z", "b"], "l?f-?", "ldf-f"),
        // If it is the lowest layer, container runtimes differ in it.
        ("w b,h e b,f a", ["e", "b", "a", "", "l"], "???d?", "--fdl"),
    ] {
        let mut stack = LayerStack::new();
        stack.push(read(&parse_layers(upper)[0]), &limits).unwrap();
        assert_eq!(kinds(&stack, &names), before, "{upper}");
        stack.push(read(&parse_layers("d a,f a/x,d a/d,f a/d/y,f b,l l x")[0]), &limits).unwrap();
        stack.complete(&limits).unwrap();
        assert_eq!(kinds(&stack, &names), after, "{upper}");
    }
}

#[test]
fn refused_layer_is_an_error_as_soon_as_that_is_certain() {
    let limits = LayerLimits::default();
    let mut stack = LayerStack::new();
    assert!(matches!(stack.push(read(&parse_layers("h a none")[0]), &limits), Err(ApplyError::Refused(_))));
    // As the lowest layer, containerd unpacks it.
    let mut stack = LayerStack::new();
    assert_eq!(stack.push(read(&parse_layers("f a,w a")[0]), &limits), Ok(()));
    assert!(matches!(stack.push(read(&parse_layers("f b")[0]), &limits), Err(ApplyError::Refused(_))));
}

#[test]
fn completion_can_be_canceled() {
    let limits = LayerLimits::default();
    let mut stack = LayerStack::new();
    stack.push(read(&parse_layers("f a/b")[0]), &limits).unwrap();
    assert_eq!(stack.complete_cancellable(&limits, &|| false), Err(ApplyError::Canceled));
    assert_eq!(kinds(&stack, &["a", "a/b", "c"]), "?f?");
}

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
        let layers: Vec<Arc<LayerChangeset>> = layers(seed).iter().map(|layer| read(layer)).collect();
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
