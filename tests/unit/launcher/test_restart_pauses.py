"""Pauses before a restart grow with the exits in a row, and start again after a recovery."""

from visibility.launcher.restart_pauses import (
    MAX_PAUSE_SECONDS,
    RECOVERY_SECONDS,
    ExitHistory,
)


def pauses(history: ExitHistory, count: int, *, max_pause: float) -> list[float]:
    """The pauses after so many exits, each one second after the start."""
    result = []
    for _ in range(count):
        now = history.started_at + 1
        result.append(history.record_exit(1, now=now, max_pause=max_pause))
        history.started_at = now + result[-1]
    return result


def test_pauses_double_up_to_the_limit() -> None:
    history = ExitHistory()
    assert pauses(history, 4, max_pause=MAX_PAUSE_SECONDS) == [0.2, 0.4, 0.8, 1.6]
    assert pauses(history, 2000, max_pause=MAX_PAUSE_SECONDS)[-1] == 300
    assert (history.exits, history.failing_since) == (2004, 1)


def test_process_that_has_run_for_a_while_starts_with_a_short_pause_again() -> None:
    history = ExitHistory()
    pauses(history, 9, max_pause=5)
    assert not history.forget_exits_after_recovery(history.started_at + RECOVERY_SECONDS - 1)
    now = history.started_at + RECOVERY_SECONDS
    assert history.record_exit(1, now=now, max_pause=5) == 0.2
    assert (history.exits, history.failing_since) == (1, now)


def test_exits_of_a_recovered_process_are_forgotten_once() -> None:
    history = ExitHistory()
    pauses(history, 2, max_pause=5)
    now = history.started_at + RECOVERY_SECONDS
    assert history.forget_exits_after_recovery(now)
    assert not history.forget_exits_after_recovery(now)
    assert history.status("worker", None).failing_since is None
