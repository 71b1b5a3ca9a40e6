"""How long a process that keeps exiting rests before it is started again."""

from dataclasses import dataclass

from visibility.process_status import ProcessStatus

FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 300.0
# A process that has run for so long has recovered: its earlier exits no longer count.
RECOVERY_SECONDS = 60.0


@dataclass
class ExitHistory:
    """The exits in a row of one process. Times are monotonic seconds."""

    exits: int = 0
    exit_code: int = 0
    failing_since: float | None = None
    started_at: float = 0.0

    def record_exit(self, code: int, *, now: float, max_pause: float) -> float:
        """Record an exit and return the pause in seconds, which doubles up to `max_pause`."""
        self.forget_exits_after_recovery(now)
        self.exits, self.exit_code = self.exits + 1, code
        self.failing_since = now if self.failing_since is None else self.failing_since
        # Large exponents would overflow.
        return min(max_pause, FIRST_PAUSE_SECONDS * 2.0 ** min(self.exits - 1, 30))

    def forget_exits_after_recovery(self, now: float) -> bool:
        """Forget the exits of a process that has recovered; return whether there were any."""
        if not self.exits or now - self.started_at < RECOVERY_SECONDS:
            return False
        self.exits, self.failing_since = 0, None
        return True

    def status(self, name: str, next_start_at: float | None) -> ProcessStatus:
        """The status for the file."""
        return ProcessStatus(name, self.exits, self.exit_code, self.failing_since, next_start_at)
