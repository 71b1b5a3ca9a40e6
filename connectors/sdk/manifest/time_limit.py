"""Limit how long a check of an untrusted manifest takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends_at: ContextVar[float | None] = ContextVar("manifest_time_limit", default=None)


class TimeLimitExceeded(Exception):
    """The manifest and its samples take longer than the limit of the check."""


@contextmanager
def limit_seconds(seconds: float) -> Iterator[None]:
    """Let interpreting inside the block raise TimeLimitExceeded after so many seconds."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def raise_if_time_is_up() -> None:
    """Raise TimeLimitExceeded if there is a limit and it has passed."""
    ends_at = _ends_at.get()
    if ends_at is not None and time.monotonic() > ends_at:
        raise TimeLimitExceeded
