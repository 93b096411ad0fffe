"""Audits an emulated registry of thousands of images, kills the audit half-way, and goes on with it.

    make test-audit

Does not judge single images; the hermetic tests do. What counts here: no image is left out and none is there twice,
however the audit was ended, and what it takes in time, requests and memory.
"""

import argparse
import collections
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import seed
from check import Wrong, bounded, equal, fresh, holds, tail
from world import CREDENTIALS, REGION, Unusable, emulator

# The run takes a minute or two on two idle cores.
BOUND = 600


class Audit:
    """One run of the tool over the whole registry, writing to one file."""

    def __init__(self, tool, address, results):
        self.results = results
        arguments = ["audit", "--all", "--results", results, "--html", results.with_suffix(".html")]
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_REGION": REGION}
        environment |= {"AWS_ENDPOINT_URL": address, **CREDENTIALS}
        self.began = time.monotonic()
        self.printed = results.with_suffix(f".{time.monotonic_ns()}.out")
        with self.printed.open("wb") as output:
            command = [tool, *map(str, arguments)]
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output)

    def lines(self):
        return self.results.read_bytes().count(b"\n") if self.results.exists() else 0

    def kill_at(self, lines):
        """Kills it as soon as the file holds so many lines."""
        while self.lines() < lines and self.process.poll() is None:
            time.sleep(0.01)
        self.process.send_signal(signal.SIGKILL)
        equal("how the killed run ended", self.end()[0], -signal.SIGKILL)

    def end(self):
        """Its exit code, the seconds that it took and its peak memory in MiB."""
        peak = 0
        while self.process.poll() is None:
            # Not from its resource usage: what this process held when it began the other counts there.
            peak = max(peak, self.memory())
            time.sleep(0.02)
        return self.process.returncode, time.monotonic() - self.began, peak

    def memory(self):
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        most = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(most[1]) / 1024 if most else 0


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tool", type=Path, required=True, help="the command-line tool's binary")
    options.add_argument("--work", type=Path, required=True, help="a directory for results and logs")
    options.add_argument("--repositories", type=int, default=500)
    options.add_argument("--images", type=int, default=20, help="of each repository")
    options = options.parse_args()
    work = fresh(options.work.absolute())
    bounded(BOUND, work)
    try:
        with emulator(work, {"EMULATOR_IMAGES": f"{options.repositories}x{options.images}"}) as address:
            run(options.tool.absolute(), address, work, options.repositories, options.images)
    except Unusable as error:
        sys.exit(f"error: {error}")
    except Wrong as wrong:
        print(f"FAILED  {wrong}")
        tail(work / "emulator.log")
        return 1
    return 0


def run(tool, address, work, repositories, images):
    results = work / "results.jsonl"
    total = repositories * images
    first = Audit(tool, address, results)
    first.kill_at(total // 2)
    kept = first.lines()
    print(f"ok      killed after {kept} of {total} images, {time.monotonic() - first.began:.1f} s", flush=True)

    second = Audit(tool, address, results)
    code, took, peak = second.end()
    printed = second.printed.read_text()
    equal("the exit code of the run that went on", code, 1)
    reports = [json.loads(line) for line in results.read_text().splitlines()]
    seen = collections.Counter((line["arrival"]["repository"], line["arrival"]["tag"]) for line in reports)
    every = {(seed.name(number), f"v{image}") for number in range(repositories) for image in range(images)}
    equal("images that are left out", every - set(seen), set())
    equal("images that are there twice", [one for one, count in seen.items() if count > 1], [])
    equal("images that are nowhere", set(seen) - every, set())
    wrong = {seed.name(number) for number in range(repositories) if seed.is_wrong(number)}
    fails = {line["arrival"]["repository"] for line in reports if line["verdict"] == "fails"}
    equal("the repositories whose images fail", fails, wrong)
    holds("the summary", printed, f"{total} images of {repositories} repositories: {len(wrong) * images} fail")
    holds("the page", results.with_suffix(".html").read_text()[:100], "<!doctype html>")
    requests = int(re.search(r", (\d+) requests", printed)[1])
    answered = total - kept
    print(f"ok      went on: {answered} images in {took:.1f} s ({answered / took:.0f} a second), {requests} requests")
    print(f"        ({requests / took:.0f} a second), peak memory {peak:.1f} MiB", flush=True)

    before = results.read_bytes()
    third = Audit(tool, address, results)
    code, took, peak = third.end()
    equal("the exit code of the run that has nothing left", code, 1)
    equal("whether the file is as it was", results.read_bytes() == before, True)
    print(f"ok      nothing left to ask: listed in {took:.1f} s, peak memory {peak:.1f} MiB")


if __name__ == "__main__":
    sys.exit(main())
