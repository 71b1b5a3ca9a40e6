"""A moment as pages show it."""

from dataclasses import dataclass
from datetime import datetime

from visibility.formatting import ago, clock, span


@dataclass(frozen=True, slots=True)
class When:
    """Relative, absolute, and for machines."""

    iso: str
    ago: str
    clock: str


def when(moment: datetime | None, now: datetime) -> When | None:
    """The moment in these three ways."""
    return When(moment.isoformat(), ago(moment, now), clock(moment)) if moment else None


def took(end: datetime | None, start: datetime) -> str:
    """From start to end: `85 ms`, `3 min`; empty while it has no end."""
    if end is None:
        return ""
    seconds = (end - start).total_seconds()
    return f"{max(seconds, 0) * 1000:.0f} ms" if seconds < 1 else span(end - start)
