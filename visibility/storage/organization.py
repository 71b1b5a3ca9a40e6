"""The organization's time zone, currency, week and fiscal year, for every process.

Other processes use a change within `MAX_AGE` seconds. A batch of messages uses the values of its
configuration version, and a block in `use_stored_organization` those that are stored now.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from django.conf import settings
from django.db import Error

from visibility.models.organization import Organization, WeekStart
from visibility.storage.configuration_cache import (
    is_version_known,
    load_once_per_configuration_version,
)

SumT = TypeVar("SumT", bound=tuple[Decimal, str])

MAX_AGE = 1.0  # seconds
DEFAULT_CURRENCY = "USD"
# The weekday on which a week starts, as `date.weekday()` counts.
WEEKDAYS = {WeekStart.MONDAY: 0, WeekStart.SATURDAY: 5, WeekStart.SUNDAY: 6}


@dataclass(frozen=True, slots=True)
class StoredOrganization:
    """The row, or None if nobody has entered the organization, and when it was read."""

    row: Organization | None
    read_at: float


_latest: StoredOrganization | None = None
_of_block: ContextVar[StoredOrganization | None] = ContextVar("organization", default=None)


def load_organization() -> Organization | None:
    """The organization as others see it now, up to `MAX_AGE` seconds old. Nobody may change it."""
    global _latest
    if (pinned := _of_block.get()) is not None:
        return pinned.row
    if is_version_known():
        return load_once_per_configuration_version("organization", Organization.objects.first)
    latest, now = _latest, time.monotonic()
    if latest is None or now - latest.read_at >= MAX_AGE:
        latest = _latest = StoredOrganization(Organization.objects.first(), now)
    return latest.row


def forget_organization() -> None:
    """Read it again when it is needed next, because this process changed it."""
    global _latest
    _latest = None


@contextmanager
def use_stored_organization() -> Iterator[None]:
    """Use the organization as it is stored now, for all of the block. One statement."""
    token = _of_block.set(StoredOrganization(Organization.objects.first(), time.monotonic()))
    try:
        yield
    finally:
        _of_block.reset(token)


def organization_time_zone() -> str:
    """The IANA name of the zone of KPI days and of times on screens; by default TIME_ZONE."""
    row = load_organization()
    return row.time_zone if row else settings.TIME_ZONE


def time_zone_without_database() -> str:
    """The same for pages that must be shown while the database fails: then the latest one known."""
    try:
        return organization_time_zone()
    except Error:
        row = _latest.row if _latest else None
        return row.time_zone if row else settings.TIME_ZONE


def organization_name() -> str:
    """The name; empty if nobody has entered it."""
    row = load_organization()
    return row.name if row else ""


def is_checklist_closed() -> bool:
    """Whether an administrator closed the set-up checklist."""
    row = load_organization()
    return row is not None and row.is_checklist_closed


def organization_currency() -> str:
    """The ISO 4217 code of the currency in which the organization counts."""
    row = load_organization()
    return row.currency if row else DEFAULT_CURRENCY


def own_currency_first(sums: Iterable[SumT]) -> list[SumT]:
    """Sums as (amount, currency): that of the organization first, then the largest numbers."""
    own = organization_currency()
    return sorted(sums, key=lambda each: (each[1] == own, *each), reverse=True)


def start_of_week() -> int:
    """The weekday on which weeks start, Monday is 0."""
    row = load_organization()
    return WEEKDAYS[WeekStart(row.week_start)] if row else 0


def fiscal_year_start() -> int:
    """The month in which the fiscal year starts, January is 1."""
    row = load_organization()
    return row.fiscal_year_start if row else 1
