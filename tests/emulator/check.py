"""Cases that are run one after another, and what a case may claim.

Does not know what is tested.
"""

import shutil
import signal
import sys
import textwrap
import traceback

from world import Unusable


class Wrong(Exception):
    """The function did something else than it ought to."""


def equal(what, actual, expected):
    if actual != expected:
        raise Wrong(f"{what}:\n  expected {expected}\n  met      {actual}")


def holds(what, actual, *parts):
    for part in parts:
        if part not in actual:
            raise Wrong(f"{what} lacks `{part}`:\n  {actual}")


def passes(case, stage):
    """Runs one case and says how it went."""
    name = case.__name__.replace("_", " ")
    try:
        case(stage)
    except Exception as error:  # noqa: BLE001, whatever it is, the other cases are still worth running
        said = str(error) if isinstance(error, (Wrong, Unusable)) else traceback.format_exc()
        print(f"FAILED  {name}\n{textwrap.indent(said, '        ')}", flush=True)
        stage.forget()
        return False
    print(f"ok      {name}", flush=True)
    return True


def tail(log):
    print(f"\nThe end of {log}:\n")
    print(textwrap.indent("\n".join(log.read_text(errors="replace").splitlines()[-20:]), "  | "))


def fresh(directory):
    """An empty directory."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def bounded(seconds, work):
    """Ends the run, and with it what it started, when it takes longer or is told to end."""

    def expired(*_):
        sys.exit(f"error: the run took more than {seconds} s; the logs are below {work}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
