"""Targets of KPIs: which one applies, and how they are added and ended."""

import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from tests.builders.kpi_facts import create_fact, recompute_cells
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.kpi import drilldown
from visibility.kpi.change_targets import (
    InvalidKpiTarget,
    KpiTargetValues,
    add_kpi_target,
    end_kpi_target,
    parse_target,
)
from visibility.kpi.query import NO_FILTERS, DaySpan, KpiDimensionFilters
from visibility.kpi.registry import kpi_registry
from visibility.kpi.targets import TargetStep, load_kpi_targets, target_for
from visibility.models import AuditEntry, KpiTarget
from visibility.storage.organization import organization_time_zone

pytestmark = pytest.mark.django_db
FILL, CYCLE = kpi_registry()["fill_rate"], kpi_registry()["order_cycle_time"]
DAY = date(2026, 3, 3)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def today() -> date:
    return in_zone(database_now(), organization_time_zone()).date()


def stored(user: User, value: str, **fields: Any) -> KpiTarget:
    wanted = {"kpi": "fill_rate", "first_day": DAY} | fields
    return KpiTarget.objects.create(value=Decimal(value), created_by=user, **wanted)


def add(user: User, value: str, first_day: date, scope: tuple[str, str] = ("", "")) -> KpiTarget:
    values = KpiTargetValues("fill_rate", Decimal(value), first_day, *scope)
    return add_kpi_target(values, user=user, now=database_now())


def errors_of(user: User, **fields: Any) -> dict[str, str]:
    wanted: dict[str, Any] = {"kpi": "fill_rate", "value": Decimal("0.97"), "first_day": today()}
    with pytest.raises(InvalidKpiTarget) as raised:
        add_kpi_target(KpiTargetValues(**wanted | fields), user=user, now=database_now())
    return {error.name: error.sentence for error in raised.value.errors}


def test_definition_applies_while_none_is_stored(ada: User) -> None:
    stored(ada, "0.5", kpi="on_time")
    assert target_for(FILL, NO_FILTERS, DAY) == FILL.target


def test_the_most_specific_target_applies(ada: User) -> None:
    stored(ada, "0.97")
    stored(ada, "0.9", dimension="warehouse", dimension_value="Dallas")
    stored(ada, "0.8", dimension="channel", dimension_value="Web")
    stored(ada, "0.7", dimension="customer", dimension_value="C-1")
    for filters, expected in (
        (NO_FILTERS, "0.97"),
        (KpiDimensionFilters(warehouse="Reno"), "0.97"),
        (KpiDimensionFilters(warehouse=""), "0.97"),
        (KpiDimensionFilters(warehouse="Dallas"), "0.9"),
        (KpiDimensionFilters(channel="Web"), "0.8"),
        (KpiDimensionFilters(channel="Web", warehouse="Dallas"), "0.9"),
        (KpiDimensionFilters(channel="Web", warehouse="Dallas", customer="C-1"), "0.7"),
    ):
        assert target_for(FILL, filters, DAY) == Decimal(expected), filters
    assert target_for(CYCLE, KpiDimensionFilters(warehouse="Dallas"), DAY) == CYCLE.target


def test_ended_target_falls_back_to_the_whole_kpi_then_to_the_definition(ada: User) -> None:
    stored(ada, "0.97", last_day=DAY + timedelta(days=1))
    stored(ada, "0.9", dimension="warehouse", dimension_value="Dallas", last_day=DAY)
    dallas = KpiDimensionFilters(warehouse="Dallas")
    days = [DAY + timedelta(days=n) for n in (-1, 0, 1, 2)]
    applied = [target_for(FILL, dallas, day) for day in days]
    assert applied == [FILL.target, Decimal("0.9"), Decimal("0.97"), FILL.target]


