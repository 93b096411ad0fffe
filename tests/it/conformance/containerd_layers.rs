//! Layers unpacked by containerd with its overlayfs snapshotter and merged by the kernel: every name, type, owner, mode,
//! link target and beginning of a file must agree, and so must the error if the image cannot be pulled.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ecr_preflight::layers::ApplyError;
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::Permissions;
use expect_test::expect_file;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::oci::layer_rules::{RULES, merge, rule_layers};
use crate::support::cases::Cases;
use crate::support::layer_text::{format_node, list_rootfs};
use crate::support::layout::Builder;
use crate::support::random_layers::layers;

/// The number of random images unless `IMAGES` sets another, and how many of them at least are merged and refused. `SEED`
/// sets the first.
const IMAGES: u64 = 400;
const MIN_MERGED: usize = 200;
const MIN_REFUSED: usize = 80;

/// The number of images that are imported at once.
const BATCH: usize = 20;

/// The lines of [`list_rootfs`], or the error of the pull.
type Listing = Result<Vec<String>, String>;

/// A containerd of its own. It is killed with this value.
struct Containerd {
    process: Child,
    directory: TempDir,
    images: usize,
}

impl Containerd {
    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut command = Command::new("containerd");
        command.arg("--root").arg(path("root")).arg("--state").arg(path("state")).arg("--address").arg(path("socket"));
        let process = command.stdout(Stdio::null()).stderr(fs::File::create(path("log")).unwrap()).spawn().unwrap();
        fs::create_dir(path("merged")).unwrap();
        let containerd = Self { process, directory, images: 0 };
        let start = Instant::now();
        while !containerd.ctr(&["version"]).status.success() {
            assert!(start.elapsed() < Duration::from_secs(30), "containerd does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        containerd
    }

    fn ctr(&self, arguments: &[&str]) -> Output {
        let address = self.directory.path().join("socket");
        Command::new("ctr").arg("--address").arg(address).args(arguments).output().unwrap()
    }

    /// Imports images and unpacks them. Fails with the error of the first that cannot be unpacked.
    fn import(&mut self, images: &[&[Vec<u8>]]) -> Result<Vec<String>, String> {
        let mut builder = Builder::new();
        let mut chain_ids = Vec::new();
        for layers in images {
            let kind = "application/vnd.oci.image.layer.v1.tar";
            let stored: Vec<Value> = layers.iter().map(|layer| builder.blob(kind, layer)).collect();
            let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
            // OCI image specification, "Layer ChainID".
            let join =
                |chain: String, diff_id: &String| Digest::of(format!("{chain} {diff_id}").as_bytes()).to_string();
            chain_ids.push(diff_ids[1..].iter().fold(diff_ids[0].clone(), join));
            let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
            let config = json!({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs});
            let image = builder.manifest(&config, &stored);
            self.images += 1;
            builder.tag(&format!("i{}", self.images), &image);
        }
        let archive = self.directory.path().join("images.tar");
        let tar = Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(builder.path()).arg(".").status().unwrap();
        assert!(tar.success());
        let imported = self.ctr(&["images", "import", "--base-name", "test.local/i", archive.to_str().unwrap()]);
        let error = String::from_utf8_lossy(&imported.stderr);
        if imported.status.success() { Ok(chain_ids) } else { Err(self.without_snapshot_paths(&error)) }
    }

    /// Removes the context of an error, and the paths of snapshots and temporary mounts.
    fn without_snapshot_paths(&self, error: &str) -> String {
        let text = error.trim().rsplit_once("ctr: ").map_or(error, |(_, last)| last).trim_end_matches(": unknown");
        let text = text.split_once("failed to extract layer sha256:").map_or(text, |(_, rest)| &rest[66..]);
        // The lowest layer is unpacked in a temporary mount.
        let callback = text.strip_prefix("mount callback failed on ").and_then(|text| text.split_once(": "));
        let text = callback.map_or(text, |(_, rest)| rest);
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        for word in &mut words {
            let Some(snapshot) = word.find("/snapshots/").map(|at| at + 11).or_else(|| word.find("containerd-mount"))
            else {
                continue;
            };
            let end = word[snapshot..].find(['/', ':']).map_or(word.len(), |at| snapshot + at);
            let rest = word[end..].strip_prefix("/fs").unwrap_or(&word[end..]);
            *word = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        }
        words.join(" ")
    }

    /// Lists an unpacked image as the kernel merges it with an empty upper layer.
    fn list(&self, chain_id: &str) -> Vec<String> {
        let merged = self.directory.path().join("merged");
        let prepared = self.ctr(&["snapshots", "prepare", "--target", merged.to_str().unwrap(), "container", chain_id]);
        assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
        let mount = String::from_utf8(prepared.stdout).unwrap();
        assert!(Command::new("sh").args(["-c", &mount]).status().unwrap().success(), "{mount}");
        let mut lines = BTreeMap::new();
        list_directory(&merged, &merged, &mut lines);
        assert!(Command::new("umount").arg(&merged).status().unwrap().success());
        assert!(self.ctr(&["snapshots", "remove", "container"]).status.success());
        lines.into_values().collect()
    }

    fn unpack(&mut self, layers: &[Vec<u8>]) -> Listing {
        self.import(&[layers]).map(|chain_ids| self.list(&chain_ids[0]))
    }

    /// Unpacks images at once, or each on its own if one of them cannot be unpacked.
    fn unpack_all(&mut self, images: &[&[Vec<u8>]]) -> Vec<Listing> {
        match self.import(images) {
            Ok(chain_ids) => chain_ids.iter().map(|chain_id| Ok(self.list(chain_id))).collect(),
            Err(_) => images.iter().map(|layers| self.unpack(layers)).collect(),
        }
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // A test that failed has left it mounted.
        let _ = Command::new("umount").arg(self.directory.path().join("merged")).output();
        self.process.kill().and_then(|()| self.process.wait()).expect("containerd ends");
    }
}

fn list_directory(root: &Path, directory: &Path, lines: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let path = entry.path();
        // overlayfs lists the whiteouts of a directory that only one layer has, but does not find them.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let kind = metadata.file_type();
        let permissions = Permissions { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() };
        let (letter, permissions, rest) = if kind.is_dir() {
            list_directory(root, &path, lines);
            ('d', permissions, Vec::new())
        } else if kind.is_symlink() {
            ('l', Permissions::default(), fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec())
        } else if kind.is_fifo() || kind.is_char_device() {
            ('s', permissions, Vec::new())
        } else {
            let is_kept = permissions.mode & 0o111 != 0;
            ('f', permissions, if is_kept { fs::read(&path).unwrap() } else { Vec::new() })
        };
        let name = path.strip_prefix(root).unwrap().to_owned();
        let line = format_node(letter, permissions, name.as_os_str().as_bytes(), &rest);
        lines.insert(name, line);
    }
}

