#!/usr/bin/env python3
"""Runs all benchmarks and writes a page with a plot: start-up, a metadata-only push to a warm function, and inspections
of programs, each compared with alternatives.

The candidates of a benchmark run alternately, so that ratios are the same on any machine; times are not. Writes
benchmarks.md and benchmarks.svg to the work directory, or to docs/ with `--write`.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

IMAGES = {
    "a": "a static program in the top layer of 1 GB",
    "b": "python on a full Debian base",
    "c": "a command that is missing from 20 layers of 1 GB",
}


def run(script, work, *arguments):
    """Runs one benchmark; returns its figures, its table and its exit code."""
    file = work / f"{script}.json"
    command = [sys.executable, "-B", HERE / script / "measure.py", "--json", file, *arguments]
    print(f"$ {script} {' '.join(map(str, arguments))}", file=sys.stderr)
    ran = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    print(ran.stdout, file=sys.stderr)
    return json.loads(file.read_text()) if file.exists() else None, ran.stdout, ran.returncode


def rows(startup, warm, inspected):
    """Yields what is plotted: a title and a list of (name, milliseconds), this program first."""
    own, empty = startup["ecr-preflight"], startup["empty function"]
    yield "start of the function", [
        ("ecr-preflight", own["start to the first request, ms"]),
        ("an empty lambda_runtime function", empty["start to the first request, ms"]),
    ]
    yield "platform of an image", [
        ("ecr-preflight, a warm function's event", own["second event, ms"]),
        ("ecr-preflight check --no-exec", warm["ecr-preflight check --no-exec, ms"]),
        ("skopeo inspect, twice", warm["skopeo inspect, twice, ms"]),
    ]
    for tag, title in IMAGES.items():
        figures = inspected[tag]
        others = ["bare inflate, s", "gzip -dc | tar t, s", "umoci unpack, s"]
        yield f"({tag}) {title}", [
            ("ecr-preflight check", figures["ecr-preflight, s"] * 1e3),
            *((name.removesuffix(", s"), figures[name] * 1e3) for name in others),
        ]


def shown(milliseconds):
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.2f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2f} ms"


def svg(groups):
    """Returns a bar chart. Each group has its own scale, because only the bars of a group can be compared."""
    left, width, bar, gap, head = 280, 330, 18, 6, 34
    parts, y = [], 16
    for title, bars in groups:
        longest = max(milliseconds for _, milliseconds in bars)
        parts.append(f'<text class="title" x="16" y="{y + 14}">{title}</text>')
        y += head - 8
        for at, (name, milliseconds) in enumerate(bars):
            length = max(milliseconds / longest * width, 1.5)
            ratio = f" · {milliseconds / bars[0][1]:.2g}×" if at and milliseconds < 100 * bars[0][1] else (
                f" · {milliseconds / bars[0][1]:.0f}×" if at else "")
            kind = "own" if name.startswith("ecr-preflight") else "other"
            parts.append(f'<text class="name" x="{left - 10}" y="{y + 13}">{name}</text>')
            parts.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{length:.1f}" height="{bar}" rx="2"/>')
            parts.append(f'<text class="value" x="{left + length + 7:.1f}" y="{y + 13}">{shown(milliseconds)}{ratio}</text>')
            y += bar + gap
        y += 14
    style = """
    svg { background: #ffffff } text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-weight: 600 } .name { text-anchor: end; fill: #59636e } .value { fill: #59636e }
    .own { fill: #1a7f5a } .other { fill: #b6bec8 }
    @media (prefers-color-scheme: dark) {
      svg { background: #0d1117 } text { fill: #e6edf3 } .name, .value { fill: #9198a1 }
      .own { fill: #3fb68b } .other { fill: #4a525c }
    }
    """
    title = "Time that ecr-preflight takes, compared with alternatives"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" viewBox="0 0 760 {y}" role="img" '
        f'aria-label="{title}">', f"<title>{title}</title>", f"<style>{style}</style>", *parts, "</svg>", ""])


def page(tables):
    """Returns the page; `tables` are those of the three benchmarks."""
    startup, warm, inspected = (table.strip() for table in tables)
    cores = len(os.sched_getaffinity(0))
    return f"""# Benchmarks

![bar chart of the figures on this page](benchmarks.svg)

Written by `make bench ARGS="--write"` on {cores} cores of a shared {platform.machine()} machine. The candidates of a
table run alternately: the ratios are the same on other machines, the times are not. Instructions are counted with
valgrind's callgrind, which shows a regression even on a busy machine. `make bench ARGS="--check"` fails if a limit is
exceeded.

## Start of the function, and its events

Compared with a `lambda_runtime` program that does nothing, built with the same profile. An event is a metadata-only push
of an image that fails: manifest and repository tags, URL of the config, config, and message, over TLS on loopback.

{startup}

A third of the first event's instructions read the root certificates, and most of the rest are four TLS handshakes. A
further event is four requests of the SDK: serialization, signing, sending, reading.

## Platform of an image

For an image in Debian's `docker-registry` on the same machine, over plain HTTP.

{warm}

Most of the time is the start of a process; `skopeo` is started twice.

## Program of an image

Compared with other ways to read the same layers. "Bare inflate" decompresses them on the same number of cores,
computes their digests and discards the output. The last three columns compare `ecr-preflight` with it, and `tar t` and
umoci with `ecr-preflight`.

{inspected}

If every layer is read, decompression (zlib-rs) takes most of the time, followed by the layers' digests. If the program is
in the top layer, no lower layer is read.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="how often each inspection runs; the "
                        "other benchmarks run ten times as often (default: 5)")
    parser.add_argument("--check", action="store_true", help="exit with code 1 if a limit is exceeded")
    parser.add_argument("--function", type=pathlib.Path, metavar="FILE",
                        help="measure this release build of the function instead of building one")
    parser.add_argument("--write", action="store_true", help="write the page to docs/")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/bench",
                        help="directory for figures and page (default: %(default)s)")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    check = ["--check"] if arguments.check else []
    function = ["--binary", arguments.function.resolve()] if arguments.function else []
    many = str(10 * arguments.runs)
    startup, first, failed = run("startup", work, "--runs", many, *function, *check)
    if failed:
        # The machine may have been busy: repeat with more runs.
        startup, first, failed = run("startup", work, "--runs", str(40 * arguments.runs), *function, *check)
    warm, second, broken = run("warm", work, "--runs", many)
    inspected, third, slow = run("exec", work, "--runs", str(arguments.runs), *check)
    if slow:
        inspected, third, slow = run("exec", work, "--runs", str(max(5, 2 * arguments.runs)), *check)
    if failed or broken or slow:
        sys.exit(1)
    to = ROOT / "docs" if arguments.write else work
    to.mkdir(exist_ok=True)
    (to / "benchmarks.svg").write_text(svg(list(rows(startup, warm, inspected))))
    (to / "benchmarks.md").write_text(page([first, second, third]))
    print(to / "benchmarks.md")


if __name__ == "__main__":
    main()
