"""Breakdowns of a KPI with contributions, what explains a change, and the export of the page."""

import csv
import re
import zipfile
from datetime import date, timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import signed_in
from tests.db.web.test_kpi_values_agree import exported
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.kpi import select_cells_or_facts
from visibility.kpi.registry import kpi_registry
from visibility.models import AuditEntry
from visibility.web.permissions import UserRole

pytestmark = [pytest.mark.django_db, pytest.mark.calendar]
PAGE = "/numbers/fill_rate"
FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def reader() -> Client:
    return signed_in(UserRole.EXECUTIVE)


def today() -> date:
    return in_zone(database_now(), settings.TIME_ZONE).date()


def facts(days_ago: int, counts: dict[tuple[str, str], tuple[int, int]]) -> None:
    """(met, of) by (channel, warehouse)."""
    for (channel, warehouse), (met, of) in counts.items():
        day = today() - timedelta(days=days_ago)
        create_fact(met, of, day=day, channel=channel, warehouse=warehouse)


@pytest.fixture(autouse=True)
def two_ranges() -> None:
    """From 100% to 85%: Web in Dallas lost 12 points, EDI in Dallas 3 points."""
    facts(30, {(c, w): (25, 25) for c in ("Web", "EDI") for w in ("Dallas", "Reno")})
    facts(
        1,
        {
            ("Web", "Dallas"): (13, 25),
            ("EDI", "Dallas"): (22, 25),
            ("Web", "Reno"): (25, 25),
            ("EDI", "Reno"): (25, 25),
        },
    )
    recompute_cells()


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def section(page: str, name: str) -> str:
    return page.split(f'id="{name}"')[1].split("</section>")[0]


def test_segments_that_explain_the_change_are_worst_first_and_open_their_orders(
    reader: Client,
) -> None:
    different = section(text(reader, PAGE), "different")
    rows = re.findall(r'<th scope="row"><a href="([^"]+)">([^<]+)</a></th>', different)
    contributions = re.findall(r'change-part">([^<]+)</b>', different)
    by_name = dict(zip((name for _, name in rows), contributions, strict=True))
    assert by_name["Channel Web, Warehouse Dallas"] == "\u221212.0 points"
    assert by_name["Warehouse Dallas"] == "\u221215.0 points"
    assert by_name["Channel EDI"] == "\u22123.0 points"
    assert "Warehouse Reno" not in by_name
    amounts = [float(contribution[1:].split()[0]) for contribution in contributions]
    assert amounts == sorted(amounts, reverse=True)
    address = next(link for link, name in rows if name == "Channel Web, Warehouse Dallas")
    assert "52.0%, 13 of 25 lines, 1 order" in text(reader, address.replace("&amp;", "&"))
    assert "not its cause" in different


def test_nothing_is_explained_without_a_comparison(reader: Client) -> None:
    page = text(reader, f"{PAGE}?compare=none")
    assert "Choose a comparison" in section(page, "different")
    assert "change-part" not in page
    better = text(reader, f"{PAGE}?compare=last-year")
    assert "No segment made the value worse" in section(better, "different")


def test_breakdown_by_two_dimensions_shows_value_and_contribution(reader: Client) -> None:
    shown = section(text(reader, PAGE), "breakdown")
    assert "Line fill rate by channel and warehouse" in shown
    cell = re.search(r'href="[^"]*channel=Web[^"]*warehouse=Dallas[^"]*"> (.*?)</a>', shown)
    assert cell
    assert "52.0%" in cell[1]
    assert "\u221212.0 points" in cell[1]
    assert "small sample" in cell[1]
    turned = section(text(reader, f"{PAGE}?rows=warehouse&columns=customer_group"), "breakdown")
    assert "by warehouse and customer group" in turned


def test_breakdown_by_one_dimension_is_worst_first(reader: Client) -> None:
    shown = section(text(reader, f"{PAGE}?rows=warehouse"), "breakdown")
    assert re.findall(r'<th scope="row">([^<]+)</th>', shown) == ["Dallas", "Reno"]
    assert "\u221215.0 points" in shown


def test_cells_are_toned_around_the_target(reader: Client) -> None:
    for _ in range(30):
        facts(2, {("Web", "Far"): (5, 10), ("Web", "Near"): (19, 20), ("Web", "Met"): (9, 9)})
    recompute_cells()
    shown = section(text(reader, f"{PAGE}?rows=warehouse"), "breakdown")
    cells = re.findall(r'class="heat-cell ([\w-]+)" href="[^"]*warehouse=(\w+)', shown)
    tones = {name: tone for tone, name in cells}
    assert tones["Far"] == "tone-late"
    assert tones["Near"] == "tone-risk"
    assert tones["Met"] == "tone-ok"
    assert tones["Reno"] == "heat-small"


def test_a_breakdown_that_would_read_too_many_facts_says_so(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select_cells_or_facts, "MAX_FACTS", 2)
    page = text(reader, f"{PAGE}?rows=channel&columns=carrier")
    assert "Choose a shorter date range or one dimension." in section(page, "breakdown")
    assert "85.0%" in page


def test_long_tables_are_limited_and_link_to_all_rows(reader: Client) -> None:
    facts(1, {("Web", f"W{number}"): (1, 2) for number in range(15)})
    recompute_cells()
    page = text(reader, PAGE)
    table = page.split("Breakdown by warehouse")[1].split("</div>")[0]
    assert table.count('<th scope="row">') == 10
    link = re.search(r'href="(\?[^"]*)#breakdown">View 7 more', table)
    assert link
    everything = section(text(reader, PAGE + link[1].replace("&amp;", "&")), "breakdown")
    assert everything.count('<th scope="row">') == 17


