"""Add and end targets of KPIs, each with its audit entry. Past days keep their target."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet

from connectors.sdk.parse_setting_values import parse_duration
from connectors.sdk.settings import SettingError
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.formatting import in_zone
from visibility.kpi.dimensions import DIMENSIONS, Dimension, bitmask_of_dimensions_not_grouped
from visibility.kpi.kpi import Kpi, KpiUnit
from visibility.kpi.registry import kpi_registry
from visibility.models.audit import append_audit_entry
from visibility.models.kpi_targets import KpiTarget
from visibility.models.kpis import KpiCell
from visibility.storage.organization import organization_time_zone

# Of one KPI, past ones included: pages load all that apply within their date range.
MAX_TARGETS = 1_000
FIRST_YEAR, LAST_YEAR = 2000, 2200
LOWEST_PERCENT, HIGHEST_PERCENT = Decimal("0.0001"), Decimal(1)
SHORTEST, LONGEST = Decimal(1), Decimal(366 * 86_400)
SMALLEST_STEP = Decimal("0.000001")
NUMBER_AND_UNIT = re.compile(r"\d+(?:\.\d+)?\s*[a-z]+")


class InvalidKpiTarget(ValueError):
    """Fields of a target are invalid. `errors` names them and says why."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class KpiTargetValues:
    """A new target: a fraction of 1 or seconds, from a day on.

    `dimension` and `dimension_value` are empty for the whole KPI.
    """

    kpi: str
    value: Decimal
    first_day: date
    dimension: str = ""
    dimension_value: str = ""


def parse_target(kpi: Kpi, text: str) -> Decimal:
    """The value of `96.5`, `96.5%` or `3 d 4 h`, in the unit of the KPI. Raises ValueError."""
    text = text.replace("\u00a0", " ").strip().lower()
    if kpi.unit is KpiUnit.PERCENT:
        try:
            value = Decimal(text.removesuffix("%").strip())
        except InvalidOperation:
            raise ValueError("Enter a percentage, such as 96.5.") from None
        if not value.is_finite():
            raise ValueError("Enter a percentage, such as 96.5.")
        return value / 100
    amounts = NUMBER_AND_UNIT.findall(text)
    if not amounts or NUMBER_AND_UNIT.sub("", text).strip():
        raise ValueError("Enter a duration, such as 3 d 4 h or 45 min.")
    try:
        total = sum((parse_duration(amount) for amount in amounts), timedelta())
    except (ValueError, OverflowError):
        raise ValueError("Enter a duration, such as 3 d 4 h or 45 min.") from None
    return Decimal(str(total.total_seconds()))


def add_kpi_target(values: KpiTargetValues, *, user: User, now: datetime) -> KpiTarget:
    """Add a target, and end the one before it the day before. Raises InvalidKpiTarget.

    If a later one is stored, it ends the day before that one.
    """
    kpi = _check(values)
    with transaction.atomic():
        # One after the other: the new target ends the earlier one.
        lock_until_commit(LockKey.KPI_TARGETS)
        if KpiTarget.objects.filter(kpi=kpi.code).count() >= MAX_TARGETS:
            raise _invalid("kpi", f"{kpi.title} has {MAX_TARGETS} targets, which is the maximum.")
        before = _applying_on(values)
        if before is not None and values.first_day < _today(now):
            raise _invalid(
                "first_day",
                "A target is set for that day already, and past days keep theirs. Enter today or "
                "a later day.",
            )
        if before is not None:
            _end(before, values.first_day - timedelta(days=1), user, now)
        following = (
            _same_scope(values)
            .filter(first_day__gt=values.first_day)
            .order_by("first_day")
            .values_list("first_day", flat=True)
            .first()
        )
        target = KpiTarget.objects.create(
            kpi=kpi.code,
            value=values.value.quantize(SMALLEST_STEP),
            dimension=values.dimension,
            dimension_value=values.dimension_value,
            first_day=values.first_day,
            last_day=following - timedelta(days=1) if following else None,
            created_by=user,
            created_at=now,
        )
        _audit("kpi_target.added", target, user, now)
    return target


