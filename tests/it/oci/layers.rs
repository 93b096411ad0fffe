//! Layers, read and applied: every tar dialect, every compression, and damaged layers.

use std::io::{Read, Write};
use std::sync::Arc;

use ecr_preflight::layers;
use ecr_preflight::layers::{ApplyError, LayerChangeset, LayerError, LayerStack};
use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::{Node, Rootfs};
use ecr_preflight::settings::{LayerLimits, LimitExceeded};
use expect_test::expect;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::archive::{Archive, Fields, GNU, OLD, USTAR};
use crate::support::cases::Cases;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn read(layer: &[u8]) -> Result<LayerChangeset, LayerError> {
    layers::read_layer(layer, &Digest::of(layer), &LayerLimits::default())
}

fn read_within(layer: &[u8], limits: &LayerLimits) -> Result<LayerChangeset, LimitExceeded> {
    layers::read_layer(layer, &Digest::of(layer), limits).map_err(|error| match error {
        LayerError::LimitExceeded(bound) => bound,
        other => panic!("no bound: {other}"),
    })
}

fn merge_within(layers: Vec<Archive>, limits: &LayerLimits) -> Result<Rootfs, ApplyError> {
    let mut stack = LayerStack::new();
    for layer in layers.into_iter().rev() {
        stack.push(Arc::new(read(&layer.end()).unwrap()), limits)?;
    }
    stack.complete(limits).map(|()| stack.to_rootfs())
}

fn unpack(layer: Archive) -> Rootfs {
    merge_within(vec![layer], &LayerLimits::default()).unwrap()
}

/// One line per name: type, mode, name, and the size and beginning of a file or the target of a link.
fn list_names(rootfs: &Rootfs) -> Vec<String> {
    let line = |(path, node): (&[u8], &Node)| {
        let path = path.escape_ascii();
        match node {
            Node::Directory(owner) => format!("d {:o} {path}", owner.mode),
            Node::File(owner, contents) => {
                let head = contents.head()[..contents.head().len().min(8)].escape_ascii();
                format!("f {:o} {path} {} {head}", owner.mode, contents.size)
            }
            Node::Symlink(target) => format!("l {path} {}", target.escape_ascii()),
            Node::Special(owner) => format!("s {:o} {path}", owner.mode),
        }
    };
    rootfs.descendants(b"").map(line).collect()
}

#[test]
fn tar_dialects_give_the_same_names() {
    let long = format!("d/{}", "n".repeat(120));
    let target = "t".repeat(130);
    let link = Fields { kind: b'2', target: b"cut off", ..Fields::default() };
    let prefix = |block: &mut [u8; 512]| block[345..347].copy_from_slice(b"d\0");
    let gnu = |kind| Fields { kind, magic: GNU, ..Fields::default() };
    let dialects = [
        Archive::default()
            .pax(&[("path", long.as_bytes()), ("uid", b"7"), ("mtime", b"1.5")])
            .file("cut off", b"#!/x")
            .pax(&[("linkpath", target.as_bytes())])
            .entry(b"l", link, b""),
        Archive::default()
            .entry(b"././@LongLink", gnu(b'L'), format!("{long}\0").as_bytes())
            .entry(b"cut off", Fields { user: 7, ..gnu(b'0') }, b"#!/x")
            .entry(b"././@LongLink", gnu(b'K'), format!("{target}\0").as_bytes())
            .entry(b"l", Fields { magic: GNU, ..link }, b""),
    ];
    let expected = ["d 755 d".to_owned(), format!("f 755 {long} 4 #!/x"), format!("l l {target}")];
    for archive in dialects {
        let rootfs = unpack(archive);
        assert_eq!(list_names(&rootfs), expected);
        assert!(matches!(rootfs.get(long.as_bytes()), Some(Node::File(owner, _)) if owner.uid == 7));
    }
    let old = Archive::default()
        .entry(b"o/", Fields { kind: 0, magic: OLD, ..Fields::default() }, b"")
        .entry(b"o/f", Fields { kind: 0, magic: OLD, mode: 0o4755, ..Fields::default() }, b"\x7fELF")
        .block(b"g", Fields { kind: b'5', magic: USTAR, ..Fields::default() }, 0, prefix)
        .entry(b"p", Fields { kind: b'6', mode: 0o600, ..Fields::default() }, b"")
        .entry(b"pax_global_header", Fields { kind: b'g', ..Fields::default() }, b"11 path=xx\n")
        .file("./a/\\xff/..//b", b"text");
    let expected =
        ["d 755 a", "f 755 a/b 4 text", "d 755 d", "d 755 d/g", "d 755 o", "f 4755 o/f 4 \\x7fELF", "s 600 p"];
    assert_eq!(list_names(&unpack(old)), expected);
    let bytes = Archive::default().entry(b"\xff\n\xfe", Fields { mode: 0o644, ..Fields::default() }, b"kept out");
    assert_eq!(list_names(&unpack(bytes)), ["f 644 \\xff\\n\\xfe 8 "]);
}