def test_targets_of_all_kpis_are_one_statement(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    stored(ada, "0.97")
    stored(ada, "0.98", first_day=DAY + timedelta(days=30))
    span = DaySpan(DAY - timedelta(days=7), DAY + timedelta(days=7))
    with django_assert_num_queries(1):
        targets = load_kpi_targets([*kpi_registry().values()], span)
        steps = targets.steps(FILL, NO_FILTERS, span)
        for kpi in kpi_registry().values():
            targets.target_for(kpi, NO_FILTERS, DAY)
    assert steps == [TargetStep(span.start, FILL.target), TargetStep(DAY, Decimal("0.97"))]


def test_new_target_ends_the_earlier_one_and_past_days_keep_theirs(ada: User) -> None:
    first = add(ada, "0.97", today() - timedelta(days=100))
    second = add(ada, "0.98", today())
    first.refresh_from_db()
    assert first.last_day == today() - timedelta(days=1)
    assert first.ended_by == ada
    assert second.last_day is None
    before = today() - timedelta(days=1)
    assert target_for(FILL, NO_FILTERS, before) == Decimal("0.97")
    assert target_for(FILL, NO_FILTERS, today()) == Decimal("0.98")
    for days in (100, 50, 1):
        wanted = today() - timedelta(days=days)
        assert "past days keep theirs" in errors_of(ada, first_day=wanted)["first_day"]
    # Another scope has its own targets.
    create_fact(day=DAY)
    recompute_cells()
    add(ada, "0.9", before, ("warehouse", "Dallas"))
    assert KpiTarget.objects.count() == 3


def test_target_before_a_later_one_ends_the_day_before_it(ada: User) -> None:
    later = add(ada, "0.98", today() + timedelta(days=30))
    earlier = add(ada, "0.97", today())
    assert earlier.last_day == later.first_day - timedelta(days=1)
    replaced = add(ada, "0.975", today())
    earlier.refresh_from_db()
    assert earlier.last_day == today() - timedelta(days=1)
    assert replaced.last_day == later.first_day - timedelta(days=1)
    assert target_for(FILL, NO_FILTERS, today()) == Decimal("0.975")
    assert target_for(FILL, NO_FILTERS, later.first_day) == Decimal("0.98")


def test_ended_target_applies_up_to_its_last_day(ada: User) -> None:
    target, now = add(ada, "0.97", today() - timedelta(days=9)), database_now()
    for wrong in (today() - timedelta(days=2), date(9999, 1, 1)):
        with pytest.raises(InvalidKpiTarget):
            end_kpi_target(target.pk, wrong, user=ada, now=now)
    ended = end_kpi_target(target.pk, today() + timedelta(days=3), user=ada, now=now)
    assert ended is not None
    assert target_for(FILL, NO_FILTERS, today() + timedelta(days=3)) == Decimal("0.97")
    assert target_for(FILL, NO_FILTERS, today() + timedelta(days=4)) == FILL.target
    end_kpi_target(target.pk, user=ada, now=now)
    assert target_for(FILL, NO_FILTERS, today()) == FILL.target
    assert target_for(FILL, NO_FILTERS, today() - timedelta(days=1)) == Decimal("0.97")
    with pytest.raises(InvalidKpiTarget, match="ended already"):
        end_kpi_target(target.pk, user=ada, now=now)
    assert end_kpi_target(0, user=ada, now=now) is None
    planned = add(ada, "0.99", today() + timedelta(days=5))
    end_kpi_target(planned.pk, user=ada, now=now)
    assert target_for(FILL, NO_FILTERS, today() + timedelta(days=6)) == FILL.target


def test_invalid_fields_are_named(ada: User) -> None:
    create_fact(day=DAY)
    recompute_cells()
    assert "There is no such KPI" in errors_of(ada, kpi="nothing")["kpi"]
    for value in ("0", "-0.5", "0.00001", "1.01", "96"):
        assert "0.01% to 100%" in errors_of(ada, value=Decimal(value))["value"]
    for value in ("0", "0.5", str(367 * 86_400)):
        text = errors_of(ada, kpi="order_cycle_time", value=Decimal(value))["value"]
        assert "1 second to 366 days" in text
    for year in (1999, 2201):
        assert "2000 to 2200" in errors_of(ada, first_day=date(year, 1, 1))["first_day"]
    assert (
        "filtered by channel"
        in errors_of(ada, dimension="source", dimension_value="x")["dimension"]
    )
    assert errors_of(ada, dimension_value="Dallas").keys() == {"dimension"}
    assert errors_of(ada, dimension="warehouse").keys() == {"dimension_value"}
    misspelled = errors_of(ada, dimension="warehouse", dimension_value="Dalas")
    assert "Check the spelling" in misspelled["dimension_value"]
    assert not KpiTarget.objects.exists()
    assert not AuditEntry.objects.filter(action__startswith="kpi_target").exists()


def test_constraints_refuse_two_targets_of_a_day_and_half_a_scope(ada: User) -> None:
    stored(ada, "0.97")
    wrong: tuple[tuple[str, dict[str, Any]], ...] = (
        ("0.98", {}),
        ("0", {"kpi": "on_time"}),
        ("0.98", {"dimension": "warehouse"}),
        ("0.98", {"dimension_value": "Dallas"}),
    )
    for value, fields in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            stored(ada, value, **fields)
    # One that never applied does not count.
    stored(ada, "0.98", last_day=DAY - timedelta(days=1))


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("fill_rate", "96.5", "0.965"),
        ("fill_rate", " 96.5 % ", "0.965"),
        ("order_cycle_time", "3 d 4 h", "273600"),
        ("order_cycle_time", "3\u00a0d\u00a04\u00a0h", "273600"),
        ("order_cycle_time", "45min", "2700"),
        ("order_cycle_time", "1.5 h", "5400"),
    ],
)
def test_target_is_entered_in_the_unit_of_the_kpi(code: str, text: str, expected: str) -> None:
    assert parse_target(kpi_registry()[code], text) == Decimal(expected)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        *(("fill_rate", text) for text in ("", "x", "nan", "infinity", "3 d", "96,5")),
        *(
            ("order_cycle_time", text)
            for text in ("", "3", "96%", "3 d and 4 h", "3 moons", "-3 d", "9" * 400 + " d")
        ),
    ],
)
def test_other_texts_are_no_target(code: str, text: str) -> None:
    with pytest.raises(ValueError, match="Enter a "):
        parse_target(kpi_registry()[code], text)


def test_orders_over_a_stored_target_are_the_missed_ones(ada: User) -> None:
    for hours in (10, 50, 90):
        create_fact(hours * 3_600, 1, kpi="order_cycle_time", day=DAY)
    span, dallas = DaySpan(DAY, DAY), KpiDimensionFilters(warehouse="Dallas")
    stored(ada, "36000", kpi="order_cycle_time", dimension="warehouse", dimension_value="Dallas")
    for filters, missed in ((NO_FILTERS, 1), (dallas, 2)):
        totals, _ = drilldown.group_totals_and_exclusions(CYCLE, span, filters)
        rows = drilldown.load_order_page(CYCLE, span, filters, group="missed")
        assert (totals["missed"].orders, len(rows)) == (missed, missed)


def test_only_one_module_reads_the_targets_of_definitions() -> None:
    readers = [
        path
        for path in Path("visibility").rglob("*.py")
        if re.search(r"\bkpi\.target\b", path.read_text(encoding="utf-8"))
    ]
    assert readers == [Path("visibility/kpi/targets.py")]