#[test]
#[ignore = "needs containerd and root: make test-layers"]
fn rules_match_containerd() {
    let mut containerd = Containerd::start();
    let mut cases = Cases::default();
    for (title, rule) in RULES {
        let result = match containerd.unpack(&rule_layers(rule)) {
            Ok(mut lines) => {
                lines.sort_by(|a, b| a.split(' ').nth(1).cmp(&b.split(' ').nth(1)));
                lines.join("\n")
            }
            Err(message) => format!("a layer cannot be unpacked: {message}"),
        };
        cases.add(format!("{title}: {rule}"), result);
    }
    expect_file!["../oci/layer_rules.txt"].assert_eq(cases.as_str());
}

#[test]
#[ignore = "needs containerd and root: make test-layers"]
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn random_layers_match_containerd() {
    let count = std::env::var("IMAGES").map_or(IMAGES, |count| count.parse().unwrap());
    let first: u64 = std::env::var("SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut containerd = Containerd::start();
    let mut disagreements = Vec::new();
    let (mut merged, mut refused, mut same_message, mut uncertain) = (0, 0, 0, 0);
    let images: Vec<(u64, Vec<Vec<u8>>)> = (first..first + count).map(|seed| (seed, layers(seed))).collect();
    let mut mergeable = Vec::new();
    for (seed, layers) in &images {
        match merge(layers) {
            Ok(stack) => mergeable.push((*seed, layers, stack)),
            Err(ApplyError::Refused(ours)) => match containerd.unpack(layers) {
                Err(message) => {
                    refused += 1;
                    // containerd keeps the leading slash of a whiteout's name, and reports the lowest layer's error.
                    same_message += usize::from(message.replace("\"/", "\"") == ours.message);
                }
                Ok(lines) => disagreements.push(format!("{seed}: {:?}, by containerd {lines:?}", ours.message)),
            },
            Err(ApplyError::Uncertain(_)) => uncertain += 1,
            Err(error) => disagreements.push(format!("{seed}: {error}")),
        }
    }
    for batch in mergeable.chunks(BATCH) {
        let layers: Vec<&[Vec<u8>]> = batch.iter().map(|(_, layers, _)| layers.as_slice()).collect();
        for ((seed, _, stack), theirs) in batch.iter().zip(containerd.unpack_all(&layers)) {
            let mut ours = list_rootfs(&stack.to_rootfs());
            ours.sort();
            let theirs = theirs.map(|mut lines| {
                lines.sort();
                lines
            });
            if theirs.as_ref() == Ok(&ours) {
                merged += 1;
            } else {
                disagreements.push(format!("{seed}: {ours:#?}, by containerd {theirs:#?}"));
            }
        }
    }
    println!(
        "{merged} images are equal, {refused} refused by both, {same_message} with the same message, {uncertain} uncertain"
    );
    assert!(disagreements.is_empty(), "{} disagreements:\n{}", disagreements.len(), disagreements.join("\n"));
    if count >= IMAGES {
        assert!(merged >= MIN_MERGED && refused >= MIN_REFUSED, "only {merged} merged, {refused} refused");
        assert!(
            same_message * 10 > refused * 9 && uncertain < merged / 4,
            "{same_message} equal, {uncertain} uncertain"
        );
    }
}
