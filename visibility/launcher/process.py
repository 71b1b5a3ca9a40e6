"""How one child process is described, started and watched."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from visibility.launcher.binaries import Account
from visibility.launcher.child_main import PIPE

PR_SET_PDEATHSIG = 1
MAX_LOG_BYTES = 10_000_000


@dataclass(frozen=True)
class Child:
    """One process: what to run, how it is stopped, and where its words go."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    patience: timedelta = timedelta(seconds=10)
    account: Account | None = None
    folder: Path | None = None
    # Its standard output is for the terminal; otherwise for the log.
    speaks: bool = False
    # Exit code 0 means that its work is done; otherwise every end is a fall.
    may_end: bool = False
    # A step of the start: when it fails, the start fails.
    once: bool = False


def python(*words: str) -> tuple[str, ...]:
    """A Python module as a child that ends with the supervisor."""
    return (sys.executable, "-m", "visibility.launcher.child_main", *words)


def ends_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Run between fork and exec, after the account changed: the kernel forgets it otherwise."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def spawn(child: Child, *, log: Path, pipe: int) -> "subprocess.Popen[bytes]":
    """Start it in a session of its own, so that Ctrl-C reaches the supervisor alone."""
    account = child.account
    with log.open("ab") as out:
        return subprocess.Popen(
            child.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if child.speaks else out,
            stderr=out,
            env={**os.environ, **child.environment, PIPE: str(pipe)},
            cwd=child.folder,
            pass_fds=(pipe,),
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            # Safe, because the supervisor has one thread; and the kernel's parent is that thread.
            preexec_fn=ends_with_parent(child.stop_signal),
        )


def put_aside(log: Path) -> None:
    """Keep the last log as `.1` and go on with an empty one; writers append, so they notice."""
    if log.is_file() and log.stat().st_size:
        previous = log.with_suffix(".log.1")
        previous.unlink(missing_ok=True)
        previous.write_bytes(log.read_bytes())
        os.truncate(log, 0)


def last_lines(log: Path, *, count: int = 12) -> str:
    """The end of a log, for the terminal."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-count:])
