#!/usr/bin/env python3
"""Runs a test command under strace, and searches everything that its processes print or log for secrets.

The secrets in the tests are words like 0SECRET0: passwords, tokens, keys, signatures of presigned URLs. They appear in
many traced writes, because they are sent and received. They must not appear in writes to standard output or standard
error, or in results files, spreadsheets and HTML pages. Needs strace.
"""

import pathlib
import re
import subprocess
import sys

SECRET = re.compile(rb"0[A-Z]{5,}0")
# The file descriptor, the file that it refers to, and the data.
WRITE = re.compile(rb"\bwritev?\((\d+)<([^>]*)>, (.*)")
# Files that the program writes.
OUTPUT_FILES = (b".jsonl", b".csv", b".html", b".partial", b".sarif")

HELPER = b'"{\\"Username\\":'

# If fewer are found, the trace is incomplete.
MIN_LINES = 500
MIN_SECRETS = 100


def main(work, *command):
    traced = pathlib.Path(work, "writes.txt")
    traced.parent.mkdir(parents=True, exist_ok=True)
    # With the seccomp filter, only these system calls stop a process. The string limit exceeds every single write.
    strace = ["strace", "-f", "-y", "-qq", "--seccomp-bpf", "-e", "trace=write,writev", "-s", "1048576", "-o", traced]
    ran = subprocess.run([*strace, *command], stdout=subprocess.DEVNULL)
    if ran.returncode:
        # Tests can time out, because tracing is slow. Their writes are searched all the same.
        print(f"note: {' '.join(command)} exited with code {ran.returncode}", file=sys.stderr)
    lines, sent, leaked = 0, 0, []
    with traced.open("rb") as writes:
        for write in writes:
            found = WRITE.search(write)
            if not found:
                continue
            # The answer of a credential helper contains a secret: the protocol of docker-credential-helpers.
            secrets = [] if found[3].startswith(HELPER) else SECRET.findall(found[3])
            if found[1] in (b"1", b"2") or found[2].endswith(OUTPUT_FILES):
                lines += 1
                leaked += [(secret, write[:300]) for secret in secrets]
            else:
                sent += len(secrets)
    traced.unlink()
    print(f"{lines} writes to standard output, error and results, {sent} secrets sent elsewhere, {len(leaked)} leaked")
    for secret, write in leaked[:20]:
        print(f"{secret.decode()}: {write.decode(errors='replace')}", file=sys.stderr)
    if leaked or lines < MIN_LINES or sent < MIN_SECRETS:
        sys.exit("error: a secret was leaked" if leaked else "error: the trace is incomplete")


if __name__ == "__main__":
    main(*sys.argv[1:])
