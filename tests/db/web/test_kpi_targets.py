"""Targets of KPIs in the browser and over the API, and where they are shown."""

import csv
import html
import io
import json
import re
from datetime import date, timedelta
from itertools import takewhile
from typing import Any

import pytest
from django.test import Client

from tests.builders.alerts import statements
from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.models import AuditEntry, Board, KpiTarget
from visibility.storage.organization import organization_time_zone
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE, API, KPIS = "/kpi-targets", "/api/v1/kpi-targets", "/api/v1/kpis"


@pytest.fixture
def administrator() -> Client:
    return signed_in(UserRole.ADMIN, "ada")


@pytest.fixture(autouse=True)
def facts() -> None:
    """Yesterday 90 of 100 lines in Dallas, 80 of 100 in Reno."""
    for warehouse, numerator in (("Dallas", 90), ("Reno", 80)):
        create_fact(numerator, 100, day=today() - timedelta(days=1), warehouse=warehouse)
    recompute_cells()


def today() -> date:
    return in_zone(database_now(), organization_time_zone()).date()


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(html.unescape(answer.content.decode()).replace("\u00a0", " ").split())


def entered(**fields: str) -> dict[str, str]:
    return {
        "kpi": "fill_rate",
        "value": "97.5",
        "first_day": today().isoformat(),
        "scope": "",
    } | fields


def store(client: Client, value: str, **fields: Any) -> Any:
    body = {"kpi": "fill_rate", "value": value, "first_day": today().isoformat()} | fields
    answer = client.post(API, body, "application/json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def exported(client: Client, address: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The heading and the rows of a CSV file."""
    lines = list(csv.reader(io.StringIO(b"".join(client.get(address)).decode())))
    blank = lines.index([])
    heading = {line[0]: line[1] for line in lines[:blank]}
    head = lines[blank + 1]
    # The overview has its definitions below, after another blank line.
    rows = list(takewhile(bool, lines[blank + 2 :]))
    return heading, [dict(zip(head, line, strict=True)) for line in rows]


def test_administrator_sets_and_ends_a_target_on_the_page(administrator: Client) -> None:
    assert "Default: 96%." in text(administrator, f"{PAGE}?kpi=fill_rate")
    first = (today() - timedelta(days=30)).isoformat()
    answer = administrator.post(PAGE, entered(value="97", first_day=first))
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}?kpi=fill_rate")
    administrator.post(PAGE, entered(value="91.5 %", scope="warehouse:Dallas"))
    administrator.post(PAGE, entered(value="98"))
    page = text(administrator, f"{PAGE}?kpi=fill_rate")
    assert re.findall(r'data-title="Target">([^<]+)<', page) == ["98%", "91.5%", "97%"]
    assert "Warehouse: Dallas" in page
    assert page.count("Ended by ada") == 1
    assert page.count(">Ended<") == 1
    overview = text(administrator, PAGE)
    assert re.search(r"Line fill rate</a></th> <td[^>]*>98%</td> <td[^>]*>Set here", overview)
    number = KpiTarget.objects.get(dimension="warehouse").pk
    ended = administrator.post(f"{PAGE}/{number}/end", {"last_day": today().isoformat()})
    assert ended.status_code == 302
    assert KpiTarget.objects.get(pk=number).last_day == today()
    entries = AuditEntry.objects.filter(action__startswith="kpi_target").order_by("id")
    assert [entry.action for entry in entries] == [*["kpi_target.added"] * 3, "kpi_target.ended"]
    assert entries[1].detail["dimension_value"] == "Dallas"
    assert entries[1].detail["value"] == "0.915"
    assert {entry.user.get_username() for entry in entries if entry.user} == {"ada"}


def test_invalid_entries_are_explained_where_they_are_entered(administrator: Client) -> None:
    administrator.post(PAGE, entered(first_day=(today() - timedelta(days=9)).isoformat()))
    number = KpiTarget.objects.get().pk
    for fields, count, sentence in (
        ({"value": "much"}, 1, "Enter a percentage, such as 96.5."),
        ({"value": "101"}, 1, "Enter a target from 0.01% to 100%."),
        ({"value": "", "first_day": "soon"}, 2, "Enter a date"),
        ({"first_day": (today() - timedelta(days=2)).isoformat()}, 1, "past days keep theirs"),
        ({"scope": "warehouse:<Nowhere>"}, 1, "Check the spelling"),
        ({"scope": "planet:Mars"}, 1, "can be filtered by"),
    ):
        answer = administrator.post(PAGE, entered(**fields))
        page = html.unescape(answer.content.decode())
        assert answer.status_code == 422, fields
        assert page.count('aria-invalid="true"') == count, fields
        assert sentence in page, fields
    assert (
        "<Nowhere>"
        not in administrator.post(
            PAGE, entered(value="", scope="warehouse:<Nowhere>")
        ).content.decode()
    )
    for wrong in ("", "2020-01-01"):
        answer = administrator.post(f"{PAGE}/{number}/end", {"last_day": wrong})
        assert answer.status_code == 422
        assert f'aria-describedby="last-day-error-{number}"' in answer.content.decode()
    assert KpiTarget.objects.count() == 1
    assert KpiTarget.objects.get().last_day is None
    assert administrator.post(PAGE, entered(kpi="nothing")).status_code == 404
    assert administrator.get(f"{PAGE}?kpi=nothing").status_code == 404
    assert administrator.post(f"{PAGE}/{number + 1}/end", {}).status_code == 404


