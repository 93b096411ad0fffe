#!/usr/bin/env python3
"""Runs the remedies that the tool prints, with Docker and a registry, and checks that the images start afterwards.

Each image is built or copied by Docker, pushed to a registry, and has one fault: the tool must report it, and Docker
must fail to run the image. Then every command of the remedy is run on a fresh copy of the build context: a command in
the context's directory, an instruction in place of the Dockerfile's own. The image is built and pushed again; the tool
must report no fault any more, and Docker must run it.

Two commands need what Debian's Docker 20.10 lacks. `docker buildx build --push` is run as `docker build` with BuildKit,
which is the same builder, and `docker push`; `docker push --platform` (Docker 27) as `docker push`. An engine that
stores one platform of an image pushes the same in both cases. `docker buildx imagetools create` is run by skopeo.
Needs root and Debian's docker.io, docker-registry, skopeo, gcc and busybox-static; installs missing ones.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

from registry import registry, run

PACKAGES = {"dockerd": "docker.io", "docker-registry": "docker-registry", "skopeo": "skopeo", "gcc": "gcc",
            "busybox": "busybox-static"}
# The client of the same package as the daemon: others build with buildx only.
DOCKER = "/usr/bin/docker"
SCRIPT = b"#!/bin/sh\nexec echo started\n"
BASE = "FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/chmod\nCOPY busybox /bin/echo\nCOPY --chmod=755 app /app\n"
START = 'ENTRYPOINT ["/app"]\n'

# Images: fault, Dockerfile, and the content of `app`.
PROGRAMS = {
    "not executable": ("exec-permission", BASE.replace(" --chmod=755", "") + START, SCRIPT),
    "carriage returns": ("exec-interpreter-missing", BASE + START, SCRIPT.replace(b"\n", b"\r\n")),
    "no first line": ("exec-format", BASE + START, b"exec echo started\n"),
    "a byte order mark": ("exec-format", BASE + START, b"\xef\xbb\xbf" + SCRIPT),
    "a blank line first": ("exec-format", BASE + START, b"\n" + SCRIPT),
    "UTF-16": ("exec-format", BASE + START, SCRIPT.decode().encode("utf-16")),
    "an unreadable script": ("exec-permission", BASE.replace("755", "711") + "USER 1000\n" + START, SCRIPT),
    "an interpreter that is not executable":
        ("exec-permission", BASE + "COPY --chmod=644 busybox /opt/sh\n" + START, SCRIPT.replace(b"/bin/sh", b"/opt/sh")),
    "a user that is not in /etc/passwd": ("user-not-found", BASE + "USER app\n" + START, SCRIPT),
}
# Docker's build, push and pull of an image for a platform need programs of two architectures.
COPIED = "FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\n" + START


class Docker:
    """Docker's client, with a daemon of its own."""

    def __init__(self, work, source):
        self.environment = os.environ | {"DOCKER_HOST": f"unix://{work}/socket", "DOCKER_BUILDKIT": "1"}
        self.source = source
        self.log = open(work / "log", "ab")

    def run(self, *words, check=True, **options):
        options |= {"env": self.environment, "capture_output": True, "text": True}
        done = subprocess.run([DOCKER, *map(str, words)], **options)
        if check and done.returncode != 0:
            sys.exit(f"error: docker {shlex.join(map(str, words))}\n{done.stdout}{done.stderr}")
        return done

    def build(self, context, address, platform=None):
        platform = ["--platform", platform] if platform else []
        self.run("build", "--quiet", "--network", "none", *platform, "--tag", address, ".", cwd=context)
        self.run("push", address)

    def starts(self, address):
        """Whether the image prints that it started; and what Docker says."""
        self.run("rmi", "--force", address, check=False)
        done = self.run("run", "--rm", "--network", "none", "--pull", "always", address, check=False)
        return done.returncode == 0 and "started" in done.stdout, done.stderr.strip().splitlines()[-1:]

    def apply(self, command, context):
        """Runs a command of a remedy."""
        for part in command.replace("SOURCE", self.source).split(" && "):
            words = shlex.split(part)
            if words[:3] == ["docker", "buildx", "build"]:
                address = words[words.index("--tag") + 1]
                assert words[-2:] == ["--push", "."] and "--platform" in words, part
                self.build(context, address, words[words.index("--platform") + 1])
            elif words[:5] == ["docker", "buildx", "imagetools", "create", "--tag"]:
                address, source = words[5:]
                run("skopeo", "copy", "--quiet", "--all", "--src-tls-verify=false", "--dest-tls-verify=false",
                    f"docker://{source}", f"docker://{address}")
            elif words[:2] == ["docker", "push"]:
                self.run("push", words[-1])
            elif words[0] == "docker":
                self.run(*words[1:])
            else:
                subprocess.run(part, shell=True, check=True, cwd=context)


@contextlib.contextmanager
def docker(work, source):
    """Runs Docker's daemon, and yields its client."""
    work.mkdir()
    with open(work / "daemon.log", "wb") as log:
        process = subprocess.Popen(
            ["dockerd", "--data-root", work / "root", "--exec-root", work / "exec", "--pidfile", work / "pid",
             "--host", f"unix://{work}/socket", "--iptables=false", "--bridge=none"], stdout=log, stderr=log)
    client = Docker(work, source)
    try:
        for _ in range(300):
            if client.run("info", check=False).returncode == 0:
                break
            time.sleep(0.1)
        else:
            sys.exit(f"error: Docker did not start; see {work / 'daemon.log'}")
        yield client
    finally:
        process.terminate()
        process.wait()


