#!/usr/bin/env python3
"""Packs files into a .tar, .tar.gz or .zip archive. The same files always give the same bytes.

    packaging/archive.py ARCHIVE FILE[=NAME]...

NAME is the name in the archive; by default the file's own name. Modes are 755 for executable files and 644 for others.
The time of all entries is SOURCE_DATE_EPOCH, in seconds since 1970; by default the first second of 1980, because zip
archives have no earlier time.
"""

import gzip
import io
import os
import stat
import sys
import tarfile
import time
import zipfile
from pathlib import Path

EARLIEST = 315532800


def main(archive, *arguments):
    entries = [(Path(file), name or Path(file).name) for file, _, name in (one.partition("=") for one in arguments)]
    moment = max(int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST)), EARLIEST)
    {".tar": pack_tar, ".gz": pack_gzip, ".zip": pack_zip}[Path(archive).suffix](archive, entries, moment)


def mode(file):
    return 0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644


def pack_tar(archive, entries, moment):
    with open(archive, "wb") as out:
        write_tar(out, entries, moment)


def pack_gzip(archive, entries, moment):
    with open(archive, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=moment) as zipped:
        write_tar(zipped, entries, moment)


def write_tar(out, entries, moment):
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file, name in entries:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.mtime, entry.size = mode(file), moment, file.stat().st_size
            tar.addfile(entry, io.BytesIO(file.read_bytes()))


def pack_zip(archive, entries, moment):
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file, name in entries:
            entry = zipfile.ZipInfo(name, time.gmtime(moment)[:6])
            # As on Linux, whichever system packs it: Lambda reads the mode of `bootstrap`.
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | mode(file)) << 16
            packed.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
