"""Tiles of boards as pages of their own, with their figures as a table and as CSV."""

import csv
import io
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests.builders.alerts import alert, order
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.boards.tile_registry import tile_registry
from visibility.models import AuditEntry, Board
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
BOARD = "/boards/operations"
FIGURES = f"{BOARD}/tiles/1/key_figures"
TOP_ALERTS = f"{BOARD}/tiles/4/top_alerts"
WITH_FIGURES = sorted(code for code, kind in tile_registry().items() if kind.has_table())


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().split())


def export(client: Client, address: str) -> list[list[str]]:
    """The rows of the file, heading included."""
    answer: Any = client.get(f"{address}/export")
    assert answer.status_code == 200, address
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


def cells(text: str) -> list[list[str]]:
    """The rows of the table of figures on a page."""
    table = text.partition('id="figures"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("</tr>")[:-1]]


def test_menu_of_each_tile_with_figures_offers_page_table_and_csv() -> None:
    text = page(signed_in(UserRole.OPERATIONS), BOARD)
    for number, code in enumerate(("key_figures", "order_funnel", "cut_offs", "top_alerts"), 1):
        url = f"{BOARD}/tiles/{number}/{code}"
        for link in (url, f"{url}#figures", f"{url}/export"):
            assert f'href="{link}"' in text, link
    events = f"{BOARD}/tiles/6/notable_events"
    assert f'href="{events}"' in text
    assert f'href="{events}/export"' not in text


def test_every_tile_except_the_list_of_events_has_figures() -> None:
    assert set(tile_registry()) - set(WITH_FIGURES) == {"notable_events"}


def test_page_table_and_file_have_the_figures_of_the_tile() -> None:
    create_source("wms")
    alert("SO-1", money=Decimal("1200.5"))
    order("SO-2")
    operations = signed_in(UserRole.OPERATIONS)
    text = page(operations, FIGURES)
    figures = dict(re.findall(r'<span class="figure-value" data-mark="now-(\w+)">(\d+)<', text))
    listed = {row[0]: row for row in cells(text)}
    assert figures["open"] == listed["Open orders"][1] == "2"
    assert listed["Value at risk"][1:3] == ["1,200.5", "USD"]
    rows = export(operations, FIGURES)
    heading = dict(row for row in rows[: rows.index([])])
    assert heading["Board"] == "Operations"
    assert heading["Tile"] == "Key figures"
    assert heading["Definition"].startswith("Past promise date:")
    assert heading["Rows"] == str(len(listed))
    exported = {row[0]: Decimal(row[1]) for row in rows[rows.index([]) + 2 :]}
    assert exported == {name: Decimal(row[1].replace(",", "")) for name, row in listed.items()}


@pytest.mark.parametrize("code", WITH_FIGURES)
def test_every_kind_of_tile_has_a_page_with_a_table_and_a_file(code: str) -> None:
    create_source("wms")
    alert("SO-1")
    Board.objects.create(slug="one", title="One", tiles=[{"tile": code, "title": "Mine"}])
    admin = signed_in(UserRole.ADMIN)
    text = page(admin, f"/boards/one/tiles/1/{code}")
    assert "<h1>Mine</h1>" in text
    rows = export(admin, f"/boards/one/tiles/1/{code}")
    columns = rows[rows.index([]) + 1]
    body = rows[rows.index([]) + 2 :]
    assert len(columns) > 1
    assert all(len(row) == len(columns) for row in body)
    assert len(cells(text)) == len(body)


def test_text_in_the_file_is_never_a_formula() -> None:
    alert("SO-1", title="=1+1", of=order("SO-1", customer_name="@SUM(A1)"))
    rows = export(signed_in(UserRole.OPERATIONS), TOP_ALERTS)
    assert [rows[-1][0], rows[-1][3]] == ["'=1+1", "'@SUM(A1)"]


def test_prices_and_names_are_left_out_by_permission() -> None:
    alert("SO-1", of=order("SO-1", customer_name="Acme Tools", customer_no="C-9"))
    operations = export(signed_in(UserRole.OPERATIONS), TOP_ALERTS)
    assert "Value at risk" in operations[-2]
    assert operations[-1][3] == "Acme Tools"
    executive = export(signed_in(UserRole.EXECUTIVE), TOP_ALERTS)
    assert executive[-1][3] == "C-9"
    alert("SO-2", order=None, source=create_source("wms"))
    integrator = export(signed_in(UserRole.INTEGRATOR), TOP_ALERTS)
    assert not {"Value at risk", "Currency"} & set(integrator[-2])
    assert "SO-1" not in str(integrator)


def test_boards_and_tiles_of_others_do_not_open() -> None:
    owner = user_of_role(UserRole.OPERATIONS)
    Board.objects.create(
        slug="own", title="Own", tiles=[{"tile": "key_figures"}], sharing="own", owner=owner
    )
    Board.objects.create(slug="kpis", title="KPIs", tiles=[{"tile": "kpi_number"}])
    service = signed_in(UserRole.CUSTOMER_SERVICE)
    for address in (
        "/boards/own/tiles/1/key_figures",
        "/boards/kpis/tiles/1/kpi_number",
        f"{BOARD}/tiles/2/key_figures",  # moved
        f"{BOARD}/tiles/99/key_figures",
        "/boards/gone/tiles/1/key_figures",
    ):
        assert service.get(address).status_code == 404, address
        assert service.get(f"{address}/export").status_code == 404, address
    assert signed_in(UserRole.OPERATIONS).get("/boards/own/tiles/1/key_figures").status_code == 200
    assert "/boards/kpis/tiles/1/kpi_number" not in page(service, "/boards/kpis")
    assert Client().get(FIGURES).status_code == 302


def test_export_is_recorded() -> None:
    export(signed_in(UserRole.EXECUTIVE), FIGURES)
    entry = AuditEntry.objects.get(action="export")
    assert entry.object == "Tile Key figures of board Operations"
    assert entry.detail["tile"] == "key_figures"