def check(tool, address, runtime):
    """The tool's result for one runtime."""
    done = subprocess.run([tool, "check", address, "--runtime", runtime, "--format", "json"], capture_output=True,
                          text=True)
    if not done.stdout:
        sys.exit(f"error: {tool} check {address}\n{done.stderr}")
    return json.loads(done.stdout)["runtimes"][0]


def require(condition, *words):
    if not condition:
        sys.exit(" ".join(map(str, ("error:", *words))))


def remedy_commands(result, code):
    """The commands for the only fault, without those for the configuration of a service or for git."""
    faults = result["faults"]
    require([fault["code"] for fault in faults] == [code], result)
    commands = [step for step, advice in zip(faults[0]["remedy"], faults[0]["advice"], strict=True) if step != advice]
    return [command for command in commands if not command.startswith(("aws ", '"')) and not command.endswith("eol=lf")]


def replace_instruction(dockerfile, instruction):
    """The Dockerfile with an instruction in place of the one that it corrects; a new RUN comes before USER or the end."""
    words = instruction.split()
    lines = dockerfile.splitlines()
    if words[0] == "RUN":
        at = next(number for number, line in enumerate(lines) if line.startswith(("USER", "ENTRYPOINT")))
        return "\n".join([*lines[:at], instruction, *lines[at:]]) + "\n"
    same = [number for number, line in enumerate(lines)
            if line.split()[0] == words[0] and (words[0] != "COPY" or line.split()[-1] == words[-1])]
    require(len(same) == 1, dockerfile, instruction)
    lines[same[0]] = instruction
    return "\n".join(lines) + "\n"


def write_context(directory, dockerfile, files):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "Dockerfile").write_text(dockerfile)
    for name, content in files.items():
        (directory / name).write_bytes(content)
        (directory / name).chmod(0o755 if name != "app" else 0o644)


def check_programs(tool, client, host, work):
    busybox = pathlib.Path(shutil.which("busybox")).read_bytes()
    count = 0
    for number, (name, (code, dockerfile, app)) in enumerate(PROGRAMS.items()):
        files = {"app": app, "busybox": busybox}
        address = f"{host}/team/app:{number}"
        write_context(work / "context", dockerfile, files)
        client.build(work / "context", address)
        commands = remedy_commands(check(tool, address, "ecs/amd64"), code)
        starts, said = client.starts(address)
        require(not starts, name, "starts in Docker")
        print(f"{name}: {code}; Docker: {' '.join(said)[-90:]}")
        require(commands, name, "has no command as a remedy")
        for command in commands:
            write_context(work / "context", dockerfile, files)
            if command.split()[0] in ("COPY", "RUN", "USER", "ENTRYPOINT"):
                (work / "context/Dockerfile").write_text(replace_instruction(dockerfile, command))
            else:
                client.apply(command, work / "context")
            client.build(work / "context", address)
            result = check(tool, address, "ecs/amd64")
            # A script's own commands are not followed, so its start is not verified; Docker shows that it starts.
            require(result["verdict"] == "runs", name, command, result)
            starts, said = client.starts(address)
            require(starts, name, command, said)
            print(f"  fixed by: {command}")
            count += 1
    return count


def check_copies(tool, client, host, work):
    """An image that is copied on a computer with another architecture, for runtimes that do and do not take an index."""
    count = 0
    for number, runtime in enumerate(("ecs/amd64", "apprunner", "lambda/amd64")):
        address = f"{host}/team/copied:{number}"
        client.run("pull", "--platform", "linux/arm64", client.source)
        client.run("tag", client.source, address)
        client.run("push", address)
        commands = remedy_commands(check(tool, address, runtime), "wrong-architecture")
        print(f"a copy of linux/arm64 for {runtime}")
        for command in commands:
            client.apply(command, work / "copied")
            result = check(tool, address, runtime)
            require(result["verdict"] == "runs" and result["verified"], command, result)
            starts, said = client.starts(address)
            require(starts, command, said)
            print(f"  fixed by: {command}")
            count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", type=pathlib.Path, required=True, help="the program ecr-preflight")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="work directory; its content is deleted first")
    options = parser.parse_args()
    if missing := [package for tool, package in PACKAGES.items() if not shutil.which(tool)]:
        run("apt-get", "install", "-y", "--no-install-recommends", *missing)
    work = options.work.absolute()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    program = work / "app.c"
    program.write_text('#include <stdio.h>\nint main(void) { return puts("started") < 0; }\n')
    with registry(work / "registry") as host, docker(work / "docker", f"{host}/source/app:v1") as client:
        amd64 = work / "app-amd64"
        run("gcc", "-static", "-Os", "-o", amd64, program)
        arm64 = bytearray(amd64.read_bytes())
        arm64[18] = 0xb7  # e_machine: EM_AARCH64
        write_context(work / "copied", COPIED, {"app-amd64": amd64.read_bytes(), "app-arm64": bytes(arm64)})
        platforms = ("amd64", "arm64")
        for platform in platforms:
            client.build(work / "copied", f"{host}/source/app:{platform}", f"linux/{platform}")
        client.run("manifest", "create", "--insecure", client.source,
                   *(f"{host}/source/app:{platform}" for platform in platforms))
        client.run("manifest", "push", "--insecure", client.source)
        count = check_copies(options.tool.absolute(), client, host, work)
        count += check_programs(options.tool.absolute(), client, host, work)
    print(f"{count} commands of remedies make the images start")


if __name__ == "__main__":
    main()
