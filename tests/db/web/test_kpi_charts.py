"""Charts of KPI pages by day, week or month, the comparison, and the ranges they link to."""

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.web.permissions import UserRole

pytestmark = [pytest.mark.django_db, pytest.mark.calendar]
PAGE = "/numbers/fill_rate"


@pytest.fixture
def reader() -> Client:
    return signed_in(UserRole.EXECUTIVE)


def today() -> date:
    return in_zone(database_now(), settings.TIME_ZONE).date()


def facts(*days_ago: int, numerator: int = 3, denominator: int = 4) -> None:
    for days in days_ago:
        create_fact(numerator, denominator, day=today() - timedelta(days=days))
    recompute_cells()


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def figures(page: str) -> list[Any]:
    scripts = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return [json.loads(script) for script in scripts]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("", "Line fill rate by week"),
        ("?from=now-7d", "Line fill rate by day"),
        ("?period=day", "Line fill rate by day"),
        ("?period=week&from=now-7d", "Line fill rate by week"),
        ("?period=month&from=now-90d", "Line fill rate by month"),
        ("?period=century", "Line fill rate by week"),
    ],
)
def test_charts_are_by_week_unless_chosen_otherwise(reader: Client, query: str, title: str) -> None:
    facts(*range(28))
    page = text(reader, PAGE + query)
    assert f"<h3>{title}</h3>" in page
    link = re.search(r'href="\?([^"]*compare=none[^"]*)"', page)
    assert link
    assert ("period=" in link[1]) == ("period=" in query and "century" not in query)


def test_the_current_period_is_marked_partial(reader: Client) -> None:
    facts(*range(28))
    for period in ("day", "week", "month"):
        page = text(reader, f"{PAGE}?period={period}")
        rows = re.findall(r'<th scope="row"><a href="[^"]*&amp;to=([\d-]+)">([^<]+)</a>', page)
        assert rows[-1][0] == today().isoformat()
        assert rows[-1][1].endswith(", so far") or ", partial: " in rows[-1][1]


def test_values_of_the_periods_add_up_to_the_range(reader: Client) -> None:
    facts(*range(28))
    for period in ("day", "week", "month"):
        page = text(reader, f"{PAGE}?period={period}")
        table = page.split('id="chart-fill_rate-by-period"')[1].split("</table>")[0]
        counted = re.findall(r"<td>(\d+) of (\d+)</td>", table)
        assert sum(int(met) for met, _ in counted) == 84
        assert sum(int(of) for _, of in counted) == 112


@pytest.mark.parametrize("address", ["/numbers", PAGE])
def test_comparison_is_chosen_in_the_address(reader: Client, address: str) -> None:
    facts(1, numerator=3)
    facts(30, numerator=4)
    facts(364 + 1, numerator=2)
    assert "25.0 points worse than the previous 28 days (100.0%)" in text(reader, address)
    last_year = text(reader, f"{address}?compare=last-year")
    assert "25.0 points better than the same weekdays last year (50.0%)" in last_year
    assert "than the previous" not in last_year
    nothing = text(reader, f"{address}?compare=none")
    assert "points worse" not in nothing
    assert "points better" not in nothing
    assert "Compare: no comparison" in nothing
    # Another range keeps the comparison.
    assert 'href="?compare=none&amp;from=now-90d"' in nothing or (
        "from=now-90d" in nothing and "compare=none" in nothing.split("from=now-90d")[0][-40:]
    )


def test_api_compares_as_the_page_does(reader: Client) -> None:
    facts(1, numerator=3)
    facts(30, numerator=4)
    facts(364 + 1, numerator=2)
    address = "/api/v1/kpis/fill_rate"
    span = {"from": str(today() - timedelta(days=27)), "to": str(today())}
    values = {
        compare: reader.get(address, span | {"compare": compare}).json()["compared"]
        for compare in ("previous", "last-year", "none")
    }
    assert values["none"] is None
    assert values["previous"]["value"] == "1"
    assert values["last-year"]["value"] == "0.5"
    assert values["last-year"]["to"] == str(today() - timedelta(days=364))
    assert reader.get(address, span).json()["compared"] == values["previous"]
    assert reader.get(address, {"compare": "yesterday"}).status_code == 400


def test_api_returns_weeks_and_months(reader: Client) -> None:
    facts(*range(28))
    span = {"from": str(today() - timedelta(days=27)), "to": str(today())}
    for by in ("day", "week", "month"):
        slices = reader.get("/api/v1/kpis/fill_rate", span | {"by": by}).json()["slices"]
        assert sum(int(each["denominator"]) for each in slices) == 112
        starts = [date.fromisoformat(each["name"]) for each in slices]
        assert by != "week" or {start.weekday() for start in starts} == {0}
        assert by != "month" or {start.day for start in starts} == {1}


def test_compared_line_is_drawn_only_if_its_periods_match(reader: Client) -> None:
    facts(*range(28))
    facts(*range(28, 60), numerator=2)
    by_week = figures(text(reader, PAGE))[0]
    assert "Previous" in [trace["name"] for trace in by_week["data"]]
    for query in ("period=month", "from=now-30d", "compare=none"):
        figure = figures(text(reader, f"{PAGE}?{query}"))[0]
        assert "Previous" not in [trace["name"] for trace in figure["data"]], query


def test_zoom_buttons_and_rows_open_a_part_of_the_range(reader: Client) -> None:
    facts(*range(28))
    page = text(reader, f"{PAGE}?channel=Web")
    zoom_in = re.search(r'href="\?([^"]*)" title="Zoom in', page)
    zoom_out = re.search(r'href="\?([^"]*)" title="Zoom out', page)
    assert zoom_in
    assert zoom_out
    closer = f"from={today() - timedelta(days=13)}&amp;to={today()}"
    assert closer in zoom_in[1]
    assert f"from={today() - timedelta(days=55)}&amp;to={today()}" in zoom_out[1]
    assert "channel=Web" in zoom_in[1]
    row = re.findall(r'<th scope="row"><a href="(\?channel=Web&amp;from=[^"]*)">Week of', page)[1]
    week = text(reader, PAGE + row.replace("&amp;", "&"))
    assert "7 lines" not in week
    assert "21 of 28 lines, 7 orders" in week
    only_day = text(reader, f"{PAGE}?from=now-1d")
    assert 'title="Zoom in' not in only_day