#[test]
fn sparse_files_keep_their_holes() {
    let data = [b"abc".as_slice(), &[b'd'; 512]].concat();
    let text = [b"2\n2\n3\n1000\n512\n".as_slice(), &[0; 512 - 15], &data].concat();
    let one: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"s"),
        ("GNU.sparse.realsize", b"9000"),
    ];
    let zero_one: [(&str, &[u8]); 3] =
        [("GNU.sparse.name", b"s"), ("GNU.sparse.size", b"9000"), ("GNU.sparse.map", b"2,3,1000,512")];
    let zero: [(&str, &[u8]); 5] = [
        ("GNU.sparse.size", b"9000"),
        ("GNU.sparse.offset", b"2"),
        ("GNU.sparse.numbytes", b"3"),
        ("GNU.sparse.offset", b"1000"),
        ("GNU.sparse.numbytes", b"512"),
    ];
    for archive in [
        Archive::default().pax(&one).file("GNUSparseFile.0/s", &text),
        Archive::default().pax(&zero_one).file("GNUSparseFile.0/s", &data),
        Archive::default().pax(&zero).file("s", &data),
    ] {
        let rootfs = unpack(archive.file("after", b"x"));
        assert_eq!(list_names(&rootfs), ["f 755 after 1 x", "f 755 s 9000 \\x00\\x00abc\\x00\\x00\\x00"]);
    }
}

#[test]
fn compression_is_detected_and_may_have_many_frames() {
    let tar = Archive::default().file("a", &[b'x'; 3000]).end();
    let (one, two) = tar.split_at(1000);
    let skipped = b"\x53\x2a\x4d\x18\x05\0\0\0hello".to_vec();
    let expected = read(&tar).unwrap();
    for layer in [
        gzip(&tar),
        [gzip(one), gzip(b""), gzip(two)].concat(),
        zstd(&tar),
        [skipped.clone(), zstd(one), skipped.clone(), zstd(two), skipped].concat(),
    ] {
        let mut found = read(&layer).unwrap();
        assert_eq!(
            (found.stored_bytes, found.decompressed_digest.clone()),
            (layer.len() as u64, Some(Digest::of(&tar)))
        );
        (found.stored_bytes, found.decompressed_digest) = (expected.stored_bytes, None);
        assert_eq!(found, expected);
    }
    assert_eq!(list_names(&unpack(Archive::default())), [""; 0]);
    assert!(read(b"").is_ok(), "an empty layer has no entries");
}

