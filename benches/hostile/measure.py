#!/usr/bin/env python3
"""Measures what images cost that are made to hurt whoever reads them: what is said of each, peak memory, and time.

The images are made once, in the work directory, by a process of their own; then each is looked at by
`ecr-preflight check … --runtime ecs/amd64` with the bounds that the program has by default. With --check, it is an
error where anything else is said than is written beside the image in `images.py`, or a bound of memory or time is
passed. Needs Python 3.11.
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
    """In a process of its own: what a process took before counts as its children's peak."""
    if (directory / "index.json").exists():
        return
    shutil.rmtree(directory, ignore_errors=True)
    process = multiprocessing.Process(target=lambda: maker(images.Layout(directory)))
    process.start()
    process.join()
    if process.exitcode != 0:
        sys.exit(f"error: {directory.name} could not be made")


def check(tool, directory, seconds):
    command = [tool, "check", f"oci:{directory}", "--runtime", "ecs/amd64", "--format", "json"]
    began = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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
    return process.returncode, process.stdout.read().decode(), process.stderr.read().decode(), usage.ru_maxrss / 1024, took


def said(code, out, err):
    """The verdict, and why."""
    if code not in (0, 1, 2) or not out:
        return f"exit code {code}", err.strip()
    report = json.loads(out)
    reasons = []
    for runtime in report.get("runtimes", []):
        reasons += runtime["unknown"] + [f"{fault['code']}: {fault['evidence']}" for fault in runtime["faults"]]
    reasons += [started["reason"] for started in report.get("exec", []) if "reason" in started]
    verdict = report["verdict"]
    # Where programs are not looked at, the verdict is that of the labels; what is of interest here is that this is said.
    is_unseen = verdict == "runs" and any(started["outcome"] == "unknown" for started in report.get("exec", []))
    return "unknown" if is_unseen else verdict, "; ".join(dict.fromkeys(reasons))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", type=pathlib.Path, help="the program; without it, a release build is made")
    parser.add_argument("--work", type=pathlib.Path, help="where the images are made and kept")
    parser.add_argument("--only", default="", help="only images whose names hold this")
    parser.add_argument("--peak", type=float, default=256, help="the most memory that is allowed, in MiB (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="the longest time that is allowed (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="fail where something is not as it should be")
    arguments = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    if arguments.tool is None:
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--bin", "ecr-preflight"]
        subprocess.run(build, cwd=ROOT, check=True)
        arguments.tool = target / "release/ecr-preflight"
    work = arguments.work or target / "hostile"
    work.mkdir(parents=True, exist_ok=True)
    wrong = []
    print("| image | answer | what is said | peak MiB | s |\n|---|---|---|--:|--:|", flush=True)
    for name, maker, verdict, words in images.IMAGES:
        if arguments.only not in name + maker.__name__:
            continue
        directory = work / maker.__name__
        make(directory, maker)
        code, out, err, peak, took = check(arguments.tool, directory, arguments.seconds)
        outcome, why = said(code, out, err)
        short = re.sub(r"^layer [0-9a-f]{12}: ", "", why)
        short = short if len(short) <= 100 else f"{short[:99]}\u2026"
        print(f"| {name} | {outcome} | {short} | {peak:.0f} | {took:.2f} |", flush=True)
        if outcome != verdict or words not in why or peak > arguments.peak or took > arguments.seconds:
            wrong.append(f"{name}: expected `{verdict}` and `{words}`, {arguments.peak:.0f} MiB and {arguments.seconds:.0f} s at most")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if arguments.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
