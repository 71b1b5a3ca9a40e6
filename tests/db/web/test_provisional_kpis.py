"""KPI values that may still change are marked provisional, by one definition everywhere."""

import csv
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from connectors.sdk.connector import SourceRole
from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.kpi.filters_and_values import DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.models import Board
from visibility.screens.kpis import provisional
from visibility.screens.kpis.provisional import ProvisionalRule
from visibility.screens.orders.source_reports import SourceReport
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 11)
OPEN = "today has not ended"


def report(title: str, silent_since: datetime | None = None) -> SourceReport:
    connected_at = datetime.fromisoformat("2026-01-01T00:00Z")
    return SourceReport(title, SourceRole.WMS, connected_at, silent_since)


def days(first: int, last: int) -> DaySpan:
    return DaySpan(date(2026, 3, first), date(2026, 3, last))


def reasons(span: DaySpan, *, kpi: str = "fill_rate", source: str = "") -> tuple[str, ...]:
    since = datetime.fromisoformat("2026-03-05T03:12Z")
    reports = {"wms": report("3PL North", since), "erp": report("ERP")}
    rule = ProvisionalRule(TODAY, "America/Chicago", reports, source)
    return rule.reasons(kpi_registry()[kpi], span)


# It was still March 4 in Chicago.
SILENT = "3PL North has sent nothing since Wed, Mar 4, 21:12"


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (days(1, 11), (OPEN, SILENT)),
        (days(11, 11), (OPEN, SILENT)),
        (days(1, 20), (OPEN, SILENT)),
        (days(1, 10), ("data may still arrive until Fri, Mar 13", SILENT)),
        (days(1, 9), ("data may still arrive until Thu, Mar 12", SILENT)),
        (days(1, 8), (SILENT,)),
        (days(1, 4), (SILENT,)),
        (days(1, 3), ()),
    ],
)
def test_reasons_by_range(span: DaySpan, expected: tuple[str, ...]) -> None:
    assert reasons(span) == expected


def test_what_the_installation_records_is_only_open_or_final() -> None:
    for code in ("time_to_acknowledge", "failed_polls", "parked_messages", "snoozed_alerts"):
        assert reasons(days(1, 11), kpi=code) == (OPEN,)
        assert reasons(days(1, 10), kpi=code) == ()


def test_filtered_by_a_source_only_its_silence_counts() -> None:
    assert reasons(days(1, 8), source="erp") == ()
    assert reasons(days(1, 8), source="wms") == (SILENT,)


def test_many_silent_sources_are_counted() -> None:
    since = datetime.fromisoformat("2026-03-01T00:00Z")
    reports = {str(n): report(f"Source {n}", since) for n in range(5)}
    rule = ProvisionalRule(TODAY, "UTC", reports)
    texts = rule.reasons(kpi_registry()["fill_rate"], days(1, 3))
    assert len(texts) == 4
    assert texts[-1] == "2 more sources are silent"


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Client:
    """Someone who reads KPIs, while a source is silent."""
    now = database_now()
    create_source("wms", title="3PL North")
    create_fact(day=now.date() - timedelta(days=40))
    create_fact(day=now.date())
    recompute_cells()

    def reports(_now: datetime) -> Mapping[str, SourceReport]:
        return {"wms": report("3PL North", now - timedelta(days=10))}

    monkeypatch.setattr(provisional, "load_source_reports", reports)
    return signed_in(UserRole.ADMIN)


def range_of(first: int, last: int) -> str:
    today = database_now().date()
    return f"from={today - timedelta(days=first)}&to={today - timedelta(days=last)}"


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().split())


SENTENCE = "Provisional: today has not ended; 3PL North has sent nothing since"


@pytest.mark.parametrize("path", ["/numbers", "/numbers/fill_rate"])
def test_pages_and_tiles_say_so(reader: Client, path: str) -> None:
    assert SENTENCE in text(reader, f"{path}?{range_of(45, 0)}")
    assert "Provisional" not in text(reader, f"{path}?{range_of(45, 30)}")


def test_tile_of_a_board_says_so(reader: Client) -> None:
    tiles = [{"tile": "kpi_number", "kpi": "fill_rate"}]
    Board.objects.create(slug="numbers", title="Numbers", tiles=tiles)
    assert SENTENCE in text(reader, "/boards/numbers")


def test_api_has_the_reasons_of_the_value_and_of_each_period(reader: Client) -> None:
    answer: Any = reader.get(f"/api/v1/kpis/fill_rate?{range_of(45, 0)}&by=day").json()
    assert answer["provisional"][0] == OPEN
    assert answer["provisional"][1].startswith("3PL North has sent nothing since")
    old, newest = answer["slices"]
    assert (old["provisional"], newest["provisional"][0]) == ([], OPEN)
    final: Any = reader.get(f"/api/v1/kpis/fill_rate?{range_of(45, 30)}").json()
    assert final["provisional"] == []


def rows_of_file(client: Client, address: str) -> list[list[str]]:
    answer: Any = client.get(address)
    content = b"".join(answer) if answer.streaming else answer.content
    return list(csv.reader(content.decode("utf-8-sig").splitlines()))


def test_exports_say_so(reader: Client) -> None:
    rows = rows_of_file(reader, f"/numbers/fill_rate/export?{range_of(45, 0)}&format=csv")
    assert next(row for row in rows if row[:1] == ["Status"])[1].startswith(SENTENCE)
    head = next(row for row in rows if "Provisional because" in row)
    column = head.index("Provisional because")
    periods = [row for row in rows if row[:1] in (["Day"], ["Week"], ["Month"])]
    total = next(row for row in rows if row[:1] == ["Total"])
    assert total[column].startswith(OPEN)
    assert periods[0][column] == ""
    assert periods[-1][column].startswith(OPEN)
    overview = rows_of_file(reader, f"/numbers/export?{range_of(45, 0)}&format=csv")
    head = next(row for row in overview if "Provisional because" in row)
    values = {row[0]: row[head.index("Provisional because")] for row in overview if len(row) > 9}
    assert values[kpi_registry()["fill_rate"].title].startswith(OPEN)
    final = rows_of_file(reader, f"/numbers/fill_rate/export?{range_of(45, 30)}&format=csv")
    assert ["Status", "Final"] in [row[:2] for row in final]
