"""The log as a file: from the pages, from the API, from the command line, each by right."""

import json
import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.export.cast import OBJECTS
from visibility.export import snapshot
from visibility.export.snapshot import AT_ONCE, TURNS
from visibility.models import AuditEntry, Order, Source
from visibility.web.intake.sources import conninfo
from visibility.web.permissions import Role

pytestmark = [
    pytest.mark.usefixtures("told"),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume async:Warning"),
]
ADDRESSES = ("/orders/export", "/api/v1/orders/export")
MAY = {Role.OPERATIONS, Role.INTEGRATOR, Role.ADMIN}


def signed_in(role: Role) -> Client:
    user = User.objects.create(username=role.value)
    user.groups.add(Group.objects.get_or_create(name=role.value)[0])
    client = Client()
    client.force_login(user)
    return client


def content(answer: Any) -> bytes:
    assert answer.status_code == 200
    return b"".join(answer)


def orders(log: dict[str, Any]) -> set[str]:
    return {o["id"].split(":")[-1] for o in log["objects"] if o["type"] == "order"}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("address", ADDRESSES)
def test_only_those_who_may_take_the_log(address: str, role: Role) -> None:
    answer = signed_in(role).get(address, {"format": "ocel-json"})
    assert answer.status_code == (200 if role in MAY else 403)
    taken = AuditEntry.objects.filter(what="export").values_list("object", "detail")
    if role in MAY:
        (entry,) = taken
        assert entry[0] == "3 orders"
        assert entry[1]["format"] == "ocel-json"
    else:
        assert not taken


@pytest.mark.parametrize("address", ADDRESSES)
def test_integrators_take_it_without_prices_and_people(address: str) -> None:
    text = content(signed_in(Role.INTEGRATOR).get(address, {"format": "ocel-json"}))
    assert b"SO-1" in text
    assert not [secret for secret in (b"201.5", b"Quist", b"Nora") if secret in text]
    assert b"201.5" in content(signed_in(Role.OPERATIONS).get(address, {"format": "ocel-json"}))


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_sqlite_file_arrives_whole(address: str, tmp_path: Path) -> None:
    answer = signed_in(Role.ADMIN).get(address, {"format": "ocel-sqlite"})
    path = tmp_path / "log.sqlite"
    path.write_bytes(content(answer))
    assert path.stat().st_size == int(answer["Content-Length"])
    rows = sqlite3.connect(path).execute("SELECT ocel_type, count(*) FROM object GROUP BY 1")
    assert dict(rows) == OBJECTS


def test_what_is_filtered_is_what_is_exported() -> None:
    client = signed_in(Role.ADMIN)
    page = client.get("/orders?customer=Quist&after=x").content.decode()
    link = page.split('href="/orders/export?')[1].split('"')[0].replace("&amp;", "&")
    assert orders(json.loads(content(client.get(f"/orders/export?{link}")))) == {"SO-1"}
    two = Order.objects.get(number="SO-2")
    page = client.get(f"/orders/{two.pk}").content.decode()
    link = page.split('href="/orders/export?')[1].split('"')[0].replace("&amp;", "&")
    assert orders(json.loads(content(client.get(f"/orders/export?{link}")))) == {"SO-2"}
    api = client.get("/api/v1/orders/export", {"order": two.pk})
    assert orders(json.loads(content(api))) == {"SO-2"}


def test_states_filter_what_is_exported_as_they_filter_the_list() -> None:
    client = signed_in(Role.ADMIN)
    Order.objects.update(states=[])
    Order.objects.filter(number="SO-2").update(states=["conflict"])
    for filters, expected in (("state=conflict", {"SO-2"}), ("without=conflict", {"SO-1", "SO-3"})):
        found = content(client.get(f"/orders/export?format=ocel-json&{filters}"))
        assert orders(json.loads(found)) == expected


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_may_not_see_names_exports_no_order_by_one(address: str) -> None:
    Order.objects.filter(number="SO-2").update(customer_name="Nora Quist")
    for role, expected in ((Role.OPERATIONS, {"SO-2"}), (Role.INTEGRATOR, set())):
        wish = {"format": "ocel-json", "customer": "Nora Quist"}
        assert orders(json.loads(content(signed_in(role).get(address, wish)))) == expected


def test_a_clerk_is_not_offered_it() -> None:
    assert "/orders/export" not in signed_in(Role.CUSTOMER_SERVICE).get("/orders").content.decode()


def test_strange_wishes_are_refused_in_words() -> None:
    client = signed_in(Role.ADMIN)
    assert client.get("/orders/export", {"format": "xml"}).status_code == 400
    assert client.get("/orders/export").status_code == 400
    for wish in ({"format": "xml"}, {"order": "1;2"}, {"since": "May"}, {"limit": "1"}):
        assert client.get("/api/v1/orders/export", wish).status_code == 400
    nothing = {"format": "ocel-json", "order": "9" * 30, "since": "May"}
    assert orders(json.loads(content(client.get("/orders/export", nothing)))) == set()


def test_too_many_orders_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    real = snapshot.picture
    monkeypatch.setattr(
        "visibility.export.formats.picture",
        lambda chosen, *, now, **_: real(chosen, now=now, most=2),
    )
    client = signed_in(Role.ADMIN)
    answer = client.get("/orders/export", {"format": "epcis"}, follow=True)
    assert "narrow the filters" in answer.content.decode()
    told = client.get("/api/v1/orders/export", {"format": "epcis"})
    assert told.status_code == 400
    assert "narrow the filters" in told.json()["detail"]


def test_no_more_than_a_few_exports_run_at_once() -> None:
    client = signed_in(Role.ADMIN)
    with psycopg.connect(conninfo()) as other:
        for place in range(AT_ONCE):
            other.execute("SELECT pg_advisory_xact_lock(%s, %s)", [TURNS, place])
        told = client.get("/api/v1/orders/export")
        assert (told.status_code, told["Retry-After"]) == (503, "5")
        page = client.get("/orders/export", {"format": "epcis"}, follow=True)
        assert "try again soon" in page.content.decode()
    assert client.get("/api/v1/orders/export").status_code == 200


def test_the_command_line_writes_each_standard(tmp_path: Path, told: dict[str, Source]) -> None:
    out = StringIO()
    for standard, options, found in (
        ("ocel", ["--order", "SO-2"], b"SO-2"),
        ("ocel", ["--format", "sqlite"], b"SQLite format 3"),
        ("epcis", ["--since", "2026-03-09"], b"EPCISDocument"),
    ):
        path = tmp_path / "log"
        call_command("export", standard, str(path), *options, stdout=out)
        assert found in path.read_bytes()
        assert [p.name for p in tmp_path.iterdir()] == ["log"]
    assert out.getvalue().split("\n")[0] == f"1 orders in {tmp_path / 'log'}"


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    for arguments, words in (
        (["ocel", str(tmp_path / "x"), "--order", "nothing"], "No order goes by 'nothing'"),
        (["epcis", str(tmp_path / "x"), "--format", "sqlite"], "EPCIS is JSON"),
        (["ocel", str(tmp_path / "no" / "x")], "No such file"),
        (["ocel", str(tmp_path / "x"), "--since", "May"], "--since"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command("export", *arguments)
    assert not list(tmp_path.iterdir())
