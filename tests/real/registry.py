"""Starts Debian's registry twice, without and with a password, fills both with skopeo, and runs a command.

The three images are an OCI image, a Docker image (schema 2) and an index, built from those of `images.py`. A layout has
the same content. The command finds the layout and the registries in TEST_REAL_REGISTRY_LAYOUT, _OPEN and _CLOSED. Needs
docker-registry, skopeo and htpasswd; installs missing ones if it runs as root.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

PACKAGES = {"docker-registry": "docker-registry", "skopeo": "skopeo", "htpasswd": "apache2-utils"}
USER, PASSWORD = "me", "0SECRET0"
REPOSITORY = "team/app"


def run(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)


def install():
    missing = [package for tool, package in PACKAGES.items() if not shutil.which(tool)]
    if not missing:
        return
    if os.geteuid() != 0:
        sys.exit(f"error: as root, install {missing}")
    run("apt-get", "update")
    run("apt-get", "install", "-y", "--no-install-recommends", *missing)


def docker_into(layout, directory, tag):
    """Copies an image from skopeo's `dir:` format to the layout, unchanged; skopeo itself would convert it to OCI."""
    manifest = (directory / "manifest.json").read_bytes()
    document = json.loads(manifest)
    for part in [document["config"], *document["layers"]]:
        name = part["digest"].removeprefix("sha256:")
        shutil.copy(directory / name, layout / "blobs/sha256" / name)
    name = hashlib.sha256(manifest).hexdigest()
    (layout / "blobs/sha256" / name).write_bytes(manifest)
    index = json.loads((layout / "index.json").read_text())
    index["manifests"].append({"mediaType": document["mediaType"], "digest": f"sha256:{name}", "size": len(manifest),
                               "annotations": {"org.opencontainers.image.ref.name": tag}})
    (layout / "index.json").write_text(json.dumps(index))


@contextlib.contextmanager
def registry(work, htpasswd=None):
    """Runs an empty registry on loopback; yields its host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = "127.0.0.1:%d" % free.getsockname()[1]
    work.mkdir()
    config = {"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
              "storage": {"filesystem": {"rootdirectory": str(work / "storage")}}, "http": {"addr": host}}
    if htpasswd:
        config["auth"] = {"htpasswd": {"realm": "real", "path": str(htpasswd)}}
    (work / "config.yml").write_text(json.dumps(config))
    with open(work / "log", "wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", work / "config.yml"], stdout=log, stderr=log)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{host}/v2/")
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        else:
            sys.exit(f"error: the registry did not start; see {work / 'log'}")
        yield host
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=pathlib.Path, required=True, help="the layout that images.py wrote")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="work directory; its content is deleted first")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    install()
    work = options.work.absolute()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    layout = work / "layout"
    run("skopeo", "copy", "--quiet", f"oci:{options.images}:image-of-arm64", f"oci:{layout}:oci")
    run("skopeo", "copy", "--quiet", "--all", f"oci:{options.images}:both", f"oci:{layout}:index")
    run("skopeo", "copy", "--quiet", "--format", "v2s2", f"oci:{options.images}:image-of-arm64", f"dir:{work}/docker")
    docker_into(layout, work / "docker", "docker")
    htpasswd = work / "htpasswd"
    run("htpasswd", "-Bbc", htpasswd, USER, PASSWORD)
    with registry(work / "open") as open_one, registry(work / "closed", htpasswd) as closed:
        for host in (open_one, closed):
            for tag, source in (("oci", f"oci:{layout}:oci"), ("index", f"oci:{layout}:index"),
                                ("docker", f"dir:{work}/docker")):
                run("skopeo", "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false",
                    f"--dest-creds={USER}:{PASSWORD}", source, f"docker://{host}/{REPOSITORY}:{tag}")
        environment = {"TEST_REAL_REGISTRY_LAYOUT": str(layout), "TEST_REAL_REGISTRY_OPEN": open_one,
                       "TEST_REAL_REGISTRY_CLOSED": closed}
        return subprocess.run(options.command, env=os.environ | environment).returncode


if __name__ == "__main__":
    sys.exit(main())