def end_kpi_target(
    number: int, last_day: date | None = None, *, user: User, now: datetime
) -> KpiTarget | None:
    """End a target after a day, yesterday by default, and return it; None if there is none.

    One that begins later then never applies. Raises InvalidKpiTarget.
    """
    with transaction.atomic():
        lock_until_commit(LockKey.KPI_TARGETS)
        target = KpiTarget.objects.select_related("created_by").filter(pk=number).first()
        if target is None:
            return None
        yesterday = _today(now) - timedelta(days=1)
        chosen = last_day or yesterday
        if target.last_day is not None and target.last_day <= yesterday:
            raise _invalid("last_day", "This target has ended already.")
        if chosen < yesterday:
            raise _invalid(
                "last_day", f"Past days keep their target. Enter {yesterday} or a later day."
            )
        if chosen.year > LAST_YEAR or (target.last_day is not None and chosen > target.last_day):
            latest = target.last_day or date(LAST_YEAR, 12, 31)
            raise _invalid("last_day", f"This target ends on {latest}. Enter an earlier day.")
        _end(target, chosen, user, now)
        _audit("kpi_target.ended", target, user, now)
    return target


def _end(target: KpiTarget, last_day: date, user: User, now: datetime) -> None:
    target.last_day = max(last_day, target.first_day - timedelta(days=1))
    target.ended_by, target.ended_at = user, now
    target.save(update_fields=["last_day", "ended_by", "ended_at"])


def _check(values: KpiTargetValues) -> Kpi:
    """The KPI, if all fields are valid. Raises InvalidKpiTarget."""
    kpi = kpi_registry().get(values.kpi)
    if kpi is None:
        raise _invalid("kpi", "There is no such KPI.")
    errors = []
    if kpi.unit is KpiUnit.PERCENT:
        if not LOWEST_PERCENT <= values.value <= HIGHEST_PERCENT:
            errors.append(SettingError("value", "Enter a target from 0.01% to 100%."))
    elif not SHORTEST <= values.value <= LONGEST:
        errors.append(SettingError("value", "Enter a target from 1 second to 366 days."))
    if not FIRST_YEAR <= values.first_day.year <= LAST_YEAR:
        sentence = f"Enter a date from {FIRST_YEAR} to {LAST_YEAR}."
        errors.append(SettingError("first_day", sentence))
    errors += _scope_errors(kpi, values)
    if errors:
        raise InvalidKpiTarget(errors)
    return kpi


def _scope_errors(kpi: Kpi, values: KpiTargetValues) -> list[SettingError]:
    if not values.dimension:
        if values.dimension_value:
            return [SettingError("dimension", "Choose what this is a value of.")]
        return []
    dimension = next((name for name in kpi.dimensions if name == values.dimension), None)
    if dimension is None:
        known = ", ".join(DIMENSIONS[name].lower() for name in kpi.dimensions)
        return [SettingError("dimension", f"{kpi.title} can be filtered by {known}.")]
    title = DIMENSIONS[dimension].lower()
    if not values.dimension_value:
        return [SettingError("dimension_value", f"Enter a {title}.")]
    if not _is_known(dimension, values.dimension_value):
        sentence = f"No KPI has a value for this {title} yet. Check the spelling."
        return [SettingError("dimension_value", sentence)]
    return []


def _is_known(dimension: Dimension, value: str) -> bool:
    """Whether something was counted for this value, in any KPI."""
    grouping = bitmask_of_dimensions_not_grouped({dimension})
    return KpiCell.objects.filter(grouping=grouping, **{dimension: value}).exists()


def _same_scope(values: KpiTargetValues) -> QuerySet[KpiTarget]:
    """The targets of the scope that apply on a day."""
    return KpiTarget.objects.filter(
        Q(last_day__isnull=True) | Q(last_day__gte=F("first_day")),
        kpi=values.kpi,
        dimension=values.dimension,
        dimension_value=values.dimension_value,
    )


def _applying_on(values: KpiTargetValues) -> KpiTarget | None:
    """The target of the scope that applies on the first day of the new one."""
    day = values.first_day
    applying = Q(last_day__isnull=True) | Q(last_day__gte=day)
    return _same_scope(values).filter(applying, first_day__lte=day).first()


def _today(now: datetime) -> date:
    return in_zone(now, organization_time_zone()).date()


def _invalid(field: str, sentence: str) -> InvalidKpiTarget:
    return InvalidKpiTarget([SettingError(field, sentence)])


def _audit(action: str, target: KpiTarget, user: User, now: datetime) -> None:
    detail: dict[str, Any] = {
        "kpi": target.kpi,
        "value": f"{target.value.normalize():f}",
        "first_day": target.first_day.isoformat(),
        "last_day": target.last_day.isoformat() if target.last_day else None,
    }
    if target.dimension:
        detail |= {"dimension": target.dimension, "dimension_value": target.dimension_value}
    append_audit_entry(action, user=user, object=f"KPI target {target.pk}", detail=detail, now=now)
