"""Describe and start one child process, and rotate its log."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from visibility.launcher.restart_pauses import MAX_PAUSE_SECONDS
from visibility.launcher.run_module_until_supervisor_exits import PARENT_PIPE_VARIABLE
from visibility.launcher.server_programs_and_account import ServerAccount

PR_SET_PDEATHSIG = 1
MAX_LOG_BYTES = 10_000_000


@dataclass(frozen=True)
class ProcessDefinition:
    """One process: what to run, how to stop it, and where its output goes."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: timedelta = timedelta(seconds=10)
    account: ServerAccount | None = None
    folder: Path | None = None
    # Standard output goes to the terminal instead of the log.
    output_to_terminal: bool = False
    # Exit code 0 means that the work is done. Without this, every exit counts as a crash.
    may_exit: bool = False
    # A setup step: if it fails, the start fails.
    is_setup_step: bool = False
    # Pauses before a restart grow up to this number of seconds.
    max_restart_pause: float = MAX_PAUSE_SECONDS
    # After so many exits in a row everything stops. None: other processes go on without this one.
    max_exits: int | None = None


def python_child_command(*arguments: str) -> tuple[str, ...]:
    """The command line of a Python module that exits together with the supervisor."""
    return (
        sys.executable,
        "-m",
        "visibility.launcher.run_module_until_supervisor_exits",
        *arguments,
    )


def parent_death_signal_hook(signal_number: signal.Signals) -> Callable[[], None] | None:
    """A function for `preexec_fn`: the kernel sends the signal when the parent dies (Linux only).

    It must run after the account changed, because that clears the setting.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def start_process(child: ProcessDefinition, *, log: Path, pipe: int) -> "subprocess.Popen[bytes]":
    """Start the child in its own session, so that Ctrl-C reaches only the supervisor."""
    account = child.account
    with log.open("ab") as out:
        return subprocess.Popen(
            child.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if child.output_to_terminal else out,
            stderr=out,
            env={**os.environ, **child.environment, PARENT_PIPE_VARIABLE: str(pipe)},
            cwd=child.folder,
            pass_fds=(pipe,),
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            # Safe, because the supervisor has one thread, and "parent" means that thread.
            preexec_fn=parent_death_signal_hook(child.stop_signal),
        )


def copy_log_to_previous_and_truncate(log: Path) -> None:
    """Move the log to `.1` and truncate it. Writers append, so they continue at the start."""
    if log.is_file() and log.stat().st_size:
        previous = log.with_suffix(".log.1")
        previous.unlink(missing_ok=True)
        previous.write_bytes(log.read_bytes())
        os.truncate(log, 0)


def last_lines(log: Path, *, count: int = 12) -> str:
    """The last lines of a log, indented for the terminal."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-count:])
