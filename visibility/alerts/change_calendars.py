"""Create, change, copy and delete calendars: checked, versioned by date, audited.

Deadlines of existing orders follow: each rule that counts with the changed hours gets a new version
and all orders are checked again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.text import slugify

from visibility.models.audit import append_audit_entry
from visibility.models.master import Location
from visibility.models.rules_clocks_and_calendars import (
    SlaRule,
    WorkCalendar,
    working_hours_values,
)
from visibility.sla.calendar_versions import (
    CalendarVersion,
    set_versions,
    version_on,
    versions_of_calendar,
)
from visibility.sla.check_calendar import (
    InvalidCalendarValues,
    check_definition,
    check_effective_date,
    check_title,
    cutoff_pair,
)
from visibility.sla.cutoff_times import local_date
from visibility.sla.load_enabled_rules import rule_kind_codes_not_about_orders
from visibility.sla.recheck_orders import enqueue_next_batch, start_rechecks_of_changed_rules

COLUMNS = (
    *("title", "zone", "hours", "holidays", "subdivision", "closed_days", "exceptions"),
    *("cutoffs", "later_versions", "version"),
)


class CalendarConflict(ValueError):
    """The calendar was changed meanwhile, or is used; the message is a sentence for the user."""


class UnknownCalendar(LookupError):
    """No calendar has this code."""


@dataclass(frozen=True, slots=True)
class CalendarChangeResult:
    """The calendar after the change, whether it changed, and how many orders are checked."""

    calendar: WorkCalendar
    is_changed: bool
    rechecked_orders: int = 0


def create_calendar(
    values: Mapping[str, Any], *, by: User, now: datetime, copy_of: WorkCalendar | None = None
) -> WorkCalendar:
    """Create a calendar. `values`: `title` and fields of the definition, the others are empty.

    A copy begins with the definition that is in effect today, without its cut-offs. Raises
    InvalidCalendarValues.
    """
    with transaction.atomic():
        others = _lock_all()
        base = CalendarVersion()
        if copy_of is not None:
            versions = versions_of_calendar(copy_of)
            base = version_on(versions, local_date(versions, now))
            base = replace(base, cutoffs=(), starts_on=None)
        title, version = _check_all(base, values, "", values.get("title"))
        _check_pairs_are_free(version, others, now=now)
        row = WorkCalendar(
            code=_free_code(title, {"new", *(other.code for other in others)}), title=title
        )
        set_versions(row, [version])
        row.save()
        detail = {"title": title, "copy_of": copy_of.code if copy_of else "", "after": values}
        _audit("calendar.created", row, detail, by=by, now=now)
        return row


def change_calendar(
    code: str,
    values: Mapping[str, Any],
    *,
    effective_from: object = None,
    version: int | None,
    by: User,
    now: datetime,
) -> CalendarChangeResult:
    """Change the title, or the definition from a date on; without a date, from today on.

    `values`: `title` and fields of the definition; those that are not given stay. `version`: the
    version that the user saw; None skips the check. Days before the date keep their hours. Nothing
    is written if nothing changes. Raises InvalidCalendarValues, CalendarConflict, UnknownCalendar.
    """
    with transaction.atomic():
        row, others = _lock_calendar_and_others(code, version)
        versions = versions_of_calendar(row)
        today = local_date(versions, now)
        starts_on = check_effective_date(effective_from, today=today)
        base = version_on(versions, starts_on)
        title, wanted = _check_all(base, values, row.title, values.get("title", row.title))
        before = base.definition() | {"title": row.title}
        after = wanted.definition() | {"title": title}
        changed = [name for name in after if _as_json(after[name]) != _as_json(before[name])]
        if not changed:
            return CalendarChangeResult(row, is_changed=False)
        _check_pairs_are_free(wanted, others, now=now)
        hours_before = working_hours_values(row)
        row.title = title
        if changed != ["title"]:
            remaining = [v for v in versions if v.starts_on != starts_on]
            set_versions(row, [*remaining, replace(wanted, starts_on=starts_on)])
        detail = {
            "effective_from": starts_on.isoformat(),
            "before": {name: before[name] for name in changed},
            "after": {name: after[name] for name in changed},
        }
        return _save_and_recheck(row, hours_before, detail, by=by, now=now)


def remove_calendar_version(
    code: str, starts_on: date, *, version: int | None, by: User, now: datetime
) -> CalendarChangeResult:
    """Remove a change that has not taken effect. Raises CalendarConflict, UnknownCalendar."""
    with transaction.atomic():
        row, _ = _lock_calendar_and_others(code, version)
        versions = versions_of_calendar(row)
        remaining = [v for v in versions if v.starts_on != starts_on]
        if len(remaining) == len(versions):
            raise UnknownCalendar(f"{code} from {starts_on}")
        if starts_on <= local_date(versions, now):
            raise CalendarConflict("This change has taken effect. Change the calendar instead.")
        hours_before = working_hours_values(row)
        set_versions(row, remaining)
        detail = {"removed": starts_on.isoformat(), "before": {}, "after": {}}
        return _save_and_recheck(row, hours_before, detail, by=by, now=now)


def delete_calendar(code: str, *, by: User, now: datetime) -> None:
    """Delete a calendar that nothing uses. Raises CalendarConflict, UnknownCalendar."""
    with transaction.atomic():
        row, _ = _lock_calendar_and_others(code, None)
        rules = SlaRule.objects.filter(calendar=row).count()
        locations = Location.objects.filter(calendar=row.code).count()
        if rules or locations:
            users = f"{rules} rule(s) and {locations} location(s)"
            raise CalendarConflict(f"Not deleted: {users} use this calendar.")
        _audit("calendar.deleted", row, {"title": row.title}, by=by, now=now)
        row.delete()


def _lock_all() -> list[WorkCalendar]:
    """Lock all calendars: a pair of warehouse and carrier has one cut-off in all of them."""
    return list(WorkCalendar.objects.select_for_update().order_by("pk"))


def _lock_calendar_and_others(
    code: str, version: int | None
) -> tuple[WorkCalendar, list[WorkCalendar]]:
    rows = _lock_all()
    row = next((row for row in rows if row.code == code), None)
    if row is None:
        raise UnknownCalendar(code)
    if version is not None and version != row.version:
        raise CalendarConflict(
            f"This calendar was changed meanwhile; its version is {row.version} now."
        )
    return row, [other for other in rows if other is not row]


def _check_all(
    base: CalendarVersion, values: Mapping[str, Any], old_title: str, raw_title: object
) -> tuple[str, CalendarVersion]:
    """Check the title and the definition; all errors are raised together."""
    errors: dict[str, str] = {}
    title, wanted = old_title, base
    try:
        title = check_title(raw_title)
    except InvalidCalendarValues as error:
        errors |= error.errors
    try:
        wanted = check_definition(base, values)
    except InvalidCalendarValues as error:
        errors |= error.errors
    if errors:
        raise InvalidCalendarValues(errors)
    return title, wanted


def _check_pairs_are_free(
    version: CalendarVersion, others: Sequence[WorkCalendar], *, now: datetime
) -> None:
    """Raises InvalidCalendarValues for a cut-off that another calendar has, today or later."""
    errors = {}
    for other in others:
        versions = versions_of_calendar(other)
        today = local_date(versions, now)
        current = version_on(versions, today)
        valid = [v for v in versions if v is current or (v.starts_on and v.starts_on > today)]
        taken = {cutoff_pair(entry) for v in valid for entry in v.cutoffs}
        for number, entry in enumerate(version.cutoffs):
            if cutoff_pair(entry) in taken:
                sentence = f"The calendar “{other.title}” has a cut-off of this pair already."
                errors[f"cutoffs.{number}"] = sentence
    if errors:
        raise InvalidCalendarValues(errors)


def _free_code(title: str, taken: set[str]) -> str:
    base = slugify(title)[:40] or "calendar"
    numbers = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return base if base not in taken else next(code for code in numbers if code not in taken)


def _as_json(value: Any) -> Any:
    """The value with lists for all sequences, to compare entered with stored ones."""
    if isinstance(value, Mapping):
        return {name: _as_json(each) for name, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list | tuple) else value


def _save_and_recheck(
    row: WorkCalendar,
    hours_before: list[Any],
    detail: Mapping[str, Any],
    *,
    by: User,
    now: datetime,
) -> CalendarChangeResult:
    row.version += 1
    row.save(update_fields=COLUMNS)
    _audit("calendar.changed", row, {"version": row.version, **detail}, by=by, now=now)
    if _as_json(working_hours_values(row)) == _as_json(hours_before):
        return CalendarChangeResult(row, is_changed=True)
    rules = list(SlaRule.objects.select_for_update().filter(calendar=row).order_by("pk"))
    for rule in rules:
        rule.version += 1
        rule.save(update_fields=["version"])
        after = {"calendar": f"{row.code}, version {row.version}"}
        append_audit_entry(
            "rule.changed",
            user=by,
            object=f"rule {rule.code}",
            detail={"version": rule.version, "before": {}, "after": after},
            now=now,
        )
    started = start_rechecks_of_changed_rules(now=now, rule_ids=[rule.pk for rule in rules])
    about_others = rule_kind_codes_not_about_orders()
    if any(rule.kind not in about_others for rule in rules):
        enqueue_next_batch(now=now)
    checked = max((r.open_total + r.closed_total for r in started), default=0)
    return CalendarChangeResult(row, is_changed=True, rechecked_orders=checked)


def _audit(
    action: str, row: WorkCalendar, detail: Mapping[str, Any], *, by: User, now: datetime
) -> None:
    append_audit_entry(
        action, user=by, object=f"calendar {row.code}", detail=_as_json(dict(detail)), now=now
    )
