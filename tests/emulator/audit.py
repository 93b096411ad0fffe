"""Audits an emulated registry of thousands of images, kills the audit halfway, and resumes it.

    make test-audit

Checks that every image is reported exactly once although the audit was killed, and prints time, requests and memory. The
verdicts of single images are checked by the hermetic tests.
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

# The run takes one or two minutes on two idle cores.
TIMEOUT = 600


class Audit:
    """One run of the command-line tool over the whole registry, with one results file."""

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
        """Kills the audit as soon as the file has this number of lines."""
        while self.lines() < lines and self.process.poll() is None:
            time.sleep(0.01)
        self.process.send_signal(signal.SIGKILL)
        equal("the exit code of the killed run", self.end()[0], -signal.SIGKILL)

    def end(self):
        """Waits for the end; returns the exit code, the duration in seconds and the peak memory in MiB."""
        peak = 0
        while self.process.poll() is None:
            # Not from the resource usage, which includes this process's memory at the time of the fork.
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
    options.add_argument("--tool", type=Path, required=True, help="the ecr-preflight binary")
    options.add_argument("--work", type=Path, required=True, help="directory for results and logs")
    options.add_argument("--repositories", type=int, default=500, help="number of repositories (default: %(default)s)")
    options.add_argument("--images", type=int, default=20, help="number of images in each repository (default: %(default)s)")
    options = options.parse_args()
    work = fresh(options.work.absolute())
    bounded(TIMEOUT, work)
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
    equal("the exit code of the resumed run", code, 1)
    reports = [json.loads(line) for line in results.read_text().splitlines()]
    seen = collections.Counter((line["arrival"]["repository"], line["arrival"]["tag"]) for line in reports)
    every = {(seed.name(number), f"v{image}") for number in range(repositories) for image in range(images)}
    equal("missing images", every - set(seen), set())
    equal("duplicate images", [one for one, count in seen.items() if count > 1], [])
    equal("unexpected images", set(seen) - every, set())
    wrong = {seed.name(number) for number in range(repositories) if seed.is_wrong(number)}
    fails = {line["arrival"]["repository"] for line in reports if line["verdict"] == "fails"}
    equal("the repositories whose images fail", fails, wrong)
    holds("the summary", printed, f"{total} images in {repositories} repositories: fails {len(wrong) * images}")
    holds("the page", results.with_suffix(".html").read_text()[:100], "<!doctype html>")
    requests = int(re.search(r", (\d+) requests", printed)[1])
    answered = total - kept
    print(f"ok      resumed: {answered} images in {took:.1f} s ({answered / took:.0f} per second), {requests} requests")
    print(f"        ({requests / took:.0f} per second), peak memory {peak:.1f} MiB", flush=True)

    before = results.read_bytes()
    third = Audit(tool, address, results)
    code, took, peak = third.end()
    equal("the exit code of the run with nothing left to do", code, 1)
    equal("whether the file is unchanged", results.read_bytes() == before, True)
    print(f"ok      nothing left to do: listed in {took:.1f} s, peak memory {peak:.1f} MiB")


if __name__ == "__main__":
    sys.exit(main())
