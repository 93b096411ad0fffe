#!/usr/bin/env python3
"""Measures how long it takes to find out the platform of an image in a registry, and whether it fits a runtime.

Compares `ecr-preflight check --no-exec` with what people usually run: `skopeo inspect --raw` and then `skopeo inspect
--config`. The page also shows the second event of the function, with open connections, from the start-up benchmark. The
registry is Debian's docker-registry on this machine, and all candidates run alternately. Needs docker-registry and
skopeo.
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

# Timeout for the start of the registry.
TIMEOUT_S = 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait(port):
    until = time.monotonic() + TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > until:
                sys.exit("error: docker-registry does not listen")
            time.sleep(0.05)


def took(*commands):
    """Runs these commands one after another; returns the milliseconds and what they print."""
    began, printed = time.perf_counter(), []
    for command in commands:
        ran = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if ran.returncode:
            sys.exit(f"error: {command}: {ran.stderr.decode()}")
        printed.append(ran.stdout)
    return (time.perf_counter() - began) * 1e3, printed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, metavar="N", help="how often each candidate runs (default: 30)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the results to this file")
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
                # Both must find the same platform; otherwise the figures mean nothing.
                config, report = json.loads(printed[1]), json.loads(answered[0])
                if f'{config["os"]}/{config["architecture"]}' not in report["image"]["platforms"]:
                    sys.exit(f"error: the platforms differ: {config} and {report}")
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
