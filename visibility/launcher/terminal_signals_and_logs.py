"""Small steps of the supervisor: terminal output, signals, logs and the free space of a child."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from visibility.disk_space import disk_floor, free_bytes
from visibility.launcher.start_process_and_rotate_log import (
    ProcessDefinition,
    copy_log_to_previous_and_truncate,
)


def print_line(line: str) -> None:
    """Print a line to the terminal, which may be closed."""
    try:
        print(line, flush=True)
    except OSError:
        # Otherwise Python reports the unwritten output again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_disk_full(child: ProcessDefinition) -> bool:
    """A process that fails for lack of space works again once there is some."""
    return child.folder is not None and free_bytes(child.folder) < disk_floor()


def rotate_log(log: Path) -> None:
    """Rotate a log. Without space for the copy, truncate it all the same."""
    try:
        copy_log_to_previous_and_truncate(log)
    except OSError as error:
        print_line(f"{log} was truncated without a copy: {error.strerror}")
        os.truncate(log, 0)


def send_signal_if_alive(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)


def kill_session(process: "subprocess.Popen[bytes]") -> None:
    """Kill the whole session: the backends of a killed postmaster would survive otherwise."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def read_available(descriptor: int) -> bytes | None:
    """The available bytes; None if there are none yet, empty at end of file."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None