def test_contribution_to_a_duration_is_that_of_the_mean(reader: Client) -> None:
    for days_ago, web in ((30, 3600), (1, 7200)):
        for channel, seconds in (("Web", web), ("EDI", 3600)):
            create_fact(
                seconds,
                1,
                kpi="order_cycle_time",
                day=today() - timedelta(days=days_ago),
                channel=channel,
            )
    recompute_cells()
    page = section(text(reader, "/numbers/order_cycle_time"), "different")
    assert "+30 min" in page
    assert "of the mean" in page
    span = {"from": str(today() - timedelta(days=27)), "to": str(today())}
    answer: Any = reader.get("/api/v1/kpis/order_cycle_time/differences", span).json()
    assert {"channel": "Web"} in [each["segment"] for each in answer["items"]]
    assert {each["contribution"] for each in answer["items"]} == {"1800"}


def test_api_lists_the_differences_of_the_page(reader: Client) -> None:
    span = {"from": str(today() - timedelta(days=27)), "to": str(today())}
    answer: Any = reader.get("/api/v1/kpis/fill_rate/differences", span).json()
    by_segment = {tuple(each["segment"].values()): each for each in answer["items"]}
    assert by_segment["Web", "Dallas"]["contribution"] == "-0.12"
    assert by_segment["Web", "Dallas"]["compared"]["value"] == "1"
    assert reader.get("/api/v1/kpis/fill_rate", span | {"and": "channel"}).status_code == 400
    twice = span | {"by": "channel", "and": "channel"}
    assert reader.get("/api/v1/kpis/fill_rate", twice).status_code == 400


def test_export_says_what_it_contains(reader: Client) -> None:
    create_fact(None, None, day=today(), excluded="no_lines")
    recompute_cells()
    heading, rows = exported(reader, f"{PAGE}/export?format=csv&warehouse=Dallas&compare=last-year")
    assert heading["KPI"] == "Line fill rate"
    assert heading["Definition"] == kpi_registry()["fill_rate"].definition
    assert heading["Filters"] == "Warehouse: Dallas"
    assert heading["Date range"].startswith("Last 28 days (")
    assert heading["Time zone"] == settings.TIME_ZONE
    assert heading["As of"].startswith(f"{today():%Y-%m-%d}")
    assert heading["Exported by"] == "executive"
    assert heading["Orders counted (n)"] == "2"
    assert heading["Orders excluded"] == "1"
    assert heading["Excluded: no order lines received"] == "1"
    assert rows[0]["Numerator"] == "35"
    entry = AuditEntry.objects.get(action="export")
    assert entry.object == "KPI fill_rate"
    assert entry.detail["rows"] == len(rows)
    assert entry.detail["asked"]["warehouse"] == "Dallas"


def test_formulas_in_names_are_neutralized(reader: Client) -> None:
    facts(1, {(FORMULA, FORMULA): (1, 2)})
    recompute_cells()
    _, rows = exported(reader, f"{PAGE}/export?format=csv")
    names = {row["KpiSegment"] for row in rows}
    assert FORMULA not in names
    assert f"'{FORMULA}" in names
    answer = reader.get(f"{PAGE}/export?format=xlsx")
    assert answer["Content-Disposition"].endswith('.xlsx"')
    with zipfile.ZipFile(BytesIO(b"".join(answer))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "HYPERLINK" in sheet
    assert "<v>0.85" in sheet or "<v>0.84" in sheet


def test_overview_is_exported_with_the_definition_of_each_kpi(reader: Client) -> None:
    address = "/numbers/export?warehouse=Dallas&compare=previous"
    lines = list(csv.reader(StringIO(b"".join(reader.get(f"{address}&format=csv")).decode())))
    first = lines.index([])
    heading = {line[0]: line[1] for line in lines[:first]}
    assert heading["Filters"] == "Warehouse: Dallas"
    assert heading["Exported by"] == "executive"
    count = len(kpi_registry())
    values = [dict(zip(lines[first + 1], line, strict=True)) for line in lines[first + 2 :][:count]]
    fill = next(row for row in values if row["KPI"] == "Line fill rate")
    assert (fill["Value"], fill["Numerator"], fill["Denominator"]) == ("0.7", "35", "50")
    assert (fill["Compared value"], fill["Counted"]) == ("1", "2")
    definitions = lines[-count:]
    assert {line[1] for line in definitions} == set(kpi_registry())
    assert kpi_registry()["fill_rate"].definition in {line[3] for line in definitions}
    entry = AuditEntry.objects.get(action="export")
    assert (entry.object, entry.detail["rows"]) == ("KPIs", count)
    with zipfile.ZipFile(BytesIO(b"".join(reader.get(f"{address}&format=xlsx")))) as book:
        assert 'name="Definitions"' in book.read("xl/workbook.xml").decode()
        assert "<f>" not in book.read("xl/worksheets/sheet2.xml").decode()
    page = text(reader, "/numbers?warehouse=Dallas")
    assert 'href="/numbers/export?warehouse=Dallas&amp;format=xlsx"' in page


def test_export_of_the_overview_needs_a_format_and_the_permission(reader: Client) -> None:
    assert reader.get("/numbers/export").status_code == 400
    assert reader.get("/numbers/export?format=csv&from=nonsense").status_code == 400
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.get("/numbers/export?format=csv").status_code == 403


def test_export_needs_a_format_and_the_permission(reader: Client) -> None:
    assert reader.get(f"{PAGE}/export").status_code == 400
    assert reader.get(f"{PAGE}/export?format=csv&from=nonsense").status_code == 400
    assert reader.get("/numbers/nothing/export?format=csv").status_code == 404
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.get(f"{PAGE}/export?format=csv").status_code == 403
    assert f'href="{PAGE}/export?' in text(reader, PAGE)
