//! Random images of several layers, unpacked by umoci and applied by this crate: every name, type, owner, mode, target,
//! size and beginning must agree, and so must whether the layers can be applied.
//!
//! umoci applies each layer to the merged layers below, while containerd, which this crate follows, unpacks it alone and
//! overlayfs merges the result. They differ in links of lower layers above an entry, hard links to lower layers, and
//! names that a layer removes and makes. So the images here have none of these (`random_layers::portable_layers`), and
//! `conformance::containerd_layers` compares the others. umoci also takes the mode of the root from an entry, so the
//! root is not compared.

mod file_cases;
pub mod layer;
mod link_cases;
mod random_images;
mod runc;
mod start;
mod unpacked;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::Node;
use serde_json::{Value, json};

use crate::oci::layer_rules::merge;
use crate::support::layout::{Builder, OCI_GZIP};
use crate::support::random_layers::portable_layers;

const IMAGES: u64 = 600;

/// Type, mode, user, group, and the rest.
type Line = (char, u32, u32, u32, Vec<u8>);

fn read_as_rootfs(layers: &[Vec<u8>]) -> Result<BTreeMap<Vec<u8>, Line>, String> {
    let rootfs = merge(layers).map_err(|error| error.to_string())?.to_rootfs();
    let line = |node: &Node| match node {
        Node::Directory(owner) => ('d', owner.mode, owner.uid, owner.gid, Vec::new()),
        Node::Special(owner) => ('s', owner.mode, owner.uid, owner.gid, Vec::new()),
        Node::Symlink(target) => ('l', 0, 0, 0, target.clone()),
        Node::File(owner, contents) => {
            let rest = [contents.size.to_string().as_bytes(), b" ", contents.head()].concat();
            ('f', owner.mode, owner.uid, owner.gid, rest)
        }
    };
    Ok(rootfs.descendants(b"").map(|(path, node)| (path.to_vec(), line(node))).collect())
}

fn read_directory(root: &Path, directory: &Path, lines: &mut BTreeMap<Vec<u8>, Line>) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        let mode = metadata.mode() & 0o7777;
        let line = |kind, rest| (kind, mode, metadata.uid(), metadata.gid(), rest);
        let kind = metadata.file_type();
        let line = if kind.is_dir() {
            read_directory(root, &path, lines);
            line('d', Vec::new())
        } else if kind.is_symlink() {
            ('l', 0, 0, 0, fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec())
        } else if kind.is_fifo() {
            line('s', Vec::new())
        } else {
            let head = if mode & 0o111 == 0 { Vec::new() } else { fs::read(&path).unwrap() };
            line('f', [metadata.len().to_string().as_bytes(), b" ", &head].concat())
        };
        lines.insert(path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(), line);
    }
}

/// A layer for umoci: media type, stored bytes, and the digest of its archive.
type Stored = (&'static str, Vec<u8>, Digest);

/// The root filesystem that umoci unpacks; it is removed with the builder.
fn unpack_with_umoci(layers: &[Stored]) -> Result<(Builder, PathBuf), String> {
    let mut builder = Builder::new();
    let stored: Vec<Value> = layers.iter().map(|(kind, bytes, _)| builder.blob(kind, bytes)).collect();
    let sums: Vec<String> = layers.iter().map(|(.., sum)| sum.to_string()).collect();
    let rootfs = json!({"type": "layers", "diff_ids": sums});
    let config = json!({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs});
    let image = builder.manifest(&config, &stored);
    builder.tag("t", &image);
    let root = builder.path().join("root");
    let arguments = ["raw", "unpack", "--image", &format!("{}:t", builder.path().display())];
    // Implied directories get mode 777 minus the umask.
    let script = "umask 022; exec umoci \"$@\"";
    let ran = Command::new("sh").args(["-c", script, "umoci"]).args(arguments).arg(&root).output().unwrap();
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into_owned());
    }
    Ok((builder, root))
}

fn unpack_as_lines(layers: &[Vec<u8>]) -> Result<BTreeMap<Vec<u8>, Line>, String> {
    let stored: Vec<Stored> = layers.iter().map(|layer| (OCI_GZIP, gzip(layer), Digest::of(layer))).collect();
    let (_builder, root) = unpack_with_umoci(&stored)?;
    let mut lines = BTreeMap::new();
    read_directory(&root, &root, &mut lines);
    Ok(lines)
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
#[ignore = "needs umoci, and root for the owners: make test-layers"]
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn applied_layers_match_umoci() {
    let (mut applied, mut names) = (0, 0);
    let mut disagreements = Vec::new();
    for seed in 0..IMAGES {
        let layers = portable_layers(seed);
        match (read_as_rootfs(&layers), unpack_as_lines(&layers)) {
            (Ok(ours), Ok(theirs)) => {
                applied += 1;
                names += ours.len();
                let all: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
                for path in all.into_iter().filter(|path| ours.get(*path) != theirs.get(*path)) {
                    let describe = |line: Option<&Line>| {
                        line.map(|(kind, mode, user, group, rest)| {
                            format!("{kind} {mode:o} {user}:{group} {}", rest[..rest.len().min(12)].escape_ascii())
                        })
                    };
                    let (ours, theirs) = (describe(ours.get(path)), describe(theirs.get(path)));
                    disagreements.push(format!("{seed}: {} {ours:?} by umoci {theirs:?}", path.escape_ascii()));
                }
            }
            (ours, theirs) => {
                disagreements.push(format!("{seed}: {:?} by umoci {:?}", ours.map(|_| ()), theirs.map(|_| ())));
            }
        }
    }
    println!("{applied} images of {names} names are equal");
    assert!(disagreements.is_empty(), "{} disagreements:\n{}", disagreements.len(), disagreements.join("\n"));
    assert!(applied == IMAGES && names > IMAGES as usize, "{names} names of {applied} images");
}
