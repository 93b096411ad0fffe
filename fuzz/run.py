#!/usr/bin/env python3
"""Runs every fuzzer for some time, several in parallel, and prints a table of the results.

The seeds are written by a test (`tests/it/untrusted_input/fuzz_seeds.rs`). The corpus is kept in the work directory for the
next run. The exit code is 1 if an input crashes a fuzzer or exceeds the limits of time or memory. Needs cargo-fuzz, a
C++ compiler and Python 3.9.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

# Limits for one input, which usually takes milliseconds with the sanitizer.
TIMEOUT = 10
RSS_MB = 1024
LONGEST_INPUT = 16 * 1024


def targets():
    return sorted(path.stem for path in (HERE / "fuzz_targets").glob("*.rs"))


def build(work):
    # cargo-fuzz has no `--locked`, so the lock file is checked here. The sanitizers' compiler flags are unstable, which
    # RUSTC_BOOTSTRAP allows on the stable compiler.
    subprocess.run(["cargo", "fetch", "--quiet", "--locked"], cwd=HERE, check=True)
    command = ["cargo", "fuzz", "build", "--fuzz-dir", HERE, "--target-dir", work]
    subprocess.run([str(word) for word in command], cwd=ROOT, check=True, env=os.environ | {"RUSTC_BOOTSTRAP": "1"})
    host = re.search(r"host: (.*)", subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout)
    return work / host[1] / "release"


def seeds(work):
    command = ["cargo", "test", "--quiet", "--locked", "--test", "it", "untrusted_input::fuzz_seeds::", "--", "--ignored"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"TEST_CORPUS": str(work)})


def fuzz(target, binaries, work, seconds):
    corpus, found, log = work / "corpus" / target, work / "found" / target, work / f"{target}.log"
    for directory in (corpus, found):
        directory.mkdir(parents=True, exist_ok=True)
    command = [binaries / target, corpus, work / "seeds" / target, f"-artifact_prefix={found}/", f"-max_len={LONGEST_INPUT}"]
    command += [f"-max_total_time={seconds}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={RSS_MB}", "-print_final_stats=1"]
    # Threads keep data for the next input, which is not a leak.
    command += ["-detect_leaks=0"]
    with open(log, "wb") as out:
        # A small quarantine of freed memory, so that the limit applies to what an input really uses.
        options = os.environ | {"ASAN_OPTIONS": "quarantine_size_mb=16"}
        code = subprocess.run([str(word) for word in command], stdout=out, stderr=out, env=options).returncode
    text = log.read_text(errors="replace")
    stat = lambda name: int((re.findall(rf"stat::{name}:\s+(\d+)", text) or ["0"])[-1])
    edges = int((re.findall(r"cov: (\d+)", text) or ["0"])[-1])
    runs, rate, peak = stat("number_of_executed_units"), stat("average_exec_per_sec"), stat("peak_rss_mb")
    crashed = code != 0 or runs == 0
    return target, runs, rate, edges, peak, crashed, "\n".join(text.splitlines()[-40:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="time for each fuzzer (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="number of fuzzers that run in parallel (default: %(default)s)")
    parser.add_argument("--work", type=pathlib.Path, help="directory for builds, corpora and crashes")
    parser.add_argument("--binaries", type=pathlib.Path, help="directory of fuzzers that are already built")
    parser.add_argument("targets", nargs="*", help="run only these fuzzers")
    arguments = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    work = (arguments.work or target / "fuzz").resolve()
    work.mkdir(parents=True, exist_ok=True)
    binaries = arguments.binaries or build(work)
    seeds(work / "seeds")
    chosen = arguments.targets or targets()
    print("| fuzzer | executions | per second | edges | peak MiB | crashes |\n|---|--:|--:|--:|--:|--:|", flush=True)
    total, crashes = 0, []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for name, runs, rate, edges, peak, crashed, tail in pool.map(
            lambda name: fuzz(name, binaries, work, arguments.seconds), chosen
        ):
            print(f"| {name} | {runs:,} | {rate:,} | {edges:,} | {peak} | {int(crashed)} |", flush=True)
            total += runs
            crashes += [(name, tail)] if crashed else []
    print(f"\n{total:,} executions in total, {len(crashes)} fuzzers crashed")
    for name, tail in crashes:
        print(f"\nerror: {name}\n{tail}\n\nthe inputs that crashed it are in {work / 'found' / name}", file=sys.stderr)
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
