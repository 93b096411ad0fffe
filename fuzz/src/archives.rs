//! Sound archives, made by the crate `tar`: the names that are read are those that it reads, however they are compressed.
//!
//! Does not hold whiteouts or links that lead elsewhere; see `stack` for these.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{LayerChangeset, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::Node;
use ecr_preflight::settings::LayerLimits;
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tar::{Builder, EntryType, Header};

use super::draw::Draw;
use super::streams::Pieces;

/// What a name stands for, with its mode and owner; of a file its size, of a link its target.
#[derive(Debug, PartialEq, Eq)]
enum Is {
    Directory(u32, u32),
    File(u32, u32, u64),
    Link(Vec<u8>),
}

/// An archive of the entries that the input draws.
pub fn archive(input: &[u8]) {
    let mut draw = Draw(input);
    let seed = u64::from(draw.byte());
    let plain = made(&mut draw);
    let names = read(&plain, None);
    assert_eq!(names.decompressed_bytes, plain.len() as u64);
    let limits = LayerLimits::default();
    let mut stack = LayerStack::new();
    let pushed = stack.push(Arc::new(names.clone()), &limits);
    pushed.and_then(|()| stack.complete(&limits)).expect("the entries do not conflict");
    let rootfs = stack.to_rootfs();
    let laid: BTreeMap<Vec<u8>, Is> = rootfs.descendants(b"").map(|(path, node)| (path.to_vec(), is(node))).collect();
    assert_eq!(laid, expected(&plain));
    let cut = plain.len() * usize::try_from(seed).expect("a byte") / 256;
    let (one, other) = plain.split_at(cut);
    let compressed = [
        gzip(&plain),
        [gzip(one), gzip(other)].concat(),
        [zstd(one), b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(other)].concat(),
    ];
    for stream in compressed {
        let mut names = names.clone();
        (names.stored_bytes, names.decompressed_digest) = (stream.len() as u64, Some(Digest::of(&plain)));
        assert_eq!(read(&stream, None), names);
        assert_eq!(read(&stream, Some(seed << 3)), names, "in pieces");
        let mut bare = Vec::new();
        if stream.starts_with(&[0x1f, 0x8b]) {
            flate2::read::MultiGzDecoder::new(stream.as_slice()).read_to_end(&mut bare).expect("it is gzip");
            assert_eq!(bare, plain);
        }
    }
}

fn read(stream: &[u8], pieces: Option<u64>) -> LayerChangeset {
    let (digest, limits) = (Digest::of(stream), LayerLimits::default());
    let read = match pieces {
        Some(seed) => layers::read_layer(Pieces::new(stream, seed), &digest, &limits),
        None => layers::read_layer(stream, &digest, &limits),
    };
    read.unwrap_or_else(|error| panic!("{error}"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes every write")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn is(node: &Node) -> Is {
    match node {
        Node::Directory(owner) => Is::Directory(owner.mode, owner.uid),
        Node::File(owner, contents) => Is::File(owner.mode, owner.uid, contents.size),
        Node::Symlink(target) => Is::Link(target.clone()),
        Node::Special(_) => panic!("none was made"),
    }
}

/// Directories are only ever named `d…`, so that nothing that is no directory stands on a path.
fn made(draw: &mut Draw<'_>) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    while !draw.is_empty() {
        let depth = draw.below(4);
        let mut path = String::new();
        for _ in 0..depth {
            path += draw.of(&["d", "d1", "d2", "d\u{e9}"]);
            path += &"d".repeat(draw.of(&[0, 0, 0, 60, 120]));
            path += draw.of(&["/", "/", "//", "/./"]);
        }
        let kind = draw.of(&[EntryType::Regular, EntryType::Directory, EntryType::Symlink, EntryType::Regular]);
        path += if kind == EntryType::Directory { draw.of(&["d", "d1/"]) } else { draw.of(&["f", "f1", "f 2"]) };
        let mut header = if draw.below(2) == 0 { Header::new_gnu() } else { Header::new_ustar() };
        header.set_entry_type(kind);
        header.set_mode(draw.of(&[0o755, 0o644, 0o4711, 0]));
        header.set_uid(u64::from(draw.byte()) << draw.below(13));
        header.set_gid(0);
        header.set_mtime(0);
        let data = if kind == EntryType::Regular { draw.bytes() } else { &[] };
        header.set_size(data.len() as u64);
        // What does not fit into a header of this kind is refused by the builder, and is no archive.
        let added = match kind {
            EntryType::Symlink => {
                let target = draw.of(&["f", "../f1", "/d/f"]).repeat(draw.of(&[1, 1, 40]));
                builder.append_link(&mut header, &path, target)
            }
            _ => builder.append_data(&mut header, &path, data),
        };
        if added.is_err() {
            break;
        }
    }
    builder.into_inner().expect("a Vec takes every write")
}

/// What the crate `tar` reads, laid out by the simplest rules.
fn expected(plain: &[u8]) -> BTreeMap<Vec<u8>, Is> {
    let mut all = BTreeMap::new();
    for entry in tar::Archive::new(plain).entries().expect("an archive") {
        let entry = entry.expect("an entry");
        let header = entry.header();
        let (mode, user) =
            (header.mode().expect("a mode"), u32::try_from(header.uid().expect("a user")).expect("small"));
        let path = entry.path_bytes().into_owned();
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
        for depth in 1..names.len() {
            all.entry(names[..depth].join(&b'/')).or_insert(Is::Directory(0o755, 0));
        }
        let value = match header.entry_type() {
            EntryType::Directory => Is::Directory(mode, user),
            EntryType::Symlink => Is::Link(entry.link_name_bytes().expect("a target").into_owned()),
            _ => Is::File(mode, user, entry.size()),
        };
        all.insert(names.join(&b'/'), value);
    }
    all
}
