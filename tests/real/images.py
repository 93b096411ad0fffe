#!/usr/bin/env python3
"""Builds the seven images of the test matrix from Debian's busybox-static packages.

The images are built by umoci and copied by skopeo, so that manifests and configs are those of real tools. An index, an
attestation and a Helm chart, which these tools cannot create, are written here in the form that buildx and helm use.
Needs Debian's package tools, umoci and skopeo; installs missing ones if it runs as root.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys

ARCHITECTURES = ("amd64", "arm64")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, **options)


def install():
    missing = [tool for tool in ("umoci", "skopeo") if not shutil.which(tool)]
    foreign = set(subprocess.check_output(["dpkg", "--print-foreign-architectures"], text=True).split())
    foreign.add(subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip())
    missing_architectures = [name for name in ARCHITECTURES if name not in foreign]
    if not missing and not missing_architectures:
        return
    if os.geteuid() != 0:
        sys.exit(f"error: as root, install {missing}, and run `dpkg --add-architecture` for {missing_architectures}")
    for name in missing_architectures:
        run("dpkg", "--add-architecture", name)
    run("apt-get", "update")
    run("apt-get", "install", "-y", "--no-install-recommends", "umoci", "skopeo")


def busybox(work, architecture):
    """Returns the static busybox of one architecture, from its package."""
    directory = work / architecture
    directory.mkdir(parents=True)
    run("apt-get", "download", f"busybox-static:{architecture}", cwd=directory, stderr=subprocess.DEVNULL)
    run("dpkg", "-x", next(directory.glob("*.deb")), directory / "root")
    return directory / "root/bin/busybox"


def arm():
    """Returns a minimal program for arm: a 32-bit header, one segment, and exit(0)."""
    code = bytes.fromhex("0170a0e3 0000a0e3 000000ef")
    size, base = 52 + 32 + len(code), 0x10000
    header = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 40, 1, base + 52 + 32, 52, 0, 0x05000000,
                         52, 32, 1, 40, 0, 0)
    return header + struct.pack("<8I", 1, 0, base, base, size, size, 5, 0x1000) + code


class Layout:
    """An OCI image layout, built by umoci and copied by skopeo."""

    def __init__(self, directory, work):
        self.directory, self.made = directory, work / "umoci"
        run("umoci", "init", "--layout", self.made)

    def image(self, tag, architecture, program):
        image = f"{self.made}:{tag}"
        run("umoci", "new", "--image", image)
        run("umoci", "config", "--image", image, "--os", "linux", "--architecture", architecture)
        run("umoci", "insert", "--rootless", "--image", image, program, "/app")
        run("umoci", "config", "--image", image, "--config.entrypoint", "/app")
        run("skopeo", "copy", "--quiet", f"oci:{image}", f"oci:{self.directory}:{tag}")
        return self.descriptor(tag)

    def index(self):
        return json.loads((self.directory / "index.json").read_text())

    def descriptor(self, tag):
        named = (entry for entry in self.index()["manifests"]
                 if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag)
        return {key: value for key, value in next(named).items() if key in ("mediaType", "digest", "size")}

    def blob(self, media_type, content):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self.directory / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def manifest(self, config, *layers):
        return self.blob(MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})

    def list(self, *children):
        return self.blob(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": children})

    def tag(self, name, descriptor):
        index = self.index()
        index["manifests"].append(descriptor | {"annotations": {"org.opencontainers.image.ref.name": name}})
        (self.directory / "index.json").write_text(json.dumps(index))


def with_platform(descriptor, architecture):
    return descriptor | {"platform": {"os": "linux", "architecture": architecture}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path, help="output directory; its content is deleted first")
    directory = parser.parse_args().directory.resolve()
    shutil.rmtree(directory, ignore_errors=True)
    install()
    work = directory / "work"
    programs = {name: busybox(work, name) for name in ARCHITECTURES}
    layout = Layout(directory / "layout", work)
    amd64 = layout.image("amd64-image", "amd64", programs["amd64"])
    arm64 = layout.image("image-of-arm64", "arm64", programs["arm64"])
    # Debian's 32-bit busybox would need the package lists of a third architecture. This program only exits.
    programs["arm"] = work / "arm"
    programs["arm"].write_bytes(arm())
    programs["arm"].chmod(0o755)
    layout.image("arm-v7", "arm", programs["arm"])
    layout.tag("both", layout.list(with_platform(amd64, "amd64"), with_platform(arm64, "arm64")))
    statement = layout.blob("application/vnd.in-toto+json", {"_type": "https://in-toto.io/Statement/v0.1"})
    attestation = layout.manifest(layout.blob(CONFIG, {"os": "unknown", "architecture": "unknown"}), statement)
    attesting = attestation | {
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest",
                        "vnd.docker.reference.digest": arm64["digest"]},
    }
    layout.tag("attested", layout.list(with_platform(arm64, "arm64"), attesting))
    layout.tag("attestation", attestation)
    chart = layout.blob("application/vnd.cncf.helm.config.v1+json", {"name": "chart", "version": "1.0.0"})
    layout.tag("chart", layout.manifest(chart, layout.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"")))
    print(layout.directory)


if __name__ == "__main__":
    main()
