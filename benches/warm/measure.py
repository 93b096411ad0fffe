#!/usr/bin/env python3
"""Measures how long it takes to say which platform an image in a registry is made for, and whether that suits a runtime.

What people type for it is `skopeo inspect --raw` and `skopeo inspect --config`, and they read both. Beside these stand
`ecr-preflight check --no-exec`, a process for every question too, and, from the benchmark of the start, the second event
of the function, whose connections are open. The registry is Debian's, on this machine; all take turns. Needs Debian's
docker-registry and skopeo.
"""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {directory}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""

# How long the registry may take to listen.
PATIENCE_S = 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait(port):
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > until:
                sys.exit("error: docker-registry does not listen")
            time.sleep(0.05)


def took(*commands):
    """Milliseconds that these commands take, one after another, and what they print."""
    began, printed = time.perf_counter(), []
    for command in commands:
        ran = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if ran.returncode:
            sys.exit(f"error: {command}: {ran.stderr.decode()}")
        printed.append(ran.stdout)
    return (time.perf_counter() - began) * 1e3, printed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, metavar="N", help="how often each takes its turn (default: 30)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures to this file too")
    parser.add_argument("--tool", type=pathlib.Path, metavar="FILE", help="measure this program instead of building one")
    arguments = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    if not arguments.tool:
        build = ["cargo", "build", "--quiet", "--locked", "--release", "--bin", "ecr-preflight"]
        subprocess.run(build, cwd=ROOT, check=True)
    tool = arguments.tool or target / "release/ecr-preflight"
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        configuration = pathlib.Path(directory, "registry.yml")
        configuration.write_text(CONFIGURATION.format(directory=directory, port=port))
        registry = subprocess.Popen(["docker-registry", "serve", configuration], stderr=subprocess.DEVNULL)
        try:
            wait(port)
            image = f"127.0.0.1:{port}/team/app:4.0.0-arm64"
            took(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{ROOT}/events/images:4.0.0-arm64",
                  f"docker://{image}"])
            inspect = ["skopeo", "inspect", "--tls-verify=false"]
            skopeo = [[*inspect, "--raw", f"docker://{image}"], [*inspect, "--config", f"docker://{image}"]]
            check = [tool, "check", "--no-exec", "--format", "json", "--runtime", "linux/arm64", image]
            turns = []
            for _ in range(arguments.runs):
                by_skopeo, printed = took(*skopeo)
                by_check, answered = took(check)
                # Both must have seen the same, or the figures say nothing.
                config, report = json.loads(printed[1]), json.loads(answered[0])
                if f'{config["os"]}/{config["architecture"]}' not in report["image"]["platforms"]:
                    sys.exit(f"error: {config} and {report}")
                turns.append((by_skopeo, by_check))
        finally:
            registry.kill()
            registry.wait()
    by_skopeo, by_check = (statistics.median(column) for column in zip(*turns))
    figures = {"skopeo inspect, twice, ms": by_skopeo, "ecr-preflight check --no-exec, ms": by_check}
    print("| median | ms | ratio |\n|---|--:|--:|")
    for what, milliseconds in figures.items():
        print(f"| {what.removesuffix(', ms')} | {milliseconds:.1f} | {milliseconds / by_check:.2f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
