#!/usr/bin/env python3
"""Runs the whole suite under strace and looks for secrets in all that any of its processes wrote to a terminal or a log.

The secrets of the tests are words such as 0SECRET0: passwords, tokens, keys, signatures of presigned addresses. They are
sent and received, so that the traced writes hold them many times; in what goes to standard output and standard error,
and in results, sheets and pages, they must not stand once. Needs strace.
"""

import pathlib
import re
import subprocess
import sys

SECRET = re.compile(rb"0[A-Z]{5,}0")
# The descriptor, what it stands for, and what is written.
WRITE = re.compile(rb"\bwritev?\((\d+)<([^>]*)>, (.*)")
# What this program leaves behind.
LEFT = (b".jsonl", b".csv", b".html", b".partial", b".sarif")

HELPER = b'"{\\"Username\\":'

# What must have been seen, or the search says nothing.
MIN_LINES = 500
MIN_SECRETS = 100


def main(work, *command):
    traced = pathlib.Path(work, "writes.txt")
    traced.parent.mkdir(parents=True, exist_ok=True)
    # Under its filter only these calls stop a process. Whole strings, as far as one write goes.
    strace = ["strace", "-f", "-y", "-qq", "--seccomp-bpf", "-e", "trace=write,writev", "-s", "1048576", "-o", traced]
    ran = subprocess.run([*strace, *command], stdout=subprocess.DEVNULL)
    if ran.returncode:
        # Under a tracer all takes longer, which bounds in time may not outlive; what was written counts all the same.
        print(f"note: {' '.join(command)} ended with {ran.returncode}", file=sys.stderr)
    lines, sent, told = 0, 0, []
    with traced.open("rb") as writes:
        for write in writes:
            found = WRITE.search(write)
            if not found:
                continue
            # What a credential helper is asked for: the protocol of docker-credential-helpers.
            secrets = [] if found[3].startswith(HELPER) else SECRET.findall(found[3])
            if found[1] in (b"1", b"2") or found[2].endswith(LEFT):
                lines += 1
                told += [(secret, write[:300]) for secret in secrets]
            else:
                sent += len(secrets)
    traced.unlink()
    print(f"{lines} writes to standard output, error and results, {sent} secrets sent elsewhere, {len(told)} told")
    for secret, write in told[:20]:
        print(f"{secret.decode()}: {write.decode(errors='replace')}", file=sys.stderr)
    if told or lines < MIN_LINES or sent < MIN_SECRETS:
        sys.exit("error: a secret was told" if told else "error: too little was seen to say anything")


if __name__ == "__main__":
    main(*sys.argv[1:])
