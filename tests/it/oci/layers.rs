//! Layers, read and applied: every tar dialect, every compression, and damaged layers.

use std::io::{Read, Write};

use ecr_preflight::layers;
use ecr_preflight::layers::{ApplyError, LayerChangeset, LayerError};
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

fn apply_layers(layers: impl IntoIterator<Item = Archive>) -> Result<Rootfs, ApplyError> {
    let mut rootfs = Rootfs::default();
    for layer in layers {
        layers::apply_layer(&mut rootfs, &read(&layer.end()).unwrap(), &LayerLimits::default())?;
    }
    Ok(rootfs)
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
        let rootfs = apply_layers([archive]).unwrap();
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
    assert_eq!(list_names(&apply_layers([old]).unwrap()), expected);
    let bytes = Archive::default().entry(b"\xff\n\xfe", Fields { mode: 0o644, ..Fields::default() }, b"kept out");
    assert_eq!(list_names(&apply_layers([bytes]).unwrap()), ["f 644 \\xff\\n\\xfe 8 "]);
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
        let rootfs = apply_layers([archive.file("after", b"x")]).unwrap();
        assert_eq!(list_names(&rootfs), ["f 755 after 1 x", "f 755 s 9000 \\x00\\x00abc\\x00\\x00\\x00"]);
    }
}

