"""Starts children in order, restarts the ones that fall, and stops them all, whatever happens."""

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

from visibility.launcher.binaries import Unusable
from visibility.launcher.process import MAX_LOG_BYTES, Child, last_lines, put_aside, spawn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FALLS_ALLOWED = 5
FALLS_WITHIN = 30.0
LONGEST_WAIT = 5.0


class Stopped(Exception):
    """Somebody asked for the end."""


def say(line: str) -> None:
    """One line for the terminal, which may have gone away."""
    try:
        print(line, flush=True)
    except OSError:
        # Python would complain about the unwritten rest once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass
class Running:
    """A child's process, and its history."""

    child: Child
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    falls: list[float] = field(default_factory=list)
    again_at: float | None = None
    unfinished: bytes = b""


class Supervisor:
    """One thread, one loop: signals, output and exits all wake the same `select`."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Running] = []
        self._requests = 0
        self._selector = selectors.DefaultSelector()
        self._logs_checked = time.monotonic()
        # Only we hold the write end: children that read end of file know that we are gone.
        self._pipe, self._pipe_held = os.pipe()
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._listen_to_signals()

    def _listen_to_signals(self) -> None:
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        self._selector.register(wake, selectors.EVENT_READ, lambda: _read(wake))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in STOP_SIGNALS:
            # `nohup` asked that a closed terminal be no reason to stop.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._note_request)

    def _note_request(self, _number: int, _frame: FrameType | None) -> None:
        self._requests += 1

    def start(self, child: Child) -> None:
        """Start it and keep it running from now on."""
        log = self._logs / f"{child.name}.log"
        put_aside(log)
        self._spawn(self._add(child, log))

    def run(self, *children: Child) -> None:
        """Start these at once and wait until all have ended well."""
        runs = [self._add(child, self._logs / f"{child.name}.log") for child in children]
        for run in runs:
            put_aside(run.log)
            self._spawn(run)
        while any(run.process for run in runs):
            self.tick()
        for run in runs:
            self._running.remove(run)

    def wait_for(self, probe: Callable[[], bool], *, what: str, limit: timedelta) -> None:
        """Go on supervising until the probe holds."""
        until = time.monotonic() + limit.total_seconds()
        pause = 0.02
        while not probe():
            if time.monotonic() > until:
                names = sorted({run.child.name for run in self._running if not run.child.once})
                shown = "\n".join(self._last_words(run) for run in self._running if _wrote(run.log))
                raise Unusable(f"{what} did not answer (running: {', '.join(names)}).\n{shown}")
            self.tick(pause)
            pause = min(pause * 1.5, 0.25)

    def watch(self) -> None:
        """Until somebody asks for the end."""
        while True:
            self.tick()

    def tick(self, longest: float = 1.0) -> None:
        """Wait for something to happen, at most this long, and deal with it."""
        self._raise_if_asked()
        for key, _ in self._selector.select(self._until_restart(longest)):
            key.data()
        self._raise_if_asked()
        for run in list(self._running):
            if run.process is not None and run.process.poll() is not None:
                self._ended(run, run.process.returncode)
            elif run.again_at is not None and run.again_at <= time.monotonic():
                self._spawn(run)
        self._bound_logs()

    def _raise_if_asked(self) -> None:
        if self._requests:
            raise Stopped

    def _until_restart(self, longest: float) -> float:
        now = time.monotonic()
        due = [run.again_at - now for run in self._running if run.again_at is not None]
        return max(0.0, min([longest, *due]))

    def _add(self, child: Child, log: Path) -> Running:
        run = Running(child, log)
        self._running.append(run)
        return run

    def _spawn(self, run: Running) -> None:
        run.again_at = None
        run.process = spawn(run.child, log=run.log, pipe=self._pipe)
        if run.process.stdout is not None:
            out = run.process.stdout.fileno()
            os.set_blocking(out, False)
            self._selector.register(out, selectors.EVENT_READ, lambda: self._pass_on(run, out))

    def _pass_on(self, run: Running, out: int) -> bool:
        """Show what it said; False when there is nothing more for now."""
        chunk = _read(out)
        if chunk:
            *lines, run.unfinished = (run.unfinished + chunk).split(b"\n")
            for line in lines:
                say(line.decode(errors="replace"))
        elif chunk == b"":
            self._selector.unregister(out)
        return bool(chunk)

    def _close_output(self, run: Running) -> None:
        """Show what is left; not waiting for the end, which a grandchild may hold back."""
        if run.process is None or run.process.stdout is None:
            return
        out = run.process.stdout.fileno()
        if out in self._selector.get_map():
            while self._pass_on(run, out):
                pass
        if out in self._selector.get_map():
            self._selector.unregister(out)
        if run.unfinished:
            say(run.unfinished.decode(errors="replace"))
            run.unfinished = b""
        run.process.stdout.close()

    def _ended(self, run: Running, code: int) -> None:
        self._close_output(run)
        run.process = None
        if code == 0 and (run.child.may_end or run.child.once):
            return
        if run.child.once:
            raise Unusable(f"{run.child.name} failed (exit code {code}).\n{self._last_words(run)}")
        now = time.monotonic()
        run.falls = [fall for fall in run.falls if now - fall < FALLS_WITHIN] + [now]
        if len(run.falls) >= FALLS_ALLOWED:
            raise Unusable(
                f"{run.child.name} ended {FALLS_ALLOWED} times within {FALLS_WITHIN:.0f} s "
                f"(exit code {code}).\n{self._last_words(run)}"
            )
        run.again_at = now + min(LONGEST_WAIT, 0.2 * 2 ** (len(run.falls) - 1))
        say(f"{run.child.name} ended (exit code {code}); starting it again")

    def _last_words(self, run: Running) -> str:
        return f"last lines of {run.log}:\n{last_lines(run.log)}"

    def _bound_logs(self) -> None:
        now = time.monotonic()
        if now - self._logs_checked > 60:
            self._logs_checked = now
            for run in self._running:
                if run.log.is_file() and run.log.stat().st_size > MAX_LOG_BYTES:
                    put_aside(run.log)

    def stop(self) -> None:
        """Everything ends, the last started first; one more request ends it at once."""
        self._requests = 0
        for run in reversed(self._running):
            if run.process is not None:
                self._stop_one(run, run.process)
        self._running.clear()

    def _stop_one(self, run: Running, process: "subprocess.Popen[bytes]") -> None:
        _send(process, run.child.stop_signal)
        until = time.monotonic() + run.child.patience.total_seconds()
        while process.poll() is None:
            if self._requests or time.monotonic() > until:
                _kill_session(process)
                process.wait()
                break
            for key, _ in self._selector.select(0.1):
                key.data()
        self._close_output(run)


def _wrote(log: Path) -> bool:
    return log.is_file() and log.stat().st_size > 0


def _send(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)


def _kill_session(process: "subprocess.Popen[bytes]") -> None:
    """A killed postmaster's backends, too: they share its session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(descriptor: int) -> bytes | None:
    """What is there; None: nothing yet; empty: the end."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None


def fail(sentence: str) -> int:
    """The reason on standard error, and the exit code."""
    with suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)
    return 1
