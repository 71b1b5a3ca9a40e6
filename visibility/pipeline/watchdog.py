"""Work that never ends ends its process: what it worked on is tried again in smaller groups.

The timer is one of C, so it also goes off while an expression holds the interpreter.
"""

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_here = {"watched": False}


def watch() -> None:
    """From now on this process may be ended: something starts it again."""
    _here["watched"] = True


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Where this process is watched, what is done inside takes no longer: else it ends, and where
    every thread of it stood goes to the log. One at a time in a process."""
    if not _here["watched"] or sys.__stderr__ is None:
        yield
        return
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
