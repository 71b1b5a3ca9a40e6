"""Exports of lists as CSV and XLSX: the same rows as the list, redacted, audited, no formulas."""

import pytest
from django.conf import settings
from django.test import Client

from tests.builders.alerts import order
from tests.builders.listed_orders import (
    create_orders_with_ties_and_gaps,
    read_csv_export,
    read_xlsx_export,
    walk_pages,
)
from tests.builders.users import signed_in
from visibility.export import list_files
from visibility.models import AuditEntry, Order
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
FORMULA = '=HYPERLINK("http://x")'


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS, "olga")


def test_csv_has_the_rows_of_the_list_in_its_order(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_files, "CHUNK_SIZE", 3)
    create_orders_with_ties_and_gaps(11)
    asked = "status=released&sort=-promised_at"
    listed = [str(Order.objects.get(pk=pk).number) for pk in walk_pages(ops, f"/orders?{asked}")]
    response = ops.get(f"/orders/export?format=csv&{asked}")
    assert response.headers["Content-Disposition"].startswith('attachment; filename="orders-')
    heading, rows = read_csv_export(response)
    assert [row["Order"] for row in rows] == listed
    assert len(listed) == 6
    assert heading["List"] == "Orders"
    assert heading["Filters"] == "Released to the warehouse"
    assert heading["Exported by"] == "olga"
    assert heading["Rows"] == "6"
    assert heading["As of"].endswith(f"({settings.TIME_ZONE})")
    assert rows[0]["Promise date"] == "2026-03-03"
    assert rows[0]["Order value"] == "7.0000"
    entry = AuditEntry.objects.get(action="export")
    assert (entry.object, entry.user and entry.user.username) == ("6 orders", "olga")
    assert entry.detail["list"] == "orders"
    assert entry.detail["asked"] == {"status": ["released"], "sort": ["-promised_at"]}


def test_xlsx_has_the_same_rows_with_typed_cells(ops: Client) -> None:
    create_orders_with_ties_and_gaps(5)
    _, rows = read_csv_export(ops.get("/orders/export?format=csv&sort=number"))
    lines = read_xlsx_export(ops.get("/orders/export?format=xlsx&sort=number"))
    assert lines[:2] == [["List", "Orders"], ["Filters", "None"]]
    assert ["Rows", "5"] in lines
    start = lines.index(list(rows[0])) + 1
    assert [line[0] for line in lines[start:]] == [row["Order"] for row in rows]
    promised, total = list(rows[0]).index("Promise date"), list(rows[0]).index("Order value")
    # Days since 1900: dates are dates, and amounts are numbers.
    assert {line[promised] for line in lines[start:]} == {"", "46083", "46084"}
    assert {line[total] for line in lines[start:]} == {"", "7", "12.5"}


def test_texts_that_look_like_formulas_are_texts(ops: Client) -> None:
    order(FORMULA, customer_name="@SUM(A1)", warehouse=FORMULA)
    heading, rows = read_csv_export(
        ops.get("/orders/export", {"format": "csv", "warehouse": FORMULA})
    )
    assert rows[0]["Order"] == f"'{FORMULA}"
    assert rows[0]["Customer"] == "'@SUM(A1)"
    assert not heading["Filters"].startswith("=")
    assert [FORMULA, "@SUM(A1)"] in [
        line[:3:2] for line in read_xlsx_export(ops.get("/orders/export?format=xlsx"))
    ]


def test_role_without_prices_or_contacts_exports_none() -> None:
    create_orders_with_ties_and_gaps(3)
    integrator = signed_in(UserRole.INTEGRATOR)
    _, rows = read_csv_export(integrator.get("/orders/export?format=csv"))
    assert "Order value" not in rows[0]
    assert {row["Customer"] for row in rows} == {"C0", "C1", "C2"}
    lines = read_xlsx_export(integrator.get("/orders/export?format=xlsx"))
    assert not {"Order value", "Acme Tools", "12.5"} & {cell for line in lines for cell in line}


def test_role_without_export_gets_no_file_and_no_link() -> None:
    create_orders_with_ties_and_gaps(1)
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.get("/orders/export?format=csv").status_code == 403
    assert "format=csv" not in clerk.get("/orders").content.decode()


def test_too_many_rows_for_xlsx_point_to_csv(ops: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_files, "MAX_XLSX_ROWS", 2)
    create_orders_with_ties_and_gaps(3)
    response = ops.get("/orders/export?format=xlsx&open=1", follow=True)
    assert response.redirect_chain == [("/orders?open=1", 302)]
    assert "More than 2 orders match. An XLSX file has at most that many rows: export as CSV" in (
        response.content.decode()
    )
    assert not AuditEntry.objects.filter(action="export").exists()
    assert len(read_csv_export(ops.get("/orders/export?format=csv"))[1]) == 3


def test_export_of_nothing_has_the_heading_and_the_header(ops: Client) -> None:
    heading, rows = read_csv_export(ops.get("/orders/export?format=csv&status=cancelled"))
    assert (heading["Rows"], rows) == ("0", [])


def test_page_links_to_the_export_of_what_is_filtered(ops: Client) -> None:
    create_orders_with_ties_and_gaps(2)
    page = ops.get("/orders?status=released&sort=number&after=x&also=1").content.decode()
    assert 'href="/orders/export?format=csv&amp;status=released&amp;sort=number"' in page
    assert "1 order" in page
