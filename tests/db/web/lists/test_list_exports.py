"""Exports of lists as CSV and XLSX: the same rows as the list, redacted, audited, no formulas."""

import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.signals import request_finished
from django.db import close_old_connections, connection
from django.test import AsyncRequestFactory, Client
from django.test.utils import CaptureQueriesContext

from tests.builders.alerts import order, source_alert
from tests.builders.listed_orders import (
    create_alerts_with_ties_and_gaps,
    create_orders_with_ties_and_gaps,
    read_csv_export,
    read_xlsx_export,
    walk_pages,
)
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.db.lock_keys import LockKey
from visibility.export import list_files, table_files
from visibility.export.snapshot_to_temp_tables import MAX_CONCURRENT
from visibility.models import Alert, AuditEntry, Order
from visibility.web import send_files
from visibility.web.intake.source_cache import conninfo
from visibility.web.master_table_downloads import to_async_iterator
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
OPEN_CURSORS = "SELECT count(*) FROM pg_cursors WHERE name LIKE '_django_curs%'"
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
    assert heading["Filters"] == "Order status: Released to the warehouse"
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


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_integrator_exports_no_table_of_orders(kind: str) -> None:
    """Integrators may only look up orders by number."""
    create_orders_with_ties_and_gaps(3)
    integrator = signed_in(UserRole.INTEGRATOR)
    sentence = "Your role can only search orders by number, not export the list of orders."
    page = integrator.get(f"/orders/export?format={kind}")
    assert page.status_code == 403
    assert sentence in page.content.decode()
    answer = integrator.get(f"/api/v1/orders/export?format={kind}")
    assert (answer.status_code, answer.json()["detail"]) == (403, sentence)
    assert AuditEntry.objects.filter(action="denied").count() == 2
    menu = integrator.get("/orders").content.decode()
    assert "/orders/export?format=csv" not in menu
    assert "/orders/export?format=xlsx" not in menu
    assert "/orders/export?format=ocel-json" in menu
    assert integrator.get("/orders/export?format=ocel-json").status_code == 200
    assert "/alerts/export?format=csv" in integrator.get("/alerts?by=one").content.decode()


def test_integrator_with_another_role_exports_the_table_of_orders() -> None:
    create_orders_with_ties_and_gaps(3)
    client, user = signed_in(UserRole.INTEGRATOR, "ivy"), user_of_role(UserRole.INTEGRATOR, "ivy")
    user.groups.add(*user_of_role(UserRole.EXECUTIVE).groups.all())
    assert "/orders/export?format=csv" in client.get("/orders").content.decode()
    _, rows = read_csv_export(client.get("/orders/export?format=csv"))
    assert {row["Customer"] for row in rows} == {"C0", "C1", "C2"}
    lines = read_xlsx_export(client.get("/api/v1/orders/export?format=xlsx"))
    assert "Acme Tools" not in {cell for line in lines for cell in line}


def test_role_without_prices_or_contacts_exports_none_of_them() -> None:
    create_alerts_with_ties_and_gaps(2)
    source_alert(create_source("shop"), money=88123, currency="USD")
    integrator = signed_in(UserRole.INTEGRATOR)
    lines = read_xlsx_export(integrator.get("/alerts/export?format=xlsx"))
    assert not {"At risk", "Acme Tools", "88123"} & {cell for line in lines for cell in line}


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


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_file_is_written_in_chunks_before_its_first_byte_is_sent(
    ops: Client, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(list_files, "CHUNK_SIZE", 3)
    create_orders_with_ties_and_gaps(8)
    with CaptureQueriesContext(connection) as captured:
        response = ops.get(f"/orders/export?format={kind}&columns=number")
    assert int(response.headers["Content-Length"]) > 0
    with connection.cursor() as cursor:
        cursor.execute(OPEN_CURSORS)
        assert cursor.fetchone() == (0,)
    with CaptureQueriesContext(connection) as later:
        content = b"".join(response)
    assert len(content) == int(response.headers["Content-Length"])
    assert not later.captured_queries
    # The alerts of each chunk are counted by a statement of its own.
    of_chunks = [q for q in captured.captured_queries if "visibility_alert" in q["sql"]]
    assert len(of_chunks) >= 3


@pytest.mark.parametrize("path", ["orders/export?format=csv", "alerts/export?format=xlsx"])
def test_number_of_concurrent_exports_is_limited(ops: Client, path: str) -> None:
    with psycopg.connect(conninfo()) as other:
        for slot in range(MAX_CONCURRENT):
            other.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LockKey.EXPORT_SLOT, slot])
        answer = ops.get(f"/api/v1/{path}")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "Too many exports are running." in answer.json()["detail"]
        page = ops.get(f"/{path}", follow=True)
        assert page.redirect_chain
        assert "3 exports are already running. Try again in a few minutes." in (
            page.content.decode()
        )
    assert not AuditEntry.objects.filter(action="export").exists()
    assert ops.get(f"/{path}").status_code == 200


def test_connection_is_released_before_the_first_byte_and_the_file_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[str] = []
    released = SimpleNamespace(in_atomic_block=False, close=lambda: steps.append("released"))
    monkeypatch.setattr(send_files, "connection", released)
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
    file.write(b"x" * (send_files.BLOCK_SIZE + 1))
    file.seek(0)
    request = AsyncRequestFactory().get("/orders/export")
    response = send_files.temporary_file_response(request, file, "orders.csv", "text/csv")

    async def read_all() -> None:
        steps.extend([str(len(block)) async for block in response])

    async_to_sync(read_all)()
    assert steps == ["released", str(send_files.BLOCK_SIZE), "1"]
    close_response(response)
    assert file.closed


