#!/usr/bin/env python3
"""Writes an OCI image layout with the command-line tool, without a container engine.

    packaging/image.py LAYOUT VERSION REVISION CERTIFICATES ARCHIVE...

Each ARCHIVE is an `ecr-preflight-TARGET.tar.gz` of a static build for Linux, and becomes the image of its platform in
the index `VERSION`. An image has three files in one layer: the tool, its licenses, and the CA certificates, because the
tool trusts the certificates of the system that it runs on. It runs as a user that owns nothing. The same inputs always
give the same bytes; the time of everything is SOURCE_DATE_EPOCH.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import time
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# `nobody` has other numbers elsewhere; this is the one that distroless images use.
USER = "65532:65532"
TITLE = "ecr-preflight"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def main(layout, version, revision, certificates, *archives):
    moment = int(os.environ["SOURCE_DATE_EPOCH"])
    layout = Layout(Path(layout))
    annotations = {
        "org.opencontainers.image.title": TITLE,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
    }
    images = [add_image(layout, Path(archive), Path(certificates), annotations, moment) for archive in archives]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": images, "annotations": annotations}
    layout.finish(layout.add_json(INDEX, index) | {"annotations": {"org.opencontainers.image.ref.name": version}})


def add_image(layout, archive, certificates, annotations, moment):
    """Adds the image of one archive; returns its descriptor in the index."""
    architecture = ARCHITECTURES[archive.name.removeprefix("ecr-preflight-").partition("-")[0]]
    tar = layer(archive, certificates, moment)
    # A fixed level and no time or name in the header.
    compressed = layout.add(LAYER, gzip.compress(tar, 9, mtime=0))
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    platform = {"architecture": architecture, "os": "linux"}
    config = {
        **platform,
        "created": created,
        "config": {"User": USER, "Entrypoint": ["/ecr-preflight"], "WorkingDir": "/", "Labels": annotations},
        "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
        "history": [{"created": created, "created_by": "packaging/image.py"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.add_json(CONFIG, config),
        "layers": [compressed],
        "annotations": annotations,
    }
    return layout.add_json(MANIFEST, manifest) | {"platform": platform}


def layer(archive, certificates, moment):
    """Returns the uncompressed layer."""
    with tarfile.open(archive) as packed:
        content = {name: packed.extractfile(name).read() for name in packed.getnames()}
    files = {
        "ecr-preflight": (content["ecr-preflight"], 0o755),
        "etc/ssl/certs/ca-certificates.crt": (certificates.read_bytes(), 0o644),
        **{
            f"usr/share/doc/{TITLE}/{name}": (content[name], 0o644) for name in sorted(content) if name.startswith("LICENSE")
        },
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
            add(tar, name, moment, 0o755)
        for name, (data, mode) in files.items():
            add(tar, name, moment, mode, data)
    return out.getvalue()


def add(tar, name, moment, mode, data=None):
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode = moment, mode
    if data is None:
        entry.type = tarfile.DIRTYPE
    else:
        entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data or b""))


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Layout:
    """An image layout: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>."""

    def __init__(self, directory):
        shutil.rmtree(directory, ignore_errors=True)
        self.directory, self.blobs = directory, directory / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)

    def add(self, media_type, data):
        """Adds a blob; returns its descriptor."""
        name = digest(data)
        (self.blobs / name.removeprefix("sha256:")).write_bytes(data)
        return {"mediaType": media_type, "digest": name, "size": len(data)}

    def add_json(self, media_type, value):
        return self.add(media_type, json.dumps(value, separators=(",", ":")).encode())

    def finish(self, descriptor):
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]}
        (self.directory / "index.json").write_text(json.dumps(index))
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
