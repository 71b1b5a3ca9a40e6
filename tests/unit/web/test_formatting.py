"""Amounts, times and counts in templates; the error page works without a database."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.template import engines
from django.template.loader import render_to_string
from pytest_django.fixtures import Settings

from visibility.templatetags import formats
from visibility.web.context_processors import OwnOrUnassignedAlertBadge


def test_badge_shows_at_most_two_digits() -> None:
    assert [OwnOrUnassignedAlertBadge(count).badge_text for count in (1, 99, 100)] == [
        "1",
        "99",
        "99+",
    ]
    assert (
        OwnOrUnassignedAlertBadge(100).accessible_label
        == "Alerts: more than 99 yours or unassigned"
    )
    assert (
        OwnOrUnassignedAlertBadge(0).accessible_label
        == "Alerts: none assigned to you, none unassigned"
    )


def test_server_error_page_needs_no_database() -> None:
    assert "Something went wrong on our side" in render_to_string("500.html")


def test_amounts_have_units_and_none_is_a_dash() -> None:
    assert formats.money(Decimal("1234.5000"), "USD") == "1,234.50 USD"
    assert formats.money(Decimal("-3")) == "-3.00"
    assert formats.quantity(Decimal("1200.0000"), "EA") == "1,200 EA"
    assert formats.quantity(Decimal("0.5000"), "KG") == "0.5 KG"
    assert formats.quantity(Decimal("1E+3")) == "1,000"
    assert formats.quantity(0) == "0"
    assert formats.duration(timedelta(days=2, hours=4)) == "2 d 4 h"
    for format_value in (formats.duration, formats.money, formats.quantity):
        assert format_value(None) == formats.NO_VALUE


def test_counts_have_thousands_separators() -> None:
    assert [formats.count(number) for number in (0, 999, 18_509)] == ["0", "999", "18,509"]


def test_units_and_currencies_are_escaped() -> None:
    page = (
        engines["django"]
        .from_string("{% load formats %}{{ n|money:bad }}{{ n|quantity:bad }}")
        .render({"n": 1, "bad": "<script>"})
    )
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 3, 5, tzinfo=UTC), date(2026, 3, 5)),
        (datetime(2026, 3, 5, 0, 0, 1, tzinfo=UTC), date(2026, 3, 4)),
        (datetime(2027, 1, 1, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2026, 3, 8, 4, 59, tzinfo=UTC), date(2026, 3, 7)),
    ],
)
def test_bare_promise_date_stays_that_date_west_of_greenwich(
    settings: Settings, at: datetime, day: date
) -> None:
    settings.TIME_ZONE = "America/Chicago"
    assert formats.date_in_organization_zone(at) == day
