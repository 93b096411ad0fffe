//! Random images of several layers, laid out by umoci on disk and as names by this crate: every name, kind, owner,
//! mode, target, size and beginning must agree, and so must whether it can be laid out at all.
//!
//! Where umoci differs from containerd, which this crate follows: it takes the root's own mode from an entry, so the
//! root itself is not compared. Whiteouts agree with umoci, not with containerd's naive way (see `exec/apply.rs`).

mod drawn;
mod image;
mod laid;
mod links;
mod named;
mod run;
mod started;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use ecr_preflight::layers;
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::{Node, Rootfs};
use ecr_preflight::settings::LayerLimits;
use serde_json::{Value, json};

use crate::support::layers::layers;
use crate::support::layout::{Builder, OCI_GZIP};

const IMAGES: u64 = 600;
/// At least so many of them can be laid out.
const LAID_OUT: usize = 300;

/// Kind, mode, owner, and what else there is to compare.
type Line = (char, u32, u32, u32, Vec<u8>);

fn as_names(layers: &[Vec<u8>]) -> Result<BTreeMap<Vec<u8>, Line>, String> {
    let mut rootfs = Rootfs::default();
    let limits = LayerLimits::default();
    for layer in layers {
        let names =
            layers::read_layer(layer.as_slice(), &Digest::of(layer), &limits).map_err(|error| error.to_string())?;
        layers::apply_layer(&mut rootfs, &names, &limits).map_err(|error| error.to_string())?;
    }
    let line = |node: &Node| match node {
        Node::Directory(owner) => ('d', owner.mode, owner.uid, owner.gid, Vec::new()),
        Node::Special(owner) => ('s', owner.mode, owner.uid, owner.gid, Vec::new()),
        Node::Symlink(target) => ('l', 0, 0, 0, target.clone()),
        Node::File(owner, contents) => {
            let told = [contents.size.to_string().as_bytes(), b" ", contents.head()].concat();
            ('f', owner.mode, owner.uid, owner.gid, told)
        }
    };
    Ok(rootfs.descendants(b"").map(|(path, node)| (path.to_vec(), line(node))).collect())
}

fn on_disk(root: &Path, directory: &Path, lines: &mut BTreeMap<Vec<u8>, Line>) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        let mode = metadata.mode() & 0o7777;
        let line = |kind, told| (kind, mode, metadata.uid(), metadata.gid(), told);
        let kind = metadata.file_type();
        let line = if kind.is_dir() {
            on_disk(root, &path, lines);
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

/// A layer for umoci: its media type, what is stored, and the digest of its archive.
type Stored = (&'static str, Vec<u8>, Digest);

/// The root filesystem that umoci makes of layers; it goes with the builder.
fn laid_out(layers: &[Stored]) -> Result<(Builder, PathBuf), String> {
    let mut builder = Builder::new();
    let stored: Vec<Value> = layers.iter().map(|(kind, bytes, _)| builder.blob(kind, bytes)).collect();
    let sums: Vec<String> = layers.iter().map(|(.., sum)| sum.to_string()).collect();
    let rootfs = json!({"type": "layers", "diff_ids": sums});
    let config = json!({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs});
    let image = builder.manifest(&config, &stored);
    builder.tag("t", &image);
    let root = builder.path().join("root");
    let arguments = ["raw", "unpack", "--image", &format!("{}:t", builder.path().display())];
    // What is implied gets 777 less the umask.
    let script = "umask 022; exec umoci \"$@\"";
    let ran = Command::new("sh").args(["-c", script, "umoci"]).args(arguments).arg(&root).output().unwrap();
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into_owned());
    }
    Ok((builder, root))
}

fn by_umoci(layers: &[Vec<u8>]) -> Result<BTreeMap<Vec<u8>, Line>, String> {
    let stored: Vec<Stored> = layers.iter().map(|layer| (OCI_GZIP, gzip(layer), Digest::of(layer))).collect();
    let (_builder, root) = laid_out(&stored)?;
    let mut lines = BTreeMap::new();
    on_disk(&root, &root, &mut lines);
    Ok(lines)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
#[ignore = "needs umoci, and root for the owners: make test-layers"]
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn names_agree_with_what_umoci_unpacks() {
    let (mut laid_out, mut refused, mut names) = (0, 0, 0);
    let mut disagreements = Vec::new();
    for seed in 0..IMAGES {
        let layers = layers(seed);
        match (as_names(&layers), by_umoci(&layers)) {
            (Ok(ours), Ok(theirs)) => {
                laid_out += 1;
                names += ours.len();
                let all: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
                for path in all.into_iter().filter(|path| ours.get(*path) != theirs.get(*path)) {
                    let told = |line: Option<&Line>| {
                        line.map(|(kind, mode, user, group, told)| {
                            format!("{kind} {mode:o} {user}:{group} {}", told[..told.len().min(12)].escape_ascii())
                        })
                    };
                    let (ours, theirs) = (told(ours.get(path)), told(theirs.get(path)));
                    disagreements.push(format!("{seed}: {} {ours:?} by umoci {theirs:?}", path.escape_ascii()));
                }
            }
            (Err(_), Err(_)) => refused += 1,
            (ours, theirs) => {
                disagreements.push(format!("{seed}: {:?} by umoci {:?}", ours.map(|_| ()), theirs.map(|_| ())));
            }
        }
    }
    println!("{laid_out} images of {names} names were laid out alike, {refused} refused by both");
    assert!(disagreements.is_empty(), "{} disagreements:\n{}", disagreements.len(), disagreements.join("\n"));
    assert!(laid_out >= LAID_OUT, "only {laid_out} images could be laid out, {refused} were refused by both");
    assert!(refused > 0 && names > laid_out, "{names} names of {laid_out} images, {refused} refused");
}
