"""Start child processes in order, restart those that crash, and stop all of them at the end.

A process that keeps crashing rests for longer and longer, and stops no other. Only one with
`max_exits`, the database, ends everything.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType

from visibility.launcher.instance_lock_and_environment import write_private
from visibility.launcher.restart_pauses import ExitHistory
from visibility.launcher.server_programs_and_account import StartError
from visibility.launcher.start_process_and_rotate_log import (
    MAX_LOG_BYTES,
    ProcessDefinition,
    last_lines,
    start_process,
)
from visibility.launcher.terminal_signals_and_logs import (
    is_disk_full,
    kill_session,
    print_line,
    read_available,
    rotate_log,
    send_signal_if_alive,
)
from visibility.process_status import FILE_NAME, serialize_statuses

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The terminal shows the end of the log once, after so many exits in a row.
EXITS_BEFORE_LOG_IS_SHOWN = 3
COULD_NOT_START = 127


class StopRequested(Exception):
    """A stop signal arrived."""


@dataclass
class SupervisedChild:
    """A child with its current process and its earlier exits. Times are monotonic seconds."""

    child: ProcessDefinition
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    history: ExitHistory = field(default_factory=ExitHistory)
    restart_at: float | None = None
    partial_line: bytes = b""


class Supervisor:
    """Supervises child processes in one thread: signals, output and exits wake one `select`."""

    def __init__(self, logs: Path, run_folder: Path) -> None:
        self._logs = logs
        self._status_file = run_folder / FILE_NAME
        self._children: list[SupervisedChild] = []
        self._stop_requests = 0
        self._selector = selectors.DefaultSelector()
        self._logs_checked = time.monotonic()
        # Only this process holds the write end: children that read end of file know that it ended.
        self._pipe_read_end, self._pipe_write_end = os.pipe()
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._listen_to_signals()

    def _listen_to_signals(self) -> None:
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        self._selector.register(wake, selectors.EVENT_READ, lambda: read_available(wake))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in STOP_SIGNALS:
            # Under `nohup`, a closed terminal must not stop the product.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._increment_stop_request_count)

    def _increment_stop_request_count(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requests += 1

    def start_child(self, child: ProcessDefinition) -> None:
        """Start the child and keep it running."""
        log = self._logs / f"{child.name}.log"
        rotate_log(log)
        self._spawn(self._append_new_supervised_child(child, log))
        self._write_status_file()

    def run_to_completion(self, *children: ProcessDefinition) -> None:
        """Start the children at the same time and wait until all have succeeded."""
        runs = [
            self._append_new_supervised_child(child, self._logs / f"{child.name}.log")
            for child in children
        ]
        for run in runs:
            rotate_log(run.log)
            self._spawn(run)
        while any(run.process for run in runs):
            self.wait_and_handle_events()
        for run in runs:
            self._children.remove(run)

    def wait_until_ready(self, probe: Callable[[], bool], *, name: str, timeout: timedelta) -> None:
        """Supervise until `probe()` is true.

        Raises:
            StartError: `timeout` has passed; the message shows the end of each log.
        """
        deadline = time.monotonic() + timeout.total_seconds()
        pause = 0.02
        while not probe():
            if time.monotonic() > deadline:
                names = sorted(
                    {run.child.name for run in self._children if not run.child.is_setup_step}
                )
                logs = "\n".join(
                    self._log_tail(run) for run in self._children if _log_has_content(run.log)
                )
                raise StartError(f"{name} did not respond (running: {', '.join(names)}).\n{logs}")
            self.wait_and_handle_events(pause)
            pause = min(pause * 1.5, 0.25)

    def run_forever(self) -> None:
        """Supervise until a stop signal arrives."""
        while True:
            self.wait_and_handle_events()

    def wait_and_handle_events(self, max_seconds: float = 1.0) -> None:
        """Wait up to `max_seconds` for an event and handle it."""
        self._raise_if_stop_requested()
        for key, _ in self._selector.select(self._seconds_until_next_restart(max_seconds)):
            key.data()
        self._raise_if_stop_requested()
        for run in list(self._children):
            if run.process is not None and run.process.poll() is not None:
                self._handle_exit(run, run.process.returncode)
            elif run.restart_at is not None and run.restart_at <= time.monotonic():
                self._restart(run)
            elif run.process and run.history.forget_exits_after_recovery(time.monotonic()):
                print_line(f"{run.child.name} runs again")
                self._write_status_file()
        self._rotate_large_logs()

    def _raise_if_stop_requested(self) -> None:
        if self._stop_requests:
            raise StopRequested

    def _seconds_until_next_restart(self, max_seconds: float) -> float:
        now = time.monotonic()
        due = [run.restart_at - now for run in self._children if run.restart_at is not None]
        return max(0.0, min([max_seconds, *due]))

    def _append_new_supervised_child(self, child: ProcessDefinition, log: Path) -> SupervisedChild:
        run = SupervisedChild(child, log)
        self._children.append(run)
        return run

    def _restart(self, run: SupervisedChild) -> None:
        try:
            self._spawn(run)
        except OSError as error:  # no memory, for example: no reason to stop the others
            print_line(f"{run.child.name} could not be started: {error.strerror}")
            self._plan_restart(run, COULD_NOT_START)
        self._write_status_file()

    def _spawn(self, run: SupervisedChild) -> None:
        run.restart_at = None
        run.history.started_at = time.monotonic()
        run.process = start_process(run.child, log=run.log, pipe=self._pipe_read_end)
        if run.process.stdout is not None:
            out = run.process.stdout.fileno()
            os.set_blocking(out, False)
            self._selector.register(
                out, selectors.EVENT_READ, lambda: self._print_available_output(run, out)
            )

    def _print_available_output(self, run: SupervisedChild, out: int) -> bool:
        """Print the available output; return False when there is none."""
        chunk = read_available(out)
        if chunk:
            *lines, run.partial_line = (run.partial_line + chunk).split(b"\n")
            for line in lines:
                print_line(line.decode(errors="replace"))
        elif chunk == b"":
            self._selector.unregister(out)
        return bool(chunk)

    def _print_remaining_output_and_close(self, run: SupervisedChild) -> None:
        """Print the remaining output, without waiting for end of file: a grandchild may keep it."""
        if run.process is None or run.process.stdout is None:
            return
        out = run.process.stdout.fileno()
        if out in self._selector.get_map():
            while self._print_available_output(run, out):
                pass
        if out in self._selector.get_map():
            self._selector.unregister(out)
        if run.partial_line:
            print_line(run.partial_line.decode(errors="replace"))
            run.partial_line = b""
        run.process.stdout.close()

    def _handle_exit(self, run: SupervisedChild, code: int) -> None:
        self._print_remaining_output_and_close(run)
        run.process = None
        if code == 0 and (run.child.may_exit or run.child.is_setup_step):
            return
        if run.child.is_setup_step:
            raise StartError(f"{run.child.name} failed (exit code {code}).\n{self._log_tail(run)}")
        self._plan_restart(run, code)
        self._write_status_file()

    def _plan_restart(self, run: SupervisedChild, code: int) -> None:
        """Plan the next start. Raises StartError if everything must stop."""
        now = time.monotonic()
        pause = run.history.record_exit(code, now=now, max_pause=run.child.max_restart_pause)
        exits, limit = run.history.exits, run.child.max_exits
        if limit is not None and exits >= limit and not is_disk_full(run.child):
            raise StartError(
                f"{run.child.name} exited {exits} times in a row (exit code {code}), and nothing "
                f"works without it.\n{self._log_tail(run)}"
            )
        run.restart_at = now + pause
        line = f"{run.child.name} exited (exit code {code}); restarting it"
        print_line(line if exits == 1 else f"{line} in {pause:.1f} s ({exits} exits in a row)")
        if exits == EXITS_BEFORE_LOG_IS_SHOWN:
            print_line(self._log_tail(run))

    def _write_status_file(self) -> None:
        """Publish the status of the services for pages and metrics. A full disk stops nothing."""
        statuses = [
            run.history.status(run.child.name, run.restart_at)
            for run in self._children
            if not run.child.is_setup_step and (run.process or run.restart_at is not None)
        ]
        try:
            write_private(self._status_file, serialize_statuses(statuses))
        except OSError as error:
            print_line(f"{self._status_file} could not be written: {error.strerror}")

    def _log_tail(self, run: SupervisedChild) -> str:
        return f"last lines of {run.log}:\n{last_lines(run.log)}"

    def _rotate_large_logs(self) -> None:
        now = time.monotonic()
        if now - self._logs_checked > 60:
            self._logs_checked = now
            for run in self._children:
                if run.log.is_file() and run.log.stat().st_size > MAX_LOG_BYTES:
                    rotate_log(run.log)

    def stop(self) -> None:
        """Stop all children, the last started first. Another stop signal kills them at once."""
        self._stop_requests = 0
        for run in reversed(self._children):
            if run.process is not None:
                self._stop_child(run, run.process)
        self._children.clear()
        self._status_file.unlink(missing_ok=True)

    def _stop_child(self, run: SupervisedChild, process: "subprocess.Popen[bytes]") -> None:
        send_signal_if_alive(process, run.child.stop_signal)
        deadline = time.monotonic() + run.child.stop_timeout.total_seconds()
        while process.poll() is None:
            if self._stop_requests or time.monotonic() > deadline:
                kill_session(process)
                process.wait()
                break
            for key, _ in self._selector.select(0.1):
                key.data()
        self._print_remaining_output_and_close(run)


def _log_has_content(log: Path) -> bool:
    return log.is_file() and log.stat().st_size > 0


def print_error_and_return_exit_code(message: str) -> int:
    """Print the reason to standard error and return the exit code."""
    with suppress(OSError):
        print(message, file=sys.stderr, flush=True)
    return 1