def test_export_that_fails_leaves_no_cursor_open(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_orders_with_ties_and_gaps(3)

    def fail(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(table_files, "csv_cell", fail)
    with pytest.raises(OSError, match="No space left"):
        ops.get("/orders/export?format=csv")
    with connection.cursor() as cursor:
        cursor.execute(OPEN_CURSORS)
        assert cursor.fetchone() == (0,)
    assert not AuditEntry.objects.filter(action="export").exists()


def test_alerts_export_has_the_alerts_of_the_view_in_its_order(ops: Client) -> None:
    create_alerts_with_ties_and_gaps(6)
    number_of = dict(Alert.objects.values_list("pk", "order__order__number"))
    Alert.objects.filter(pk=min(number_of)).update(state="acknowledged", title="=1+1")
    post = {"columns": ["order", "customer", "value", "alert"]}
    ops.post("/lists/alerts/columns", post)
    asked = "view=open&severity=low&sort=opened_at&by=one"
    ids = walk_pages(ops, f"/alerts?{asked}")
    heading, rows = read_csv_export(ops.get(f"/alerts/export?format=csv&{asked}"))
    assert heading["Filters"] == "All open; Severity: Low"
    assert [row["Order"] for row in rows] == [number_of[pk] for pk in ids]
    assert list(rows[0]) == ["Order", "Customer", "At risk", "Alert"]
    assert rows[0]["Customer"] == "Acme Tools"
    answer = ops.get("/api/v1/alerts/export?view=acknowledged&columns=alert,value,due_at")
    heading, rows = read_csv_export(answer)
    assert (heading["Rows"], rows[0]["Alert"], rows[0]["At risk"]) == ("1", "'=1+1", "")
    lines = read_xlsx_export(ops.get("/api/v1/alerts/export?format=xlsx&sort=-value"))
    assert ["Rows", "5"] in lines
    assert AuditEntry.objects.filter(action="export", object="5 alerts").exists()


def test_integrator_exports_alerts_of_sources_only() -> None:
    create_alerts_with_ties_and_gaps(2)
    source_alert(create_source("shop"))
    integrator = signed_in(UserRole.INTEGRATOR)
    for path in ("/alerts/export?format=csv", "/api/v1/alerts/export"):
        heading, rows = read_csv_export(integrator.get(path))
        assert (heading["Rows"], "At risk" in rows[0]) == ("1", False)


def test_alerts_export_refuses_other_formats_and_roles(ops: Client) -> None:
    assert ops.get("/alerts/export?format=ocel-json").status_code == 400
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.get("/alerts/export?format=csv").status_code == 403
    assert clerk.get("/api/v1/alerts/export").status_code == 403


def test_api_exports_the_same_table_of_orders(ops: Client) -> None:
    create_orders_with_ties_and_gaps(7)
    asked = "status=shipped&sort=-total"
    _, listed = read_csv_export(ops.get(f"/orders/export?format=csv&{asked}"))
    api = "/api/v1/orders/export?format="
    heading, rows = read_csv_export(ops.get(f"{api}csv&{asked}"))
    assert rows == listed
    assert (heading["Rows"], len(rows)) == ("3", 3)
    since = "since=2026-03-02T14:00:00Z"
    heading, rows = read_csv_export(ops.get(f"{api}csv&{since}&columns=number,warehouse"))
    assert (heading["Filters"], heading["Rows"]) == ("Last update from: Mon, Mar 2, 14:00", "3")
    assert list(rows[0]) == ["Order", "Warehouse"]
    assert ["Rows", "7"] in read_xlsx_export(ops.get(f"{api}xlsx"))


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("format=csv&columns=planet", "columns"),
        ("format=csv&sort=planet", "sort"),
        ("format=ocel-json&columns=number", "columns"),
        ("sort=number", "sort"),
        ("format=planet", "format"),
    ],
)
def test_api_export_names_the_wrong_parameter(ops: Client, query: str, path: str) -> None:
    answer = ops.get(f"/api/v1/orders/export?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, path)


def test_api_export_of_too_many_rows_as_xlsx_points_to_csv(
    ops: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_files, "MAX_XLSX_ROWS", 1)
    create_orders_with_ties_and_gaps(2)
    answer = ops.get("/api/v1/orders/export?format=xlsx")
    assert answer.status_code == 422
    assert "export as CSV" in answer.json()["detail"]


def test_api_columns_without_permission_are_refused() -> None:
    integrator = signed_in(UserRole.INTEGRATOR)
    answer = integrator.get("/api/v1/alerts/export?columns=value")
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "columns")


def close_response(response: Any) -> None:
    """Close it as a server does; the connection stays open, as the test client sees to."""
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)


def test_stream_that_a_client_leaves_closes_its_source() -> None:
    """The database cursor of an export must not stay open on a pooled connection."""
    closed = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"1"
            yield b"2"
        finally:
            closed.append(True)

    async def read_first_chunk() -> bytes:
        async with aclosing(to_async_iterator(chunks())) as content:
            async for chunk in content:
                return chunk
        return b""

    assert async_to_sync(read_first_chunk)() == b"1"
    assert closed == [True]