#[test]
fn upper_layers_change_lower_ones() {
    let base = || {
        Archive::default()
            .directory("usr/bin")
            .file("usr/bin/sh", b"#!lower")
            .link("bin", "usr/bin")
            .link("up", "../../usr")
            .file("etc/a", b"a")
            .file("etc/b", b"b")
    };
    let (etc_a, etc_b) = ("f 755 etc/a 1 a", "f 755 etc/b 1 b");
    let (bin, sh, usr_bin) = ("l bin usr/bin", "f 755 usr/bin/sh 7 #!lower", "d 755 usr/bin");
    for (upper, removed, added) in [
        // Links in lower layers are followed on the way to a name, within the root.
        (
            Archive::default().file("bin/x", b"x").file("up/y", b"y"),
            vec![],
            vec!["f 755 usr/bin/x 1 x", "f 755 usr/y 1 y"],
        ),
        (
            Archive::default().hard_link("h", "bin/sh").file("bin/sh", b"up"),
            vec![sh],
            vec!["f 755 h 7 #!lower", "f 755 usr/bin/sh 2 up"],
        ),
        (Archive::default().hard_link("h", "bin").link("bin", "etc"), vec![bin], vec!["l bin etc", "l h usr/bin"]),
        // Whiteouts remove names of lower layers, wherever they are in the archive.
        (Archive::default().file("etc/.wh.a", b"").file("bin/.wh.sh", b""), vec![etc_a, sh], vec![]),
        (Archive::default().file("etc/a", b"new").file("etc/.wh.a", b""), vec![etc_a], vec!["f 755 etc/a 3 new"]),
        (Archive::default().file("etc/.wh.a", b"").file("etc/a", b"new"), vec![etc_a], vec!["f 755 etc/a 3 new"]),
        (
            Archive::default().file("etc/c", b"c").file("etc/.wh..wh..opq", b""),
            vec![etc_a, etc_b],
            vec!["f 755 etc/c 1 c"],
        ),
        (Archive::default().file("bin/.wh..wh..opq", b""), vec![sh], vec![]),
        (
            Archive::default().file("etc/d/e", b"e").file(".wh.etc", b""),
            vec![etc_a, etc_b],
            vec!["d 755 etc/d", "f 755 etc/d/e 1 e"],
        ),
        (Archive::default().file(".wh.bin", b"").file(".wh.none", b"").file("none/.wh.x", b""), vec![bin], vec![]),
        (Archive::default().file(".wh..wh.plnk", b"").file("etc/.wh..wh.aufs", b""), vec![], vec![]),
        // An entry replaces one of another type.
        (Archive::default().file("etc", b"file"), vec!["d 755 etc", etc_a, etc_b], vec!["f 755 etc 4 file"]),
        (Archive::default().link("usr/bin", "/etc"), vec![usr_bin, sh], vec!["l usr/bin /etc"]),
        (Archive::default().directory("bin").file("bin/z", b"z"), vec![bin], vec!["d 755 bin", "f 755 bin/z 1 z"]),
        (Archive::default().directory("etc/a").directory("etc"), vec![etc_a], vec!["d 755 etc/a"]),
    ] {
        let mut expected = list_names(&apply_layers([base()]).unwrap());
        removed.iter().for_each(|line| assert!(expected.contains(&(*line).to_owned()), "{line}"));
        expected.retain(|line| !removed.contains(&line.as_str()));
        expected.extend(added.into_iter().map(str::to_owned));
        expected.sort();
        let mut found = list_names(&apply_layers([base(), upper]).unwrap());
        found.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn layers_that_cannot_be_unpacked_are_errors() {
    let lower = || Archive::default().file("f", b"f").directory("d").link("loop", "loop");
    for (upper, error) in [
        (Archive::default().file("f/x", b""), ApplyError::NotADirectory("f".into())),
        (Archive::default().file("loop/x", b""), ApplyError::TooManyLinks("loop".into())),
        (Archive::default().hard_link("h", "none"), ApplyError::MissingLinkTarget("none".into())),
        (Archive::default().hard_link("h", "d"), ApplyError::MissingLinkTarget("d".into())),
        (Archive::default().hard_link("f", "f"), ApplyError::MissingLinkTarget("f".into())),
        (
            Archive::default().file("d/x", b"").link("l", "d").hard_link("l", "l/x"),
            ApplyError::MissingLinkTarget("l/x".into()),
        ),
    ] {
        assert_eq!(apply_layers([lower(), upper]), Err(error));
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
    assert_eq!(list_names(&apply_layers([Archive::default()]).unwrap()), [""; 0]);
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
        ("whiteout of the empty name", Archive::default().file(".wh.", b"").end()),
        ("whiteout of `..`", Archive::default().file("d/.wh...", b"").end()),
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
        whiteout of the empty name
            the layer's archive cannot be read: a whiteout without a name
        whiteout of `..`
            the layer's archive cannot be read: a whiteout without a name
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
fn too_many_names_are_not_applied() {
    let deep = read(&Archive::default().file("a/b/c/d/e", b"").file("x/y", b"").end()).unwrap();
    let apply = |limits| layers::apply_layer(&mut Rootfs::default(), &deep, &limits);
    let names = |entries_in_all| LayerLimits { total_entries: entries_in_all, ..LayerLimits::default() };
    assert_eq!(apply(names(6)), Err(ApplyError::LimitExceeded(LimitExceeded::TotalEntries(6))));
    assert_eq!(apply(names(7)), Ok(()));
    assert_eq!(
        apply(LayerLimits { memory: 20, ..LayerLimits::default() }),
        Err(ApplyError::LimitExceeded(LimitExceeded::Memory(20)))
    );

    let mut whiteouts =
        (0..40).fold(Archive::default().file("a/b", b""), |archive, _| archive.file("a/.wh..wh..opq", b""));
    whiteouts = whiteouts.file("c", b"");
    let layer = read(&whiteouts.end()).unwrap();
    let error = layers::apply_layer(&mut Rootfs::default(), &layer, &names(2));
    assert_eq!(error, Err(ApplyError::LimitExceeded(LimitExceeded::WhiteoutSteps(32))));

    // Each link passes through twice as many links as the one before it.
    let links = (1..60).fold(Archive::default().link("l0", "."), |archive, n| {
        archive.link(&format!("l{n}"), &format!("l{0}/l{0}", n - 1))
    });
    assert_eq!(apply_layers([links.file("l59/x", b"")]), Err(ApplyError::TooManyLinks("l59".into())));
}
