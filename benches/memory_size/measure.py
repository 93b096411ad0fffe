#!/usr/bin/env python3
"""Measures how long inspections take with the share of a processor that Lambda gives a memory size, and what they cost.

Lambda gives a function processor time in proportion to its memory: one vCPU at 1,769 MB, and a second one above. Here a
control group limits `ecr-preflight check` to the same share of this machine's cores. The images are those of
`make bench-exec`: (b) python on a full Debian base, 99 MB, and (c) a command that is missing from 20 layers, 406 MB. The
price is that of the function's running time alone. Needs root, and what `make bench-exec` needs.
"""

import argparse
import importlib.util
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SIZES = [128, 256, 512, 1024, 1769, 3008]
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEGABYTES_PER_CPU = 1769
# Dollars for a GB-second on arm64 in us-east-1: https://aws.amazon.com/lambda/pricing/
PRICE = 0.0000133334
# Lambda rounds up to a millisecond. A short period keeps the steps of the limit small.
PERIOD_US = 20_000

# The images are built by the benchmark of inspections.
spec = importlib.util.spec_from_file_location("exec_measure", ROOT / "benches/exec/measure.py")
images = importlib.util.module_from_spec(spec)
spec.loader.exec_module(images)


class CpuGroup:
    """A control group with a share of the processors, in version 2 or 1."""

    def __init__(self, share):
        name = f"ecr-preflight-share-{os.getpid()}"
        quota = round(share * PERIOD_US)
        if pathlib.Path("/sys/fs/cgroup/cpu").exists():
            self.path = pathlib.Path("/sys/fs/cgroup/cpu") / name
            # Other processes of a busy machine do not take part of the share.
            limits = [("cpu.cfs_period_us", PERIOD_US), ("cpu.cfs_quota_us", quota), ("cpu.shares", 100_000)]
        else:
            self.path = pathlib.Path("/sys/fs/cgroup") / name
            limits = [("cpu.max", f"{quota} {PERIOD_US}"), ("cpu.weight", 10_000)]
        self.path.mkdir()
        for file, value in limits:
            (self.path / file).write_text(str(value))

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.path.rmdir()


def seconds(tool, layout, tag, share):
    with CpuGroup(share) as group:
        command = [str(tool), "check", "--format", "json", f"oci:{layout}:{tag}"]
        began = time.monotonic()
        ended = subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=group.enter)
        took = time.monotonic() - began
    if b'"exec"' not in ended.stdout:
        sys.exit(f"error: {tag} was not inspected")
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", type=pathlib.Path, help="measure this program instead of building one")
    parser.add_argument("--work", type=pathlib.Path, help="directory with the images of bench-exec, which are kept")
    parser.add_argument("--runs", type=int, default=3, help="runs of each size (default: %(default)s)")
    arguments = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    if arguments.tool is None:
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--bin", "ecr-preflight"]
        subprocess.run(build, cwd=ROOT, check=True)
        arguments.tool = target / "release/ecr-preflight"
    work = arguments.work or target / "bench-exec"
    images.need("mmdebstrap", "umoci", "pigz")
    images.make(work)
    print("| memory, MB | vCPU | (b), s | (c), s | $ for 1,000 of (b) |\n|--:|--:|--:|--:|--:|", flush=True)
    cores = os.cpu_count()
    for size in SIZES:
        share = size / MEGABYTES_PER_CPU
        if share > cores:
            print(f"note: {size} MB needs more than {cores} cores", file=sys.stderr)
            continue
        b, c = (
            statistics.median(seconds(arguments.tool, work / "images", tag, share) for _ in range(arguments.runs))
            for tag in "bc"
        )
        print(f"| {size:,} | {share:.2f} | {b:.1f} | {c:.1f} | {b * size / 1024 * PRICE * 1000:.3f} |", flush=True)


if __name__ == "__main__":
    main()
