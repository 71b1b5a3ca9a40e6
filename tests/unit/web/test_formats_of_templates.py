"""Dates, times, amounts and durations have one format each, from `templatetags/formats.py`."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from visibility.screens.kpis.value_and_comparison_texts import format_kpi_duration
from visibility.templatetags import formats

TEMPLATES = Path(__file__).parents[3] / "templates"
# What machines read: attributes and fields, and the clock that a script goes on with.
FOR_MACHINES = {"c", "U", "Y-m-d", "Y-m-d\\TH:i", "H:i:s"}
NIGHT = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)


def test_templates_have_no_formats_of_their_own() -> None:
    wrong = []
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        own = set(re.findall(r"""\|date:["']([^"']+)["']""", text)) - FOR_MACHINES
        own |= set(re.findall(r"\|(floatformat|intcomma|naturaltime)\b", text))
        wrong += [f"{path.relative_to(TEMPLATES)}: {form}" for form in sorted(own)]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def in_chicago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "organization_time_zone", lambda: "America/Chicago")


@pytest.mark.usefixtures("in_chicago")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("day", "Sat, Nov 21"),
        ("short_day", "Nov 21"),
        ("day_with_year", "Sat, Nov 21, 2026"),
        ("time_of_day", "21:04"),
        ("timestamp", "Sat, Nov 21, 21:04"),
        ("short_timestamp", "Nov 21, 21:04"),
        ("timestamp_with_year", "Sat, Nov 21, 2026, 21:04"),
        ("timestamp_with_seconds", "Sat, Nov 21, 2026, 21:04:05"),
    ],
)
def test_times_are_those_of_the_organization(name: str, expected: str) -> None:
    assert getattr(formats, name)(NIGHT) == expected
    assert getattr(formats, name)(None) == ""


@pytest.mark.usefixtures("in_chicago")
def test_a_date_stays_that_date() -> None:
    assert formats.day_with_year(date(2026, 11, 22)) == "Sun, Nov 22, 2026"


def test_amounts_have_separators_and_a_currency() -> None:
    assert formats.money(1234.5, "USD") == "1,234.50 USD"
    assert formats.money_without_cents(1234.5, "USD") == "1,235 USD"
    assert formats.money_without_cents(None) == formats.NO_VALUE


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 min"),
        (8, "8 s"),
        (90, "2 min"),
        (12 * 60 + 3, "12 min"),
        (2 * 3600 - 30, "2 h"),
        (5.3 * 3600, "5 h 20 min"),
        # Half a percent off, as medians can be.
        (2 * 86_400 * 0.995, "2 d"),
        (5 * 86_400 * 1.005, "5 d"),
        (52 * 3600, "2 d 4 h"),
        (40.2 * 86_400, "40 d"),
    ],
)
def test_durations_of_kpis_are_written_as_elsewhere(seconds: float, expected: str) -> None:
    assert format_kpi_duration(seconds).replace("\u00a0", " ") == expected


def test_a_difference_is_as_precise_as_its_values() -> None:
    assert format_kpi_duration(3700, precision_of=3 * 86_400) == "1\u00a0h"
    assert format_kpi_duration(600, precision_of=3 * 86_400) == "under\u00a01\u00a0h"
