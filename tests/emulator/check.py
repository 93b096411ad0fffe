"""Runs test cases one after another, and provides their assertions."""

import shutil
import signal
import sys
import textwrap
import traceback

from world import Unusable


class Wrong(Exception):
    """An assertion failed."""


def equal(what, actual, expected):
    if actual != expected:
        raise Wrong(f"{what}:\n  expected {expected}\n  actual   {actual}")


def holds(what, actual, *parts):
    for part in parts:
        if part not in actual:
            raise Wrong(f"{what} does not contain `{part}`:\n  {actual}")


def passes(case, stage):
    """Runs one case and prints the result; returns whether it passed."""
    name = case.__name__.replace("_", " ")
    try:
        case(stage)
    except Exception as error:  # noqa: BLE001, the other cases run in any case
        message = str(error) if isinstance(error, (Wrong, Unusable)) else traceback.format_exc()
        print(f"FAILED  {name}\n{textwrap.indent(message, '        ')}", flush=True)
        stage.forget()
        return False
    print(f"ok      {name}", flush=True)
    return True


def tail(log):
    print(f"\nThe end of {log}:\n")
    print(textwrap.indent("\n".join(log.read_text(errors="replace").splitlines()[-20:]), "  | "))


def fresh(directory):
    """Empties or creates a directory; returns it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def bounded(seconds, work):
    """Exits, and so stops what was started, after this time or on SIGTERM."""

    def expired(*_):
        sys.exit(f"error: the run took more than {seconds} s; the logs are below {work}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
