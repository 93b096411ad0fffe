"""Fills the emulator's registry directly, because pushing ten thousand images would take longer than auditing them.

The launcher does this if `EMULATOR_IMAGES` is set: `500x20` means 500 repositories with 20 images each.
"""

import gzip
import hashlib
import io
import json
import struct
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
# `e_machine`, and machine code for `exit(0)`.
PROGRAMS = {
    "amd64": (62, b"\xb8\x3c\0\0\0\x31\xff\x0f\x05"),
    "arm64": (183, b"\xa8\x0b\x80\xd2\0\0\x80\xd2\x01\0\0\xd4"),
}
# Every tenth repository declares a runtime of the other architecture.
WRONG = 10
PUSHED = 1_790_000_000


def is_wrong(number):
    return number % WRONG == 0


def name(number):
    return f"team-{number % 7}/app-{number:04}"


def fill(ecr, repositories, images):
    """Adds repositories with this number of images each to the emulator's store."""
    layers = {architecture: layer(architecture) for architecture in PROGRAMS}
    rootfs = {"type": "layers", "diff_ids": [digest(gzip.decompress(layers["arm64"]))]}
    for number in range(repositories):
        repository = name(number)
        runtime = "ecs/amd64" if is_wrong(number) else "ecs/arm64"
        ecr._create_repository({"repositoryName": repository, "tags": [{"Key": "intended-runtime", "Value": runtime}]})
        blobs = {digest(layers["arm64"]): layers["arm64"]}
        for image in range(images):
            config = {"os": "linux", "architecture": "arm64", "rootfs": rootfs}
            config["config"] = {"Entrypoint": ["/app"], "Labels": {"number": f"{number} {image}"}}
            config = json.dumps(config).encode()
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described(CONFIG, config)}
            manifest["layers"] = [described(LAYER, layers["arm64"])]
            blobs[digest(config)] = config
            text = json.dumps(manifest)
            ecr._images[repository].append(
                {
                    "registryId": ecr._registry_id(),
                    "repositoryName": repository,
                    "imageId": {"imageDigest": digest(text.encode()), "imageTag": f"v{image}"},
                    "imageManifest": text,
                    "imageManifestMediaType": MANIFEST,
                    "imageTags": [f"v{image}"],
                    "imagePushedAt": PUSHED + image,
                    "imageDigest": digest(text.encode()),
                }
            )
        ecr._layer_blobs[repository] = blobs


def described(media_type, blob):
    return {"mediaType": media_type, "digest": digest(blob), "size": len(blob)}


def digest(blob):
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def layer(architecture):
    """Returns a layer with a static program, `/app`."""
    machine, code = PROGRAMS[architecture]
    base, headers = 0x400000, 64 + 56
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = headers + len(code)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + code
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("app")
        member.size, member.mode = len(elf), 0o755
        tar.addfile(member, io.BytesIO(elf))
    return gzip.compress(archive.getvalue(), mtime=0)
