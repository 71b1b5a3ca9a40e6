"""End the process when a block of code never returns.

Its messages are then processed again, in smaller batches. The timer runs in C, so it also fires
while a regular expression holds the interpreter.
"""

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_state = {"enabled": False}


def enable() -> None:
    """Allow this process to be ended; a supervisor starts it again."""
    _state["enabled"] = True


@contextmanager
def exit_process_on_timeout(seconds: float) -> Iterator[None]:
    """If the block exceeds `seconds`, dump all thread stacks and exit the process.

    No-op unless enable() was called. One block at a time in a process.
    """
    if not _state["enabled"] or sys.__stderr__ is None:
        yield
        return
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
