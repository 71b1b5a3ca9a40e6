"""Work on messages in a process of its own, which is ended if it takes too long.

A web process cannot be ended, so nothing in it calls a parser that might hang. The process has no
database; it uses the manifests that the web process uses.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

from django.conf import settings

from visibility.storage.published_manifests import use_published_rows, used_rows

# A process that does not end by itself is ended after so many seconds more.
START_SECONDS = 20
MAX_PARALLEL, MAX_WAIT_SECONDS = 2, 20
READY = b"ready"
_running = threading.BoundedSemaphore(MAX_PARALLEL)


def run_in_own_process(
    command: Sequence[str], values: object, *, limit_seconds: float = START_SECONDS
) -> tuple[list[bytes], bool]:
    """The lines that the process wrote, and whether it was ended or failed.

    `limit_seconds`: when it is ended, with the time of its start. The last line is empty, or
    incomplete if the process was ended while it wrote. There are no lines if too many processes
    were running, or it did not start.
    """
    if not _running.acquire(timeout=MAX_WAIT_SECONDS):
        return [], True
    try:
        output, has_failed = _run(command, pickle.dumps((values, used_rows())), limit_seconds)
    finally:
        _running.release()
    first, *lines = output.split(b"\n")
    return (lines if first == READY else []), has_failed


def _run(command: Sequence[str], values: bytes, limit_seconds: float) -> tuple[bytes, bool]:
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "visibility.settings")
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": module},
    ) as process:
        try:
            output, _ = process.communicate(values, timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    return output, process.returncode != 0


def begin_in_own_process() -> tuple[Any, BinaryIO]:
    """In the process: what it is to work on, and where it writes a line for each result."""
    values, manifests = pickle.load(sys.stdin.buffer)  # noqa: S301  # written by the process that started this one
    use_published_rows(None, manifests)
    out = sys.stdout.buffer
    out.write(READY + b"\n")
    out.flush()
    return values, out


def end_own_process_after(seconds: float) -> None:
    """In the process: end it after this time, also while a regular expression does not return."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
