"""Check, store and audit the organization. A new time zone is applied to all orders."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from django.contrib.auth.models import User
from django.db import transaction

from connectors.sdk.given_values import read_given_values
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.models.audit import append_audit_entry
from visibility.models.organization import MAX_NAME_LENGTH, Organization, WeekStart
from visibility.models.rules_clocks_and_calendars import WorkCalendar
from visibility.storage.organization import (
    DEFAULT_CURRENCY,
    forget_organization,
    organization_time_zone,
)
from visibility.storage.request_refold_of_open_orders import request_refold_of_all_orders

FIELDS = (
    *("name", "time_zone", "currency", "week_start", "fiscal_year_start", "calendar"),
    "is_checklist_closed",
)
CURRENCY_CODE = re.compile("[A-Z]{3}")


class InvalidOrganization(ValueError):
    """Values are invalid: `errors` has a sentence per field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__(" ".join(errors.values()))


class OrganizationConflict(ValueError):
    """Somebody changed the organization after it was read."""


@dataclass(frozen=True, slots=True)
class OrganizationChangeResult:
    """The organization after the change, the changed fields, and how many orders follow."""

    organization: Organization
    changed: tuple[str, ...]
    refolded_orders: int = 0


def known_time_zones() -> list[str]:
    """The names of all time zones."""
    return sorted(available_timezones())


def current_organization() -> Organization:
    """The stored organization, or an unsaved one with the values that are in force without it."""
    return Organization.objects.select_related("calendar").first() or Organization(
        id=1,
        name="",
        time_zone=organization_time_zone(),
        currency=DEFAULT_CURRENCY,
        week_start=WeekStart.MONDAY.value,
        fiscal_year_start=1,
        version=0,
    )


def check_organization(values: Mapping[str, Any]) -> dict[str, Any]:
    """The given fields in the form of the model. Raises InvalidOrganization with all errors."""
    read, errors = read_given_values(values, READERS)
    if errors:
        raise InvalidOrganization({error.name: error.sentence for error in errors})
    return read


def change_organization(
    values: Mapping[str, Any], *, version: int | None, by: User, now: datetime
) -> OrganizationChangeResult:
    """Change the given fields of FIELDS; `calendar` is a code, or empty.

    `version`: the version that the user saw, 0 if there was none; None skips the check. Nothing is
    written if nothing changes. Raises InvalidOrganization, OrganizationConflict.
    """
    with transaction.atomic():
        lock_until_commit(LockKey.ORGANIZATION)
        row = current_organization()
        if version is not None and version != row.version:
            raise OrganizationConflict(
                f"The organization was changed meanwhile; its version is {row.version} now."
            )
        is_new = row.version == 0
        wanted = check_organization({"name": row.name, **values} if is_new else values)
        before = _texts(row)
        for name, value in wanted.items():
            setattr(row, name, value)
        after = _texts(row)
        changed = tuple(name for name in FIELDS if after[name] != before[name])
        if not changed:
            return OrganizationChangeResult(row, ())
        row.version += 1
        row.save()
        append_audit_entry(
            "organization.changed",
            user=by,
            object="organization",
            detail={
                "version": row.version,
                "before": {name: before[name] for name in changed},
                "after": {name: after[name] for name in changed},
            },
            now=now,
        )
        forget_organization()
        transaction.on_commit(forget_organization)
        number = request_refold_of_all_orders() if "time_zone" in changed else 0
        return OrganizationChangeResult(row, changed, number)


def _texts(row: Organization) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in FIELDS if name != "calendar"}
    return {**values, "calendar": row.calendar.code if row.calendar else ""}


def _read_name(raw: object) -> str:
    name = raw.strip() if isinstance(raw, str) else ""
    if not name:
        raise ValueError("Enter a name.")
    if len(name) > MAX_NAME_LENGTH or "\0" in name:
        raise ValueError(f"Enter a name of at most {MAX_NAME_LENGTH} characters.")
    return name


def _read_time_zone(raw: object) -> str:
    zone = raw.strip() if isinstance(raw, str) else ""
    zones = known_time_zones()
    if zone not in zones:
        city = "/" + zone.replace(" ", "_").casefold()
        of_city = [name for name in zones if name.casefold().endswith(city)]
        if len(of_city) == 1:
            return of_city[0]
        raise ValueError("Enter the name of a time zone such as America/Chicago.")
    return zone


def _read_currency(raw: object) -> str:
    code = raw.strip().upper() if isinstance(raw, str) else ""
    if not CURRENCY_CODE.fullmatch(code):
        raise ValueError("Enter the three letters of a currency, such as USD.")
    return code


def _read_week_start(raw: object) -> str:
    if not isinstance(raw, str) or raw not in set(WeekStart):
        raise ValueError(f"Choose {', '.join(WeekStart)}.")
    return raw


def _read_month(raw: object) -> int:
    text = str(raw)
    if isinstance(raw, bool) or not text.isascii() or not text.isdecimal():
        raise ValueError("Choose a month from 1 to 12.")
    if len(text) > 2 or not 1 <= int(text) <= 12:
        raise ValueError("Choose a month from 1 to 12.")
    return int(text)


def _read_calendar(raw: object) -> WorkCalendar | None:
    if raw in (None, ""):
        return None
    calendar = WorkCalendar.objects.filter(code=str(raw)[:50].replace("\0", "")).first()
    if calendar is None:
        raise ValueError("No calendar has this code.")
    return calendar


def _read_boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("This must be true or false.")
    return raw


READERS: Mapping[str, Callable[[object], Any]] = {
    "name": _read_name,
    "time_zone": _read_time_zone,
    "currency": _read_currency,
    "week_start": _read_week_start,
    "fiscal_year_start": _read_month,
    "calendar": _read_calendar,
    "is_checklist_closed": _read_boolean,
}