def test_api_lists_adds_and_ends(administrator: Client) -> None:
    first = store(administrator, "0.97", first_day=(today() - timedelta(days=9)).isoformat())
    second = store(administrator, "0.98")
    scoped = store(administrator, "0.91", dimension="warehouse", dimension_value="Dallas")
    items = administrator.get(f"{API}?kpi=fill_rate").json()["items"]
    assert [item["id"] for item in items] == [scoped["id"], second["id"], first["id"]]
    assert items[2]["last_day"] == (today() - timedelta(days=1)).isoformat()
    assert (items[0]["value"], items[0]["created_by"]["name"]) == ("0.91", "ada")
    assert administrator.get(f"{API}?kpi=on_time").json()["items"] == []
    address, last_day = f"{API}/{second['id']}", (today() + timedelta(days=5)).isoformat()
    ended = administrator.delete(address, {"last_day": last_day}, "application/json")
    assert ended.json()["last_day"] == last_day
    assert administrator.delete(address).json()["last_day"] == items[2]["last_day"]
    second_time = administrator.delete(address)
    assert (second_time.status_code, second_time.json()["errors"][0]["path"]) == (400, "last_day")
    assert administrator.delete(f"{API}/{scoped['id'] + 1}").status_code == 404
    for wrong, field in (
        ({"value": "97"}, "value"),
        ({"dimension": "warehouse", "dimension_value": "Dalas"}, "dimension_value"),
        ({"dimension": "planet"}, "dimension"),
        ({"first_day": "soon"}, "first_day"),
        ({"kpi": "nothing"}, "kpi"),
    ):
        body = {"kpi": "fill_rate", "value": "0.9", "first_day": today().isoformat()} | wrong
        answer = administrator.post(API, body, "application/json")
        assert answer.status_code == 400, wrong
        assert [error["path"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("role", [role for role in UserRole if role is not UserRole.ADMIN])
def test_only_administrators_set_targets(administrator: Client, role: UserRole) -> None:
    number = store(administrator, "0.97")["id"]
    client, sees_kpis = signed_in(role), role in {UserRole.EXECUTIVE, UserRole.OPERATIONS}
    body = {"kpi": "fill_rate", "value": "0.9", "first_day": today().isoformat()}
    for answer in (
        client.get(PAGE),
        client.get(f"{PAGE}?kpi=fill_rate"),
        client.post(PAGE, entered()),
        client.post(f"{PAGE}/{number}/end", {"last_day": today().isoformat()}),
        client.post(API, body, "application/json"),
        client.delete(f"{API}/{number}"),
    ):
        assert answer.status_code == 403
    assert client.get(API).status_code == (200 if sees_kpis else 403)
    assert KpiTarget.objects.get().last_day is None
    if sees_kpis:
        assert PAGE not in text(client, "/numbers") + text(client, "/numbers/fill_rate")


def test_kpi_page_links_to_the_form_of_its_filter(administrator: Client) -> None:
    page = text(administrator, "/numbers/fill_rate?warehouse=Dallas")
    link = f"{PAGE}?kpi=fill_rate&scope=warehouse%3ADallas"
    assert f'href="{link}">Set target</a>' in page
    assert '<option value="warehouse:Dallas" selected>' in text(administrator, link)
    for query in ("", "?warehouse=Dallas&channel=Web", "?warehouse=none"):
        page = text(administrator, f"/numbers/fill_rate{query}")
        assert f'href="{PAGE}?kpi=fill_rate">Set target</a>' in page
    assert f'href="{PAGE}"' in text(administrator, "/numbers")


def tones_by_warehouse(page: str) -> dict[str, str]:
    table = page.split("Breakdown by warehouse</h2>")[1].split("</table>")[0]
    rows = re.findall(
        r'<th scope="row"><a [^>]*>(\w+)</a></th> <td>.*?class="muted">([^<]+)<', table
    )
    return dict(rows)


def test_tile_page_export_and_api_have_one_target(administrator: Client) -> None:
    Board.objects.create(
        slug="kpis", title="KPIs", tiles=[{"tile": "kpi_number", "kpi": "fill_rate"}]
    )
    store(administrator, "0.87")
    store(administrator, "0.89", dimension="warehouse", dimension_value="Dallas")
    for query, target, gap in (
        ("", "87%", "2.0 points below the 87% target"),
        ("warehouse=Reno", "87%", "7.0 points below the 87% target"),
        ("warehouse=Dallas", "89%", "1.0 point above the 89% target"),
    ):
        days = f"from={today() - timedelta(days=27)}&to={today()}&{query}"
        overview = text(administrator, f"/numbers?{days}")
        page = text(administrator, f"/numbers/fill_rate?{days}")
        assert f"(target {target})" in overview
        for shown in (overview, page):
            assert gap in shown, query
        figure = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', page)[0])
        lines = [shape["y0"] for shape in figure["layout"]["shapes"] if shape["yref"] == "y"]
        fraction = str(int(target[:-1]) / 100)
        # Today's target is a step: the default applied before.
        assert lines[0] == 0.96
        assert str(lines[-1]) == fraction
        heading, rows = exported(administrator, f"/numbers/fill_rate/export?{days}&format=csv")
        assert heading["Target"] == target
        assert rows[0]["Target"] == fraction
        periods = [row["Target"] for row in rows if row["Section"] in {"Day", "Week"}]
        assert (periods[0], periods[-1]) == ("0.96", fraction) or len(periods) == 1
        _, kpis = exported(administrator, f"/numbers/export?{days}&format=csv")
        assert {row["KPI"]: row["Target"] for row in kpis}["Line fill rate"] == fraction
        api: Any = administrator.get(f"{KPIS}/fill_rate?{days}&by=warehouse").json()
        assert api["target"] == fraction
    assert "2.0 points below the 87% target" in text(administrator, "/boards/kpis")
    # A cell has the target of its own slice.
    page = text(administrator, f"/numbers/fill_rate?from={today() - timedelta(days=27)}")
    api = administrator.get(f"{KPIS}/fill_rate?by=warehouse").json()
    assert {s["name"]: s["target"] for s in api["slices"]} == {"Dallas": "0.89", "Reno": "0.87"}
    _, rows = exported(administrator, "/numbers/fill_rate/export?format=csv")
    exported_targets = {
        row["KpiSegment"]: row["Target"] for row in rows if row["Section"] == "Warehouse"
    }
    assert exported_targets == {"Dallas": "0.89", "Reno": "0.87"}
    definition = next(
        item for item in administrator.get(KPIS).json()["items"] if item["code"] == "fill_rate"
    )
    assert (definition["target"], definition["default_target"]) == ("0.87", "0.96")
    differences = administrator.get(f"{KPIS}/fill_rate/differences").json()["items"]
    assert all("target" in item for item in differences)


def test_cells_are_colored_by_the_target_of_their_slice(administrator: Client) -> None:
    for number in range(30):
        for warehouse, numerator in (("Dallas", 90), ("Reno", 80)):
            day = today() - timedelta(days=number % 5 + 1)
            create_fact(numerator, 100, day=day, warehouse=warehouse)
    recompute_cells()
    page = text(administrator, "/numbers/fill_rate")
    assert tones_by_warehouse(page) == {"Dallas": "off target", "Reno": "off target"}
    store(administrator, "0.91", dimension="warehouse", dimension_value="Dallas")
    store(administrator, "0.8", dimension="warehouse", dimension_value="Reno")
    page = text(administrator, "/numbers/fill_rate")
    assert tones_by_warehouse(page) == {"Dallas": "near target", "Reno": "on target"}
    matrix = text(administrator, "/numbers").split("<caption")[-1]
    assert "near target" in matrix
    assert "off target" not in matrix.split("</table>")[0]


def test_past_ranges_keep_their_target(administrator: Client) -> None:
    store(administrator, "0.87")
    yesterday = today() - timedelta(days=1)
    days = f"from={yesterday - timedelta(days=6)}&to={yesterday}"
    assert "below the 96% target" in text(administrator, f"/numbers/fill_rate?{days}")
    assert administrator.get(f"{KPIS}/fill_rate?{days}").json()["target"] == "0.96"
    heading, _ = exported(administrator, f"/numbers/fill_rate/export?{days}&format=csv")
    assert heading["Target"] == "96%"


def test_statement_count_does_not_grow_with_targets(administrator: Client) -> None:
    addresses = ("/numbers", "/numbers/fill_rate", PAGE, f"{PAGE}?kpi=fill_rate")
    few = [statements(administrator, address) for address in addresses]
    for days in range(20):
        first = today() + timedelta(days=days)
        store(administrator, "0.9", first_day=first.isoformat())
        scope = {"dimension": "warehouse", "dimension_value": "Dallas"}
        store(administrator, "0.9", first_day=first.isoformat(), **scope)
    assert [statements(administrator, address) for address in addresses] == few


def test_many_targets_have_pages(administrator: Client) -> None:
    for days in range(60):
        store(administrator, "0.9", first_day=(today() + timedelta(days=days)).isoformat())
    page = text(administrator, f"{PAGE}?kpi=fill_rate")
    following = re.findall(r'href="([^"]+)">Next page', page)[0]
    last_page = text(administrator, following)
    assert page.count('/end"') == 50
    assert last_page.count('/end"') == 10
    assert "Next page" not in last_page
