"""Export downloads from the page, the API and the command line, with permissions."""

import json
import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from tests.builders.exported_order import OBJECTS
from tests.builders.users import signed_in
from visibility.db.lock_keys import LockKey
from visibility.export import snapshot_to_temp_tables
from visibility.export.snapshot_to_temp_tables import MAX_CONCURRENT
from visibility.models import AuditEntry, Order, Source
from visibility.web.intake.source_cache import conninfo
from visibility.web.permissions import UserRole

pytestmark = [
    pytest.mark.usefixtures("sources"),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume async:Warning"),
]
ADDRESSES = ("/orders/export", "/api/v1/orders/export")
ALLOWED_ROLES = {UserRole.OPERATIONS, UserRole.INTEGRATOR, UserRole.ADMIN}


def content(answer: Any) -> bytes:
    assert answer.status_code == 200
    return b"".join(answer)


def order_numbers(log: dict[str, Any]) -> set[str]:
    return {o["id"].split(":")[-1] for o in log["objects"] if o["type"] == "order"}


@pytest.mark.parametrize("role", list(UserRole))
@pytest.mark.parametrize("address", ADDRESSES)
def test_export_requires_permission_and_is_audited(address: str, role: UserRole) -> None:
    answer = signed_in(role).get(address, {"format": "ocel-json"})
    assert answer.status_code == (200 if role in ALLOWED_ROLES else 403)
    taken = AuditEntry.objects.filter(action="export").values_list("object", "detail")
    if role in ALLOWED_ROLES:
        (entry,) = taken
        assert entry[0] == "3 orders"
        assert entry[1]["format"] == "ocel-json"
    else:
        assert not taken


@pytest.mark.parametrize("address", ADDRESSES)
def test_integrator_exports_have_no_prices_or_personal_data(address: str) -> None:
    text = content(signed_in(UserRole.INTEGRATOR).get(address, {"format": "ocel-json"}))
    assert b"SO-1" in text
    assert not [secret for secret in (b"201.5", b"Quist", b"Nora") if secret in text]
    assert b"201.5" in content(signed_in(UserRole.OPERATIONS).get(address, {"format": "ocel-json"}))


@pytest.mark.parametrize("address", ADDRESSES)
def test_sqlite_download_is_complete(address: str, tmp_path: Path) -> None:
    answer = signed_in(UserRole.ADMIN).get(address, {"format": "ocel-sqlite"})
    path = tmp_path / "log.sqlite"
    path.write_bytes(content(answer))
    assert path.stat().st_size == int(answer["Content-Length"])
    rows = sqlite3.connect(path).execute("SELECT ocel_type, count(*) FROM object GROUP BY 1")
    assert dict(rows) == OBJECTS


def test_page_filters_apply_to_the_export() -> None:
    client = signed_in(UserRole.ADMIN)
    page = client.get("/orders?customer=Quist&after=x").content.decode()
    link = page.split('href="/orders/export?format=ocel-json')[1].split('"')[0]
    link = "format=ocel-json" + link.replace("&amp;", "&")
    assert order_numbers(json.loads(content(client.get(f"/orders/export?{link}")))) == {"SO-1"}
    two = Order.objects.get(number="SO-2")
    page = client.get(f"/orders/{two.pk}").content.decode()
    link = page.split('href="/orders/export?format=ocel-json')[1].split('"')[0]
    link = "format=ocel-json" + link.replace("&amp;", "&")
    assert order_numbers(json.loads(content(client.get(f"/orders/export?{link}")))) == {"SO-2"}
    api = client.get("/api/v1/orders/export", {"order": two.pk})
    assert order_numbers(json.loads(content(api))) == {"SO-2"}


def test_state_filters_apply_to_the_export() -> None:
    client = signed_in(UserRole.ADMIN)
    Order.objects.update(states=[])
    Order.objects.filter(number="SO-2").update(states=["conflict"])
    for filters, expected in (("state=conflict", {"SO-2"}), ("without=conflict", {"SO-1", "SO-3"})):
        body = content(client.get(f"/orders/export?format=ocel-json&{filters}"))
        assert order_numbers(json.loads(body)) == expected


@pytest.mark.parametrize("address", ADDRESSES)
def test_filter_by_customer_name_requires_contacts_permission(address: str) -> None:
    Order.objects.filter(number="SO-2").update(customer_name="Nora Quist")
    for role, expected in ((UserRole.OPERATIONS, {"SO-2"}), (UserRole.INTEGRATOR, set())):
        parameters = {"format": "ocel-json", "customer": "Nora Quist"}
        assert (
            order_numbers(json.loads(content(signed_in(role).get(address, parameters)))) == expected
        )


