#!/usr/bin/env python3
"""Fills in the Homebrew formula of a release: the repository, the version, and checksums of archives.

    packaging/formula.py TEMPLATE REPOSITORY VERSION SHA256SUMS

`@SHA256:NAME@` is replaced by the checksum of a file. If the release has no such file, for example because macOS cannot be
built on this machine, the block of its `url` and `sha256` is left out.
"""

import re
import sys
from pathlib import Path


def main(template, repository, version, sums):
    sums = dict(reversed(line.split()) for line in Path(sums).read_text().splitlines())
    text = Path(template).read_text()
    for name in set(re.findall(r"@SHA256:([^@]*)@", text)):
        if name in sums:
            text = text.replace(f"@SHA256:{name}@", sums[name])
        else:
            print(f"warning: the release has no {name}; {Path(template).name} leaves it out", file=sys.stderr)
            text = re.sub(rf" *on_\w+ do\n *url .*\n *sha256 \"@SHA256:{re.escape(name)}@\"\n *end\n", "", text)
    # Both architectures of a system are missing.
    text = re.sub(r"  on_\w+ do\n  end\n\n", "", text)
    text = text.replace("@URL@", f"https://github.com/{repository}/releases/download/v{version}")
    text = text.replace("@REPOSITORY@", repository)
    sys.stdout.write(text)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