#[test]
fn damaged_layers_are_errors() {
    let archive = Archive::default().file("a", &[b'x'; 3000]);
    let tar = archive.clone().end();
    let mut checksum = tar.clone();
    checksum[0] = b'b';
    let after = |kind| archive.clone().entry(b"x", Fields { kind, ..Fields::default() }, b"9 path=a\n").end();
    let piece = |map: &[u8]| Archive::default().pax(&[("GNU.sparse.map", map)]).file("s", b"abc").end();
    let mut lone = archive.clone().file("z", b"").end();
    lone.splice(0..0, [0; 512]);
    let mut cases = Cases::default();
    for (name, layer) in [
        ("gzip, truncated", gzip(&tar)[..30].to_vec()),
        ("zstd, truncated", zstd(&tar)[..30].to_vec()),
        ("tar, truncated in a file", tar[..2000].to_vec()),
        ("tar, truncated in a header", tar[..100].to_vec()),
        ("gzip, then other bytes", [gzip(&tar), b"garbage".to_vec()].concat()),
        ("zstd, then other bytes", [zstd(&tar), b"garbage".to_vec()].concat()),
        ("zstd with an invalid frame header", [&zstd(b"")[..4], &[0xff; 100]].concat()),
        ("gzip with an invalid block", [&gzip(b"")[..10], &[0xff; 100]].concat()),
        ("zstd, truncated skippable frame", b"\x50\x2a\x4d\x18\xff\xff\xff\x7fcut".to_vec()),
        ("wrong checksum", checksum),
        ("text", b"no archive at all, but long enough".repeat(40)),
        ("an empty block, then an entry", lone),
        ("multi-volume entry", after(b'M')),
        ("sparse file in the old GNU format", after(b'S')),
        ("sparse map that overlaps", piece(b"2,3,1,1")),
        ("sparse map beyond the file", piece(b"0,9")),
        ("sparse map, truncated", piece(b"0")),
    ] {
        cases.add(name, read(&layer).expect_err(name));
    }
    expect![[r#"
        gzip, truncated
            the layer cannot be decompressed: unexpected end of data
        zstd, truncated
            the layer cannot be decompressed: Failed to parse block header: BlockContentReadError(Error { kind: UnexpectedEof, message: "failed to fill whole buffer" })
        tar, truncated in a file
            the layer's archive is damaged: unexpected end of the archive
        tar, truncated in a header
            the layer's archive is damaged: unexpected end of the archive
        gzip, then other bytes
            the layer cannot be decompressed: unexpected end of data
        zstd, then other bytes
            the layer cannot be decompressed: BadMagicNumber(1651663207)
        zstd with an invalid frame header
            the layer cannot be decompressed: Specified window_size is too big; Requested: 18446744073709551615, Max: 33554432
        gzip with an invalid block
            the layer cannot be decompressed: corrupt deflate stream
        zstd, truncated skippable frame
            the layer cannot be decompressed: unexpected end of data
        wrong checksum
            the layer's archive is damaged: a header's checksum is wrong
        text
            the layer's archive is damaged: invalid number in a header
        an empty block, then an entry
            the layer's archive is damaged: unexpected zero block
        multi-volume entry
            the layer's archive is damaged: an entry of a type that no container runtime creates
        sparse file in the old GNU format
            the layer's archive is damaged: an entry of a type that no container runtime creates
        sparse map that overlaps
            the layer's archive cannot be read: segments of a sparse file overlap or exceed its size
        sparse map beyond the file
            the layer's archive cannot be read: segments of a sparse file overlap or exceed its size
        sparse map, truncated
            the layer's archive cannot be read: a sparse map is truncated
    "#]].assert_eq(cases.as_str());
}

#[test]
fn digest_covers_every_byte_received() {
    let tar = Archive::default().file("a", b"a").end();
    let mut texts = Vec::new();
    for layer in [gzip(&tar), zstd(&tar), tar] {
        let error = layers::read_layer(layer.as_slice(), &Digest::of(b"other"), &LayerLimits::default()).unwrap_err();
        let text = error.to_string().replace(Digest::of(&layer).as_str(), "DIGEST");
        texts.push(text);
        // A truncated transfer is not damage of the image.
        let cut =
            layers::read_layer(&layer[..layer.len() / 2], &Digest::of(&layer), &LayerLimits::default()).unwrap_err();
        assert!(matches!(cut, LayerError::DigestMismatch(_)), "{cut}");
        let broken = layer[..layer.len() / 2].chain(Broken);
        let error = layers::read_layer(broken, &Digest::of(&layer), &LayerLimits::default()).unwrap_err();
        assert!(matches!(error, LayerError::Transfer(_)), "{error}");
    }
    expect![[r#"
        the layer's content has digest DIGEST
        the layer's content has digest DIGEST
        the layer's content has digest DIGEST"#]]
    .assert_eq(&texts.join("\n"));
}

/// A transfer that fails.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn oversized_layers_are_not_read() {
    let limits = LayerLimits { bytes: 1 << 20, ratio: 50, ratio_from: 1 << 16, ..LayerLimits::default() };
    let zeros = |size| Archive::default().file("zeros", &vec![0; size]).end();
    assert_eq!(read_within(&gzip(&zeros(1 << 19)), &limits), Err(LimitExceeded::Ratio(50)));
    assert_eq!(read_within(&zstd(&zeros(1 << 19)), &limits), Err(LimitExceeded::Ratio(50)));
    assert_eq!(read_within(&zeros(1 << 21), &limits), Err(LimitExceeded::Bytes(1 << 20)));
    assert!(read_within(&gzip(&zeros(1 << 15)), &limits).is_ok());

    let many = (0..11).fold(Archive::default(), |archive, n| archive.file(&n.to_string(), b"")).end();
    assert_eq!(
        read_within(&many, &LayerLimits { entries: 10, ..LayerLimits::default() }),
        Err(LimitExceeded::Entries(10))
    );
    assert!(read_within(&many, &LayerLimits { entries: 11, ..LayerLimits::default() }).is_ok());
    assert_eq!(
        read_within(&many, &LayerLimits { memory: 400, ..LayerLimits::default() }),
        Err(LimitExceeded::Memory(400))
    );

    let path = |path: &[u8]| {
        read_within(&Archive::default().pax(&[("path", path)]).file("x", b"").end(), &LayerLimits::default())
    };
    assert_eq!(path(&b"a/".repeat(100_000)), Err(LimitExceeded::Path(4095)));
    assert_eq!(path(&b"a/".repeat(300)), Err(LimitExceeded::Depth(256)));
    assert_eq!(path(&vec![b'a'; 1 << 21]), Err(LimitExceeded::Record(1 << 20)));
    let target = Archive::default().pax(&[("linkpath", &[b'a'; 5000])]).link("l", "").end();
    assert_eq!(read_within(&target, &LayerLimits::default()), Err(LimitExceeded::Path(4095)));
}

#[test]
fn too_many_names_are_not_merged() {
    let deep = || Archive::default().file("a/b/c/d/e", b"").file("x/y", b"");
    let names = |total_entries| LayerLimits { total_entries, ..LayerLimits::default() };
    assert_eq!(read_within(&deep().end(), &names(6)), Err(LimitExceeded::TotalEntries(6)));
    assert!(read_within(&deep().end(), &names(7)).is_ok());
    let merge = |limits| merge_within(vec![deep(), deep()], &limits).map(drop);
    assert_eq!(merge(names(13)), Err(LimitExceeded::TotalEntries(13).into()));
    assert_eq!(merge(names(14)), Ok(()));
    let memory = read(&deep().end()).unwrap().memory_size;
    let within = |memory| merge(LayerLimits { memory, ..LayerLimits::default() });
    assert_eq!(within(2 * memory - 1), Err(LimitExceeded::Memory(2 * memory - 1).into()));
    assert_eq!(within(2 * memory), Ok(()));
}

#[test]
fn work_for_links_is_limited() {
    let limits = LayerLimits { total_entries: 500, ..LayerLimits::default() };
    let chain = (0..200)
        .fold(Archive::default().directory("l0"), |archive, n| archive.link(&format!("l{}", n + 1), &format!("l{n}")));
    // Alternately, so that each entry is resolved anew.
    let through = |count| {
        let add = |archive: Archive, n| archive.file(&format!("l{}/{n}", 199 + n % 2), b"");
        (0..count).fold(chain.clone(), add).end()
    };
    assert_eq!(read_within(&through(50), &limits).map(drop), Err(LimitExceeded::LinkSteps(8000)));
    assert!(read_within(&through(10), &limits).is_ok());
    // A directory without an entry is searched in every lower layer.
    let limits = LayerLimits { total_entries: 150, ..LayerLimits::default() };
    let deep = "a/".repeat(20);
    let lower =
        || (0..20).fold(Archive::default().directory(&deep), |archive, n| archive.link(&format!("d{n}"), &deep));
    let upper = (0..20).fold(Archive::default(), |archive, n| archive.file(&format!("d{n}/x"), b""));
    let merged = merge_within(vec![lower(), lower(), upper], &limits);
    assert_eq!(merged, Err(LimitExceeded::LinkSteps(2400).into()));
}