def test_export_link_is_hidden_without_permission() -> None:
    assert (
        "/orders/export" not in signed_in(UserRole.CUSTOMER_SERVICE).get("/orders").content.decode()
    )


def test_invalid_parameters_are_rejected() -> None:
    client = signed_in(UserRole.ADMIN)
    assert client.get("/orders/export", {"format": "xml"}).status_code == 400
    assert client.get("/orders/export").status_code == 400
    for parameters in ({"format": "xml"}, {"order": "1;2"}, {"since": "May"}, {"limit": "1"}):
        assert client.get("/api/v1/orders/export", parameters).status_code == 400
    wrong = client.get("/orders/export", {"format": "ocel-json", "since": "May"})
    assert wrong.headers["location"] == "/orders?since=May"
    no_match = {"format": "ocel-json", "order": "9" * 30}
    assert order_numbers(json.loads(content(client.get("/orders/export", no_match)))) == set()


def test_too_many_orders_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    real = snapshot_to_temp_tables.snapshot_in_temporary_tables
    monkeypatch.setattr(
        "visibility.export.export_orders_in_format.snapshot_in_temporary_tables",
        lambda chosen, *, now, **_: real(chosen, now=now, max_orders=2),
    )
    client = signed_in(UserRole.ADMIN)
    answer = client.get("/orders/export", {"format": "epcis"}, follow=True)
    assert "Add filters to export fewer orders" in answer.content.decode()
    response = client.get("/api/v1/orders/export", {"format": "epcis"})
    assert response.status_code == 400
    assert "narrow the filters" in response.json()["detail"]


def test_number_of_concurrent_exports_is_limited() -> None:
    client = signed_in(UserRole.ADMIN)
    with psycopg.connect(conninfo()) as other:
        for slot in range(MAX_CONCURRENT):
            other.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LockKey.EXPORT_SLOT, slot])
        response = client.get("/api/v1/orders/export")
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        page = client.get("/orders/export", {"format": "epcis"}, follow=True)
        assert "Try again in a few minutes" in page.content.decode()
    assert client.get("/api/v1/orders/export").status_code == 200


def test_command_writes_each_format(tmp_path: Path, sources: dict[str, Source]) -> None:
    out = StringIO()
    for standard, options, expected in (
        ("ocel", ["--order", "SO-2"], b"SO-2"),
        ("ocel", ["--format", "sqlite"], b"SQLite format 3"),
        ("epcis", ["--since", "2026-03-09"], b"EPCISDocument"),
    ):
        path = tmp_path / "log"
        call_command("export", standard, str(path), *options, stdout=out)
        assert expected in path.read_bytes()
        assert [p.name for p in tmp_path.iterdir()] == ["log"]
    assert out.getvalue().split("\n")[0] == f"1 orders in {tmp_path / 'log'}"


def test_command_reports_errors(tmp_path: Path) -> None:
    for arguments, message in (
        (["ocel", str(tmp_path / "x"), "--order", "nothing"], "No order found for 'nothing'"),
        (["epcis", str(tmp_path / "x"), "--format", "sqlite"], "EPCIS is exported as JSON only"),
        (["ocel", str(tmp_path / "no" / "x")], "No such file"),
        (["ocel", str(tmp_path / "x"), "--since", "May"], "--since"),
    ):
        with pytest.raises(CommandError, match=message):
            call_command("export", *arguments)
    assert not list(tmp_path.iterdir())


def test_export_of_a_source_has_the_orders_on_which_it_reported(tmp_path: Path) -> None:
    """The carrier reported on a package of two orders, and names neither."""
    expected = {"SO-2", "SO-3"}
    client = signed_in(UserRole.OPERATIONS)
    query = {"format": "ocel-json", "source": "carrier"}
    assert order_numbers(json.loads(content(client.get(ADDRESSES[1], query)))) == expected
    path = tmp_path / "log.json"
    call_command("export", "ocel", str(path), "--source", "carrier", stdout=StringIO())
    assert order_numbers(json.loads(path.read_text())) == expected
    assert client.get(ADDRESSES[1], {"source": "nobody"}).status_code == 400
    with pytest.raises(CommandError, match="there is no source"):
        call_command("export", "ocel", str(path), "--source", "nobody")
