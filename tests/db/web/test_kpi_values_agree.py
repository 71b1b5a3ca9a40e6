"""A KPI has one value: in the tile, on its page, over the API, in the export, and as the sum of the
orders behind it, for every preset of the date range."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.formatting import format_percent, in_zone
from visibility.web.date_range import PRESETS
from visibility.web.permissions import UserRole

pytestmark = [pytest.mark.django_db, pytest.mark.calendar]
API = "/api/v1/kpis/fill_rate"


def create_facts(today: date) -> None:
    """Every third day of a year and a half: one order that counts, sometimes one excluded."""
    for days in range(0, 550, 3):
        day = today - timedelta(days=days)
        create_fact(
            days % 7,
            7,
            day=day,
            channel=("Web", "EDI")[days % 2],
            warehouse=("Dallas", "Reno", "")[days % 5 % 3],
        )
        if days % 4 == 0:
            create_fact(None, None, day=day, excluded="no_lines")
    recompute_cells()


def orders_of_api(client: Client, span: dict[str, str], outcome: str) -> Iterator[Any]:
    page: Any = {"next": None}
    while True:
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = client.get(f"{API}/orders", span | {"outcome": outcome} | cursor).json()
        yield from page["items"]
        if not page["next"]:
            return


def exported(client: Client, address: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The heading and the rows of a CSV file."""
    lines = list(csv.reader(io.StringIO(b"".join(client.get(address)).decode())))
    blank = lines.index([])
    heading = {line[0]: line[1] for line in lines[:blank]}
    head = lines[blank + 1]
    return heading, [dict(zip(head, line, strict=True)) for line in lines[blank + 2 :]]


@pytest.mark.slow
@pytest.mark.parametrize("compare", ["previous", "last-year"])
def test_tile_page_api_export_and_orders_agree_for_every_preset(compare: str) -> None:
    client = signed_in(UserRole.OPERATIONS)
    create_facts(in_zone(database_now(), settings.TIME_ZONE).date())
    for preset in PRESETS:
        query = f"?from={preset}&compare={compare}"
        heading, rows = exported(client, f"/numbers/fill_rate/export{query}&format=csv")
        total = next(row for row in rows if row["Section"] == "Total")
        span = {"from": total["First day"], "to": total["Last day"]}
        api: Any = client.get(API, span | {"by": "channel", "and": "warehouse", "compare": compare})
        api = api.json()
        # The export and the API.
        assert total["Value"] == (api["total"]["value"] or ""), preset
        for column, field in (("Numerator", "numerator"), ("Denominator", "denominator")):
            assert Decimal(total[column]) == Decimal(api["total"][field]), preset
        assert total["Counted"] == str(api["total"]["orders"])
        assert heading["Orders counted (n)"] == total["Counted"]
        assert heading["Orders excluded"] == str(sum(api["total"]["excluded"].values()))
        assert total["Compared value"] == (api["compared"]["value"] or "")
        first, last = (date.fromisoformat(span[name]) for name in ("from", "to"))
        back = timedelta(days=364) if compare == "last-year" else last - first + timedelta(days=1)
        assert api["compared"]["from"] == (first - back).isoformat()
        # The tile of the overview, the page, and the list of orders.
        value = format_percent(
            Decimal(total["Numerator"]) / max(Decimal(total["Denominator"]), Decimal(1))
        )
        if total["Counted"] != "0":
            for address in ("/numbers", "/numbers/fill_rate"):
                page = client.get(address + query).content.decode()
                assert f'<span data-mark="fill_rate">{value}</span>' in page, (preset, address)
            listed = client.get(f"/numbers/fill_rate/orders{query}").content.decode()
            assert f"line fill rate {value}, " in listed
            tabs = [int(n) for n in re.findall(r'class="count">(\d+)<', listed)]
            assert sum(tabs[:2]) == int(total["Counted"]), preset
            assert tabs[2] == int(heading["Orders excluded"]), preset
        # Every order behind the value.
        answer = {
            outcome: list(orders_of_api(client, span, outcome))
            for outcome in ("missed", "counted", "excluded")
        }
        counted = answer["missed"] + answer["counted"]
        assert len(counted) == api["total"]["orders"], preset
        assert len(answer["excluded"]) == int(heading["Orders excluded"]), preset
        for field in ("numerator", "denominator"):
            assert sum(Decimal(each[field]) for each in counted) == Decimal(api["total"][field])
        # Periods and segments add up to it, and contributions to its change.
        sections = {row["Section"] for row in rows} - {"Total"}
        if total["Counted"] != "0":
            assert sections & {"Day", "Week"}, preset
            assert "Channel and Warehouse" in sections
        for section in sections:
            counts = [int(row["Counted"]) for row in rows if row["Section"] == section]
            assert sum(counts) == api["total"]["orders"], (preset, section)
        slices = {(s["name"], s["and_name"]): s["orders"] for s in api["slices"]}
        assert sum(slices.values()) == api["total"]["orders"]
        if total["Value"] and total["Compared value"]:
            change = Decimal(total["Value"]) - Decimal(total["Compared value"])
            added = sum(Decimal(each["contribution"]) for each in api["slices"])
            assert abs(added - change) < Decimal("0.00001"), preset
            assert abs(Decimal(total["Contribution to the change"]) - change) < Decimal("0.00001")
