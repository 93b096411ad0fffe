#!/usr/bin/env python3
"""Measures what malicious images cost: verdict, peak memory and processor time of each.

The images are written once to the work directory. Each is then checked by `ecr-preflight check … --runtime ecs/amd64`
with the default limits, in a control group that the kernel limits to the peak. With --check, the exit code is 1 if a verdict or its reason differs from the expectation in
`images.py`, or if a limit of memory or time is exceeded. Needs Python 3.11.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import images

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def make(directory, maker):
    """Writes an image in a process of its own, because the peak memory of a process is inherited by its children."""
    if (directory / "index.json").exists():
        return
    shutil.rmtree(directory, ignore_errors=True)
    process = multiprocessing.Process(target=lambda: maker(images.Layout(directory)))
    process.start()
    process.join()
    if process.exitcode != 0:
        sys.exit(f"error: {directory.name} could not be written")


class MemoryGroup:
    """A control group that limits the memory of one process, so that the kernel kills it if it needs more. Without the
    right to create one, memory is only measured."""

    # The directory of the memory controller, the file with its limit, and the value that forbids swap: v2 and v1.
    VERSIONS = [("/sys/fs/cgroup", "memory.max", "memory.swap.max", "0"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.swappiness", "0")]

    def __init__(self, mebibytes):
        self.path = None
        for root, limit, swap, none in self.VERSIONS:
            path = pathlib.Path(root) / f"ecr-preflight-hostile-{os.getpid()}"
            if not (pathlib.Path(root) / "cgroup.procs").exists() or not os.access(root, os.W_OK):
                continue
            path.mkdir()
            if not (path / limit).exists():
                path.rmdir()
                continue
            (path / limit).write_text(str(int(mebibytes * 1024 * 1024)))
            if (path / swap).exists():
                (path / swap).write_text(none)
            self.path = path
            return

    def enter(self):
        if self.path:
            (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def has_killed(self):
        """Returns whether the kernel killed a process because of its memory."""
        for name in ("memory.events", "memory.oom_control"):
            if self.path and (self.path / name).exists():
                return re.search(r"^oom_kill [1-9]", (self.path / name).read_text(), re.MULTILINE) is not None
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.path:
            self.path.rmdir()


def check(tool, directory, seconds, runtime, group):
    command = [tool, "check", f"oci:{directory}", "--format", "json", *(["--runtime", runtime] if runtime else [])]
    began = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=group.enter
    )
    timer = subprocess.Popen(["sleep", str(seconds)])
    while process.returncode is None:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
        elif timer.poll() is not None:
            process.kill()
        else:
            time.sleep(0.002)
    took = time.monotonic() - began
    timer.kill()
    timer.wait()
    return process.returncode, process.stdout.read().decode(), process.stderr.read().decode(), usage, took


def explain(code, out, err):
    """Returns the verdict and its reason."""
    if code not in (0, 1, 2) or not out:
        return f"exit code {code}", err.strip()
    report = json.loads(out)
    reasons = []
    for runtime in report.get("runtimes", []):
        reasons += runtime["unknown"] + [f"{fault['code']}: {fault['evidence']}" for fault in runtime["faults"]]
    reasons += [started["reason"] for started in report.get("exec", []) if "reason" in started]
    verdict = report["verdict"]
    # If the program is not inspected, the verdict is that of the declared platform, and the report says so.
    is_unseen = verdict == "runs" and any(started["outcome"] == "unknown" for started in report.get("exec", []))
    return "unknown" if is_unseen else verdict, "; ".join(dict.fromkeys(reasons))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", type=pathlib.Path, help="measure this program instead of building one")
    parser.add_argument("--work", type=pathlib.Path, help="directory for the images, which are kept")
    parser.add_argument("--only", default="", help="check only images whose names contain this")
    parser.add_argument("--peak", type=float, default=256, help="limit of memory, in MiB (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="limit of time (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with code 1 if a result or a limit is not as expected")
    arguments = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    if arguments.tool is None:
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--bin", "ecr-preflight"]
        subprocess.run(build, cwd=ROOT, check=True)
        arguments.tool = target / "release/ecr-preflight"
    work = arguments.work or target / "hostile"
    work.mkdir(parents=True, exist_ok=True)
    wrong = []
    print("| image | verdict | reason | peak MiB | CPU s |\n|---|---|---|--:|--:|", flush=True)
    for name, maker, verdict, words, *other in images.IMAGES:
        if arguments.only not in name + maker.__name__:
            continue
        directory = work / maker.__name__
        make(directory, maker)
        runtime = other[0] if other else "ecs/amd64"
        with MemoryGroup(arguments.peak) as group:
            code, out, err, usage, took = check(arguments.tool, directory, arguments.seconds, runtime, group)
            outcome, why = ("out of memory", "") if group.has_killed() else explain(code, out, err)
        peak = usage.ru_maxrss / 1024
        short = re.sub(r"^layer [0-9a-f]{12}: ", "", why)
        short = short if len(short) <= 100 else f"{short[:99]}\u2026"
        print(f"| {name} | {outcome} | {short} | {peak:.0f} | {usage.ru_utime + usage.ru_stime:.2f} |", flush=True)
        if outcome != verdict or words not in why or peak > arguments.peak or took > arguments.seconds:
            wrong.append(f"{name}: expected `{verdict}` and `{words}`, at most {arguments.peak:.0f} MiB and {arguments.seconds:.0f} s")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if arguments.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
