//! The rules by which container runtimes unpack layers and overlayfs merges them, each with the files that result or
//! the error of the pull. `conformance::containerd_layers` checks the same results against containerd and the kernel.

use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{ApplyError, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::settings::LayerLimits;
use expect_test::expect_file;

use crate::support::cases::Cases;
use crate::support::layer_text::{list_rootfs, parse_layers};

const BASE: &str = "f base,d a @750:5,f a/x,d a/d,f a/d/y,d usr,d usr/bin @711,f usr/bin/sh,l bin usr/bin";

/// A title and the layers; `BASE` is the layer above.
pub const RULES: &[(&str, &str)] = &[
    (
        "a directory without an entry replaces a link of a lower layer, with the mode of the link's target",
        "BASE | f bin/app",
    ),
    ("a directory without an entry has the permissions of the lower one", "BASE | f a/new,f a/d/new"),
    ("the next lower layer that has the directory determines them", "d a @700 | d a @711:7 | f b | f a/x"),
    ("one without an entry passes them on", "d a @711:7 | f a/x | f a/y"),
    ("through a link of a lower layer they come from further below", "d b @711 | l a b,f b/x | f a/x"),
    ("a file or whiteout in a lower layer ends the search", "d a @700 | w a | f a/x"),
    ("a directory without an entry replaces a file", "BASE | f base/x"),
    ("two directories without entries over a file", "BASE | f base/x/y"),
    ("two directories without entries over a whiteout", "BASE | w a | f a/b/c"),
    ("an entry for the directory keeps its own mode", "BASE | d a @711,f a/x @711"),
    ("a directory replaces a link of a lower layer", "BASE | d bin,f bin/app"),
    ("a link replaces a directory of a lower layer", "BASE | l a usr"),
    ("a file replaces a directory of a lower layer", "BASE | f a | d a,f a/z"),
    ("a whiteout hides a file and a directory", "BASE | w base,w a"),
    ("a whiteout of nothing", "BASE | w none,w a/none"),
    ("a whiteout through a link of a lower layer replaces the link", "BASE | w bin/sh"),
    ("a directory that is removed and made again shows the lower files", "BASE | w a,d a,f a/z"),
    ("a file that is removed and made again", "BASE | w a,f a"),
    ("a removed directory without an entry cannot be filled", "BASE | w a,f a/z"),
    ("a whiteout after its file", "BASE | f a,w a"),
    ("a whiteout after its directory", "BASE | d a,f a/z,w a"),
    ("two whiteouts of one name", "BASE | w a,w a"),
    ("an opaque directory hides lower files", "BASE | d a,o a,f a/q"),
    ("an opaque marker after the files", "BASE | f a/q,o a"),
    ("an opaque root has no effect", "BASE | f .wh..wh..opq,f c"),
    ("an opaque directory that is replaced is not opaque", "BASE | d a,o a,f a,d a,f a/q"),
    ("an opaque marker through a link of the layer", "BASE | l k a,d a,o k"),
    ("markers of AUFS are whiteouts", "BASE | f .wh..wh.plnk,f a/.wh..wh.aufs,d .wh..wh.orph"),
    ("a whiteout without a name", "BASE | f .wh."),
    ("a whiteout of `..`", "BASE | f a/.wh..."),
    ("a character device 0/0 is a whiteout", "BASE | n a"),
    ("other devices are not", "BASE | c a,c nul @600,p pipe"),
    ("a hard link to a whiteout is a whiteout", "BASE | w a,h base a"),
    ("a hard link to a file of a lower layer", "BASE | h hard base"),
    ("a hard link to a file of the layer sets its owner and mode", "BASE | f x,h y x @4711:7"),
    ("a hard link to a link", "l x none,h y x,d d,l d/up ../x,h z d/up"),
    ("a hard link to a directory", "d x,h y x"),
    ("a hard link to itself", "f y,h y y"),
    ("a hard link through a file", "f y,h z y/x"),
    ("a hard link to a path with dots", "d a,f a/x,l k a,h 1 ./a/../a/x,h 2 /k/x,h 3 k/../a/x,h 4 ../../a/x"),
    ("a hard link keeps a file that is replaced", "f x,h y x,f x @700"),
    ("links of the layer are followed within it", "BASE | l k a,f k/n,l m ../../u,f m/n,l o /none/deep,f o/n"),
    ("links of the layer are followed one after the other", "l k l,l l m,l m d,f k/x"),
    (
        "dots in a link's target are removed before its links are followed",
        "d d,d d/e,l l d/e,d u,l u/k ../l/../v,f u/k/x",
    ),
    ("a loop of links", "l k k,f k/x"),
    ("a file as a directory", "f x,f x/y"),
    ("a file as a directory, further above", "f x,f x/y/z"),
    ("an empty link", "l x"),
    ("a directory replaced by a file or by a link to a directory", "d a,f a/x,f a,d b,f b/x,d c,l b c"),
    ("a directory replaced by a link that leads nowhere", "d a,f a/x,l a none"),
    ("a directory below one that was replaced", "d a,d a/b,f a"),
    ("a file replaced by a directory and by a pipe", "f a,d a,f a/x,f b,p b"),
    ("the last entry of a path wins", "f a @700,f a @711:3,d d @700,d d @711:3"),
    ("names are cleaned lexically", "f ../../up,f /abs,f q/../../r,d ./,f x//y/./z"),
    ("long names", "f NAME_MAX,w NAME_MAX2"),
    ("names that are too long", "f NAME_MAX1"),
    ("whiteouts of the lowest layer hide nothing", "w none,d d,w d/none,o d,f d/x | f b"),
];

/// Returns the layers of a rule.
pub fn rule_layers(rule: &str) -> Vec<Vec<u8>> {
    let name = |last: &str| "n".repeat(254) + last;
    let rule = rule.replace("NAME_MAX2", &name("w")).replace("NAME_MAX1", &name("nn")).replace("NAME_MAX", &name("n"));
    parse_layers(&rule.replace("BASE", BASE))
}

/// Merges layers. The last lowest first.
pub fn merge(archives: &[Vec<u8>]) -> Result<LayerStack, ApplyError> {
    let limits = LayerLimits::default();
    let mut stack = LayerStack::new();
    let mut lowest_error = None;
    for archive in archives.iter().rev() {
        let layer = layers::read_layer(archive.as_slice(), &Digest::of(archive), &limits).unwrap();
        lowest_error = stack.push(Arc::new(layer), &limits).err().or(lowest_error);
    }
    lowest_error.map_or_else(|| stack.complete(&limits), Err).map(|()| stack)
}

#[test]
fn layers_are_merged_as_by_container_runtimes() {
    let mut cases = Cases::default();
    for (title, rule) in RULES {
        let result = match merge(&rule_layers(rule)) {
            Ok(stack) => list_rootfs(&stack.to_rootfs()).join("\n"),
            Err(error) => error.to_string(),
        };
        cases.add(format!("{title}: {rule}"), result);
    }
    expect_file!["layer_rules.txt"].assert_eq(cases.as_str());
}

/// The layers with which containerd's lowest layer differs from Docker's.
#[test]
fn whiteouts_that_matter_in_the_lowest_layer_are_uncertain() {
    for lowest in ["f a,w a", "w a,f a/x", "w a,h b a", "f d/e/x,o d"] {
        for upper in ["", " | f top", " | f a/b/c"] {
            let error = merge(&rule_layers(&format!("{lowest}{upper}"))).unwrap_err();
            assert!(matches!(error, ApplyError::Uncertain(_)), "{lowest}{upper}: {error}");
        }
    }
    assert!(matches!(merge(&rule_layers("f x @644,h y x")), Err(ApplyError::Uncertain(_))));
    assert!(matches!(merge(&rule_layers("l a b,l b c,f a/x/y")), Err(ApplyError::Uncertain(_))));
}

#[test]
fn only_docker_unpacks_over_a_lower_file() {
    for (rule, by_docker) in [("f x | f x/y/z", false), ("l x x | f x/y", false), ("f x,f x/y", true), ("h x y", true)]
    {
        let error = merge(&rule_layers(rule)).unwrap_err();
        assert_eq!(error.refusal().map(|refusal| refusal.by_docker), Some(by_docker), "{rule}: {error}");
    }
}
