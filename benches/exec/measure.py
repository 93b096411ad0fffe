#!/usr/bin/env python3
"""Measures how long it takes to predict whether an image's program starts, compared with other ways to read its layers.

Three images, built from files of this machine and from Debian packages:

  (a) a static program in the top layer of an image of 1 GB
  (b) python on a full Debian base
  (c) a command that is missing from 20 layers of 1 GB: all of them must be read

Each is checked by `ecr-preflight check`, listed by `gzip -dc | tar t`, unpacked by `umoci unpack`, and decompressed
without further processing on the same number of cores. The candidates run alternately, and the medians are compared:
ratios are the same on any machine, seconds are not. Needs root, and Debian's mmdebstrap, umoci and pigz. The images are
kept in the work directory.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# The limits of `--check`. The baseline decompresses the layers and computes the digests of both sides, which container
# runtimes verify too; the rest is a margin for busy machines. The limit is for the fastest run of each side, because
# other load only adds time. tar computes no digests, so the ratio to it depends on the processor's SHA instructions.
MAX_SHARE_A = 0.05
MAX_TO_INFLATE_C = 1.25
MIN_TAR_TO_TOOL_C = 2.0
MAX_PEAK_MIB = 64

GIB = 1 << 30
LAYERS = 20
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, **options)


def need(*tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing and os.geteuid() == 0:
        run("apt-get", "install", "-y", "--no-install-recommends", *missing, stdout=subprocess.DEVNULL)
    elif missing:
        sys.exit(f"error: install {', '.join(missing)}")


class Layout:
    """An OCI image layout under construction."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.tagged = []

    def blob(self, media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        (self.directory / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def layer(self, tar):
        """Adds a layer from a tar file, with pigz at gzip's default level; returns its descriptor and diff ID."""
        packed = run("pigz", "-6", "-n", "-c", tar, stdout=subprocess.PIPE).stdout
        with open(tar, "rb") as file:
            diff = hashlib.file_digest(file, "sha256").hexdigest()
        tar.unlink()
        return self.blob(LAYER, packed), f"sha256:{diff}"

    def image(self, tag, command, layers):
        run_config = {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
        rootfs = {"type": "layers", "diff_ids": [diff for _, diff in layers]}
        config = {"os": "linux", "architecture": "amd64", "config": run_config, "rootfs": rootfs}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(CONFIG, json.dumps(config).encode()),
                    "layers": [layer for layer, _ in layers]}
        named = {"annotations": {"org.opencontainers.image.ref.name": tag}}
        self.tagged.append(self.blob(MANIFEST, json.dumps(manifest).encode()) | named)
        index = {"schemaVersion": 2, "manifests": self.tagged}
        (self.directory / "index.json").write_text(json.dumps(index))


def files_of(root, wanted):
    """Yields files below a directory, sorted by name, until they add up to this number of bytes."""
    held = 0
    for directory, below, files in os.walk(root):
        below.sort()
        for name in sorted(files):
            path = pathlib.Path(directory, name)
            if path.is_symlink() or not path.is_file():
                continue
            yield path
            held += path.stat().st_size
            if held >= wanted:
                return
    print(f"note: {root} has only {held / GIB:.2f} GiB", file=sys.stderr)


def slices(work, count, wanted):
    """Writes tar files for this number of layers, each with its files' parent directories, as image builders do."""
    made = []

    def begin():
        path = work / f"slice-{len(made)}.tar"
        made.append(path)
        return tarfile.open(path, "w", format=tarfile.GNU_FORMAT), set(), 0

    tar, known, held = begin()
    for path in files_of("/usr", wanted):
        for above in reversed(path.parents[:-1]):
            if above not in known:
                known.add(above)
                entry = tarfile.TarInfo(str(above)[1:])
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
        tar.add(path, str(path)[1:], recursive=False)
        held += path.stat().st_size
        if held >= wanted / count and len(made) < count:
            tar.close()
            tar, known, held = begin()
    tar.close()
    return made


def make(work):
    """Builds the three images, if they do not exist."""
    done = work / "images/index.json"
    if done.exists() and len(json.loads(done.read_text())["manifests"]) == 3:
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    layout = Layout(work / "images")
    print("building three images of 1 GB; this takes some minutes", file=sys.stderr)
    layers = [layout.layer(tar) for tar in slices(work, LAYERS, GIB)]
    run("apt-get", "download", "busybox-static", cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("dpkg", "-x", next(work.glob("busybox-static*.deb")), work / "busybox")
    top = work / "top.tar"
    with tarfile.open(top, "w") as tar:
        entry = tarfile.TarInfo("usr/local/bin/app")
        for above in ("usr", "usr/local", "usr/local/bin"):
            directory = tarfile.TarInfo(above)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(directory)
        program = next((work / "busybox").rglob("bin/busybox"))
        entry.size, entry.mode = program.stat().st_size, 0o755
        with open(program, "rb") as file:
            tar.addfile(entry, file)
    layout.image("a", ["/usr/local/bin/app"], [*layers, layout.layer(top)])
    debian = work / "debian.tar"
    run("mmdebstrap", "--variant=important", "--include=python3", "bookworm", debian,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    layout.image("b", ["python3", "-c", "pass"], [layout.layer(debian)])
    layout.image("c", ["nowhere-at-all"], layers)


def layers_of(images, tag):
    index = json.loads((images / "index.json").read_text())
    named = next(entry for entry in index["manifests"]
                 if entry["annotations"]["org.opencontainers.image.ref.name"] == tag)
    blob = lambda digest: images / "blobs/sha256" / digest.removeprefix("sha256:")
    manifest = json.loads(blob(named["digest"]).read_text())
    return [blob(layer["digest"]) for layer in manifest["layers"]]


def measured(command, **options):
    """Runs a command; returns seconds, peak memory in MiB, standard output, standard error and exit code."""
    began = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return seconds, usage.ru_maxrss / 1024, output.decode(), errors.decode(), process.returncode


def tool(binary, images, tag):
    seconds, peak, output, errors, _ = measured([binary, "check", "--verbose", "--format", "json", f"oci:{images}:{tag}"])
    report = json.loads(output)
    read = int(next(line for line in errors.splitlines() if line.startswith("read ")).split()[1].replace(",", ""))
    return seconds, peak, read, report["exec"][0]


def listed(layers):
    began = time.monotonic()
    for layer in layers:
        run("bash", "-c", 'set -o pipefail; gzip -dc "$1" | tar t > /dev/null', "list", layer)
    return time.monotonic() - began


def unpacked(images, tag, work):
    bundle = work / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    began = time.monotonic()
    run("umoci", "unpack", "--image", f"{images}:{tag}", bundle, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    shutil.rmtree(bundle)
    return seconds


def build(target):
    environment = os.environ | {"CARGO_TARGET_DIR": str(target)}
    run("cargo", "build", "--quiet", "--locked", "--release", "--bin", "ecr-preflight",
        cwd=ROOT, env=environment)
    run("cargo", "build", "--quiet", "--locked", "--release", cwd=HERE / "inflate", env=environment)
    return target / "release/ecr-preflight", target / "release/inflate"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="how often each candidate runs (default: %(default)s)")
    parser.add_argument("--make", action="store_true", help="only build the images")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the results to this file")
    parser.add_argument("--check", action="store_true", help="exit with code 1 if a limit is exceeded")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/bench-exec",
                        help="directory for the images (default: %(default)s)")
    parser.add_argument("--target", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve())
    arguments = parser.parse_args()
    need("umoci", "pigz", "mmdebstrap", "skopeo")
    if arguments.make:
        make(arguments.work.resolve())
        return
    binary, inflate = build(arguments.target)
    # In another process, because the peak memory of a process is inherited by its children.
    run(sys.executable, "-B", __file__, "--make", "--work", arguments.work, "--target", arguments.target)
    images = arguments.work.resolve() / "images"
    cores = len(os.sched_getaffinity(0))
    print(f"| image | stored MB | ecr-preflight s | reads | peak MiB | bare inflate s ({cores} cores) | gzip -dc \\| tar t s "
          "| umoci unpack s | ratio to inflate | ratio of tar t | ratio of umoci |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    wrong, figures = [], {}
    for tag, outcome in (("a", "starts"), ("b", "starts"), ("c", "fails")):
        layers = layers_of(images, tag)
        stored = sum(layer.stat().st_size for layer in layers)
        # Load the layers into the page cache, without using memory of this process.
        run("cat", *layers, stdout=subprocess.DEVNULL)
        turns = []
        for _ in range(arguments.runs):
            seconds, peak, read, seen = tool(binary, images, tag)
            if seen["outcome"] != outcome:
                sys.exit(f"error: ({tag}) has an unexpected result: {seen}")
            bare = measured([inflate, cores, *layers])[0]
            turns.append((seconds, bare, listed(layers), unpacked(images, tag, arguments.work), peak, read))
        seconds, bare, tar, umoci, peak, read = (statistics.median(column) for column in zip(*turns))
        share = read / stored
        print(f"| ({tag}) | {stored / 1e6:.0f} | {seconds:.3f} | {share:.1%} | {peak:.0f} | {bare:.2f} | {tar:.2f} | {umoci:.2f} "
              f"| {seconds / bare:.2f} | {tar / seconds:.1f} | {umoci / seconds:.1f} |")
        figures[tag] = {"ecr-preflight, s": seconds, "bare inflate, s": bare, "gzip -dc | tar t, s": tar,
                        "umoci unpack, s": umoci, "reads": share, "peak, MiB": peak}
        checks = [(peak > MAX_PEAK_MIB, f"({tag}) peak memory {peak:.0f} MiB is over {MAX_PEAK_MIB}")]
        if tag == "a":
            checks.append((share > MAX_SHARE_A, f"(a) reads {share:.1%} of the bytes, more than {MAX_SHARE_A:.0%}"))
        if tag == "c":
            best = min(turn[0] for turn in turns) / min(turn[1] for turn in turns)
            checks.append((best > MAX_TO_INFLATE_C, f"(c) takes {best:.2f} times the bare inflate"))
            checks.append((tar / seconds < MIN_TAR_TO_TOOL_C, f"(c) is only {tar / seconds:.1f} times as fast as tar t"))
        wrong += [text for is_wrong, text in checks if is_wrong]
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    if wrong and arguments.check:
        sys.exit(1)


if __name__ == "__main__":
    main()
