"""Images that are made to hurt whoever reads them, as OCI image layouts.

Does not measure anything. Each is made from nothing by a few lines; none is larger than 40 MB as stored.
"""

import gzip
import hashlib
import json
import struct
import zlib

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"

GIB = 1 << 30
MIB = 1 << 20


class Layout:
    """An OCI image layout with one image."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        (self.directory / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def only(self, descriptor):
        (self.directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))

    def image(self, layers, run=None, config=None, **manifest):
        """Of layers, the lowest first, given as bytes or as a pair of a media type and bytes."""
        if config is None:
            config = json.dumps({"os": "linux", "architecture": "amd64", "config": run or {"Cmd": ["/app"]}}).encode()
        typed = [layer if isinstance(layer, tuple) else (LAYER, layer) for layer in layers]
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(CONFIG, config)}
        document["layers"] = [self.blob(*layer) for layer in typed]
        self.only(self.blob(MANIFEST, json.dumps(document | manifest).encode()))


def header(name, kind=b"0", size=0, mode=0o755, target=b"", magic=b"ustar\x0000"):
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"%07o\0" % mode
    block[108:124] = b"0000000\0" * 2
    block[124:136] = b"%011o\0" % size if size < 8 * GIB else b"\x80" + size.to_bytes(11, "big")
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[157 : 157 + len(target)] = target
    block[257:265] = magic
    return summed(block)


def summed(block):
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def entry(name, data=b"", **fields):
    return header(name, size=len(data), **fields) + padded(data)


def long(kind, text):
    """What GNU tar puts before an entry with a long name (L) or target (K)."""
    return entry(b"././@LongLink", text + b"\0", kind=kind, magic=b"ustar  \0")


def link(name, target):
    before = long(b"K", target) if len(target) > 99 else b""
    return before + header(name, kind=b"2", target=target[:99])


def packed(*entries, end=bytes(1024)):
    return gzip.compress(b"".join(entries) + end, 6, mtime=0)


def deflated(*parts):
    """gzip of parts, each a pair of bytes and how often they are repeated; what is repeated is deflated once. The sum at
    its end is wrong: nobody should come so far."""
    out = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for data, times in parts:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        out.append((deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)) * times)
    return b"".join([*out, b"\x03\0", bytes(8)])


def rle(first, times):
    """A zstd frame with a window of 128 KiB: some bytes, then blocks of zeros, four bytes for each 128 KiB."""
    block = lambda kind, size, last=0: struct.pack("<I", size << 3 | kind << 1 | last)[:3]
    zeros = block(1, 128 * 1024) + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x38" + block(0, len(first)) + first + zeros * times + block(0, 0, 1)


def numbered(prefix, count, kind=b"0", suffix=b""):
    """Headers of names that count up."""
    width = len(b"%d" % (count - 1))
    base = header(prefix + b"0" * width + suffix, kind=kind)
    at, plain = len(prefix), int(base[148:154], 8)
    before, between, after = base[:at], base[at + width : 148], base[154:]
    digits = sum(b"0" * width)
    for number in range(count):
        name = b"%0*d" % (width, number)
        yield b"".join((before, name, between, b"%06o" % (plain + sum(name) - digits), after))


def program(machine=62, interpreter=None, at=None):
    """A program of one header; with an interpreter, that names it, and lies where it is told to."""
    name = interpreter or b""
    place = at if at is not None else 120
    kind = 3 if interpreter else 1
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x400078, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return head + struct.pack("<IIQQQQQQ", kind, 5, place, 0x400000, 0x400000, len(name), len(name), 4096) + name


def app(layout, **run):
    layout.image([packed(entry(b"app", program()))], {"Cmd": ["/app"]} | run)


def gzip_bomb(layout):
    layout.image([deflated((header(b"zeros", size=10 * GIB), 1), (bytes(16 * MIB), 640))])


def zstd_bomb(layout):
    layout.image([(ZSTD, rle(header(b"zeros", size=10 * GIB), 10 * GIB // (128 * 1024)))])


def zstd_window(layout):
    frame = b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\x01\0\0"
    layout.image([(ZSTD, frame)])


def ten_million_entries(layout):
    layout.image([deflated((b"".join(numbered(b"f", 100_000)), 100))])


def million_names(layout):
    """As many names as one layer may have, in a directory that is not put before them: they are laid out one by one."""
    layout.image([packed(*numbered(b"d/f", 1_000_000))])


def names_at_the_bound(layout):
    """Ten layers, each as large in memory as one may be."""
    names = b"".join(numbered(b"%s/f" % (b"n" * 60), 550_000))
    layout.image([packed(names, entry(b"%d" % number)) for number in range(10)])


def deep_name(layout):
    layout.image([packed(long(b"L", b"a/" * 100_000 + b"a"), entry(b"a"))])


def deep_directory(layout):
    app(layout, WorkingDir="/a" * 100_000, Cmd=["./none"])


def deep_dots(layout):
    app(layout, WorkingDir="/.." * 100_000 + "/a/b", Cmd=["./none"])


def deep_command(layout):
    app(layout, Cmd=["/a" * 100_000])


def deep_volumes(layout):
    volumes = {f"/{number}" + "/a" * 4_000: {} for number in range(100)}
    app(layout, Volumes=volumes, Cmd=["/none"])


def long_path(layout):
    app(layout, Cmd=["none"], Env=["PATH=" + ":".join(f"/d{number}" for number in range(100_000))])


def link_loop(layout):
    layout.image([packed(link(b"app", b"b"), link(b"b", b"app"))])


def link_chain(layout):
    links = b"".join(link(b"l%06d" % number, b"l%06d" % (number + 1)) for number in range(300_000))
    layout.image([packed(links, entry(b"l300000", program()))], {"Cmd": ["/l000000"]})


WAY = b"d/../" * 800


def link_forest(layout):
    """Chains of links that go to and fro on 1,600 names each, on the way to every entry."""
    links = [link(b"l%03d" % number, WAY + b"l%03d" % (number + 1)) for number in range(250)]
    # Beside the entry before it, an entry's way is known.
    names = b"".join(name + entry(b"d/f") for name in numbered(b"l000/f", 200_000))
    layout.image([packed(entry(b"d", kind=b"5"), *links, entry(b"l250", kind=b"5"), names)])


def link_path(layout):
    """The same on the way to every directory of PATH."""
    links = [link(b"%d" % number, WAY + b"%d" % (number + 1)) for number in range(39)]
    search = ":".join(["/0"] * 300_000)
    layers = [packed(entry(b"d", kind=b"5"), *links, entry(b"39", kind=b"5"))]
    layout.image(layers, {"Cmd": ["none"], "Env": [f"PATH={search}"]})


def whiteout_storm(layout):
    names = packed(header(b"d", kind=b"5"), *numbered(b"d/f", 300_000))
    storm = packed(header(b"d", kind=b"5"), *numbered(b"d/g", 300_000), *[entry(b"d/.wh..wh..opq")] * 300_000, entry(b"x/y"))
    layout.image([names, storm, packed(*numbered(b"d/.wh.f", 300_000))])


def pax_bomb(layout):
    """Records as large as they may be, one after the other."""
    value = b"x" * (MIB - 100)
    record = b"%d comment=%s\n" % (len(value) + 17, value)
    layout.image([deflated((entry(b"x", record, kind=b"x") + entry(b"f"), 2_000))])


def longname_bomb(layout):
    layout.image([deflated((header(b"././@LongLink", b"L", 7 * GIB, magic=b"ustar  \0"), 1), (bytes(16 * MIB), 500))])


def sparse_bomb(layout):
    """A file of 4 EiB in 60,000 pieces of no bytes."""
    pieces = b"".join(b"%d\n0\n" % (number << 40) for number in range(60_000))
    data = padded(b"60000\n" + pieces)
    sizes = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "app")]
    sizes += [("GNU.sparse.realsize", str(1 << 62))]
    records = b""
    for key, value in sizes:
        rest = f" {key}={value}\n".encode()
        length = next(n for n in range(999) if len(str(n)) + len(rest) == n)
        records += b"%d" % length + rest
    layout.image([packed(entry(b"x", records, kind=b"x") + entry(b"app", data))])


def interpreter_outside(layout):
    layout.image([packed(entry(b"app", program(interpreter=b"/lib/ld.so\0", at=1 << 60)))])


def script_loop(layout):
    layout.image([packed(entry(b"app", b"#!/b\n"), entry(b"b", b"#!/app\n"))])


def env_loop(layout):
    layers = packed(entry(b"usr/bin/env", program()), entry(b"app", b"#!/usr/bin/env app\n"))
    layout.image([layers], {"Cmd": ["app"], "Env": ["PATH=/"]})


def large_index(layout):
    child = {"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1}
    children = [child | {"platform": {"os": "linux", "architecture": f"a{number}"}} for number in range(10_000)]
    layout.only(layout.blob(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()))


def manifest_at_its_cap(layout):
    """4 MiB of empty objects where layers are to be."""
    begins = b'{"schemaVersion":2,"mediaType":"%s","config":{},"layers":[{}' % MANIFEST.encode()
    room = 4 * MIB - len(begins) - 2
    layout.only(layout.blob(MANIFEST, begins + b",{}" * (room // 3) + b" " * (room % 3) + b"]}"))


def many_layers(layout):
    layout.image([packed(entry(b"app", program()))] * 10_000)


def config_at_its_cap(layout):
    filled_config(layout, MIB)


def config_above_its_cap(layout):
    filled_config(layout, MIB + 1)


def filled_config(layout, size):
    begins, ends = b'{"os":"linux","architecture":"amd64","config":{"Env":[""', b'],"Cmd":["/app"]}}'
    room = size - len(begins) - len(ends)
    config = begins + b',""' * (room // 3) + b" " * (room % 3) + ends
    layout.image([packed(entry(b"app", program()))], config=config)


def deep_json(layout):
    layout.only(layout.blob(MANIFEST, b'{"a":' * 500_000 + b"1" + b"}" * 500_000))


def deep_json_config(layout):
    layout.image([packed(entry(b"app", program()))], config=b'{"config":' + b"[" * 400_000 + b"]" * 400_000 + b"}")


def duplicate_keys(layout):
    config = b'{"os":"linux","architecture":"arm64","architecture":"amd64","config":{"Cmd":["/app"],"Cmd":["/none"]}}'
    layout.image([packed(entry(b"app", program()))], config=config)


# Name, maker, the verdict, and what is said of it.
IMAGES = [
    ("10 GiB of zeros in 10 MB of gzip", gzip_bomb, "unknown", "decompresses to more than 200 times its size"),
    ("10 GiB of zeros in 330 kB of zstd", zstd_bomb, "unknown", "decompresses to more than 200 times its size"),
    ("a zstd window of 2 GiB", zstd_window, "unknown", "cannot be decompressed"),
    ("ten million entries", ten_million_entries, "unknown", "more than 1000000 entries"),
    ("a million names in a directory of no layer", million_names, "fails", "/app is not in the image"),
    ("ten layers of as many names as are kept", names_at_the_bound, "unknown", "names"),
    ("a name of 100,000 components", deep_name, "unknown", "longer than 4095 bytes"),
    ("a working directory of 100,000 components", deep_directory, "unknown", "the working directory"),
    ("a working directory of 100,000 `..`", deep_dots, "unknown", "the working directory"),
    ("a command of 100,000 components", deep_command, "fails", "is not in the image"),
    ("100 volumes of 4,000 components", deep_volumes, "fails", "/none is not in the image"),
    ("a `PATH` of 100,000 directories", long_path, "fails", "none is in no directory"),
    ("two links that lead to one another", link_loop, "fails", "links without an end"),
    ("300,000 links in a row", link_chain, "fails", "links without an end"),
    ("chains of links on the way to 200,000 files", link_forest, "unknown", "lie behind links through more than"),
    ("chains of links on the way to 300,000 directories of `PATH`", link_path, "unknown", "takes too many steps"),
    ("600,000 whiteouts over 600,000 names", whiteout_storm, "unknown", "whiteouts go through more than"),
    ("2,000 pax records of 1 MiB", pax_bomb, "unknown", ""),
    ("a GNU name of 7 GiB", longname_bomb, "unknown", "longer than 1048576 bytes"),
    ("a sparse file of 4 EiB", sparse_bomb, "unknown", "a record of the archive is longer"),
    ("a loader's name at 1 EiB", interpreter_outside, "fails", "damaged or cut off"),
    ("two scripts that name one another", script_loop, "fails", "one too many of those that name each other"),
    ("a script that `env` starts again", env_loop, "runs", ""),
    ("an index of 10,000 children", large_index, "unknown", "more than the 200 that are read"),
    ("a manifest of 4 MiB of empty layers", manifest_at_its_cap, "ignored", ""),
    ("10,000 layers", many_layers, "unknown", "more than the 500 that are read"),
    ("a config of 1 MiB of empty variables", config_at_its_cap, "runs", ""),
    ("a config of a byte more", config_above_its_cap, "unknown", "more than the 1048576 that are read"),
    ("a manifest nested 500,000 deep", deep_json, "unknown", "has no config"),
    ("a config nested 400,000 deep", deep_json_config, "ignored", ""),
    ("keys that are there twice", duplicate_keys, "unknown", "duplicate field"),
]
