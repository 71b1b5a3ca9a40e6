"""Master data through the API: who may, rows, files, and that the document tells the truth."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pytest
from django.test import AsyncRequestFactory, Client

from tests.master.conftest import mapped, put, told
from tests.web.api.test_contract import fits
from visibility.master_data import imports
from visibility.master_data.tables import TABLES
from visibility.models import AuditEntry, Item, MasterImport, Source
from visibility.web import table_downloads as files
from visibility.web.api.schemas import document
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db
READERS = {Role.OPERATIONS, Role.INTEGRATOR, Role.ADMIN}
WRITERS = {Role.INTEGRATOR, Role.ADMIN}
SignedIn = Callable[[Role], Client]
ROW = {"values": {"number": "A-1", "title": "One"}}


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visibility.pipeline.stages.nudge", lambda *_: None)


@pytest.fixture
def shop(db: None) -> Source:
    return Source.objects.create(
        slug="shop", title="Shop", connector="cloudevents", role="shop", config={"governed": "item"}
    )


@pytest.fixture
def integrator(signed_in: SignedIn) -> Client:
    return signed_in(Role.INTEGRATOR)


def send(client: Client, method: str, address: str, body: Any = None, **more: Any) -> Any:
    return client.generic(
        method.upper(),
        f"/api/v1/master{address}",
        b"" if body is None else orjson.dumps(body),
        content_type="application/json",
        **more,
    )


def upload(client: Client, text: str, query: str = "", table: str = "item") -> Any:
    address = f"/api/v1/master/{table}/import{query}"
    return client.generic("POST", address, text.encode(), content_type="text/csv")


CALLS: tuple[tuple[str, str, str, set[Role], Any], ...] = (
    ("get", "", "master", READERS, None),
    ("get", "/unmapped", "master/unmapped", READERS, None),
    ("get", "/item", "master/{table}", READERS, None),
    ("get", "/item/{row}", "master/{table}/{row_id}", READERS, None),
    ("post", "/item", "master/{table}", WRITERS, ROW),
    ("put", "/item/{row}", "master/{table}/{row_id}", WRITERS, ROW),
    ("delete", "/item/{row}", "master/{table}/{row_id}", WRITERS, {}),
    ("get", "/imports/{import}", "master/imports/{import_id}", READERS, None),
    ("post", "/imports/{import}/apply", "master/imports/{import_id}/apply", WRITERS, {}),
    ("post", "/imports/{import}/discard", "master/imports/{import_id}/discard", WRITERS, {}),
)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("method", "address", "path", "may", "body"), CALLS)
def test_each_role_gets_what_the_matrix_grants_and_403_else(
    method: str,
    address: str,
    path: str,
    may: set[Role],
    body: Any,
    role: Role,
    signed_in: SignedIn,
    shop: Source,
    now: datetime,
) -> None:
    put("item", {"number": "A-0"}, now=now)
    told(shop, "SO-1", "W-1")
    kept = imports.keep(
        TABLES["item"],
        [b"number\nA-9\n"],
        name="f",
        format="csv",
        apply=False,
        who=None,
        now=now,
    )
    imports.work()
    address = address.format(row=Item.objects.get().pk, **{"import": kept.pk})
    answer = send(signed_in(role), method, address, body)
    assert fits(path, method, answer) == []
    if role in may:
        assert answer.status_code in {200, 201, 202}
    else:
        assert answer.status_code == 403
        assert AuditEntry.objects.filter(what="denied", who__username=f"{role}_person").exists()


@pytest.mark.parametrize("role", list(Role))
def test_files_go_in_and_out_by_right(role: Role, signed_in: SignedIn) -> None:
    client = signed_in(role)
    taken, given = upload(client, "number\nA-1\n"), client.get("/api/v1/master/item/export")
    assert taken.status_code == (202 if role in WRITERS else 403)
    assert given.status_code == (200 if role in READERS else 403)
    assert fits("master/{table}/import", "post", taken) == []


def test_every_call_is_in_the_document_and_in_this_test() -> None:
    named = {
        (path.removeprefix("/api/v1/"), method)
        for path, item in document()["paths"].items()
        for method in item
        if path.startswith("/api/v1/master")
    }
    files = {("master/{table}/import", "post"), ("master/{table}/export", "get")}
    assert named == {(path, method) for method, _, path, _, _ in CALLS} | files


def test_a_row_is_added_changed_found_and_taken_away(integrator: Client) -> None:
    assert send(integrator, "post", "/item", ROW).status_code == 201
    again = send(integrator, "post", "/item", ROW)
    assert (again.status_code, again.json()["unchanged"]) == (200, 1)
    found = send(integrator, "get", "/item?q=a-1").json()["items"]
    assert [one["values"]["title"] for one in found] == ["One"]
    place = f"/item/{found[0]['id']}"
    new = {"values": {"number": "A-1", "title": "Two"}, "version": 1}
    assert send(integrator, "put", place, new).status_code == 200
    assert send(integrator, "put", place, new).status_code == 409
    whole = send(integrator, "get", place).json()
    assert [one["what"] for one in whole["history"]] == ["changed", "added"]
    assert whole["history"][0]["before"]["title"] == "One"
    assert whole["history"][0]["who"] == "integrator_person"
    assert send(integrator, "delete", place, {}).status_code == 200
    assert send(integrator, "get", place).status_code == 404


def test_the_same_key_adds_once(integrator: Client) -> None:
    for _ in range(2):
        answer = send(integrator, "post", "/item", ROW, headers={"Idempotency-Key": "k1"})
        assert answer.status_code == 201
    assert Item.objects.get().version == 1


@pytest.mark.parametrize(
    ("values", "status", "why"),
    [
        ({"colour": "red"}, 400, "no such column"),
        ({}, 400, "number is missing"),
        ({"number": "x" * 251}, 400, "more than 250"),
        ({"number": "A\u0001"}, 400, "control character"),
        ({"number": "A", "valid_from": "2026-02-30"}, 400, "not a day"),
        ({"number": "A-0", "valid_from": "2020-01-01", "valid_to": "2021-01-01"}, 409, "same time"),
    ],
)
def test_wrong_rows_are_refused_with_the_reason(
    values: dict[str, str], status: int, why: str, integrator: Client, now: datetime
) -> None:
    put("item", {"number": "A-0"}, now=now)
    answer = send(integrator, "post", "/item", {"values": values})
    assert answer.status_code == status
    assert why in answer.json()["detail"]
    assert Item.objects.count() == 1


def test_unmapped_words_come_with_suggestions(
    integrator: Client, shop: Source, now: datetime
) -> None:
    put("item", {"number": "GLAND-20"}, now=now)
    told(shop, "SO-1", "GLAND 20")
    (word,) = send(integrator, "get", "/unmapped?kind=item").json()["items"]
    assert (word["word"], word["orders"]) == ("GLAND 20", 1)
    assert word["suggestions"][0]["ours"] == "GLAND-20"


def test_words_are_listed_by_kind_and_source(
    integrator: Client, shop: Source, now: datetime
) -> None:
    mapped("W-1", "A-1", now=now)
    put("mapping", {"table": "unit", "theirs": "Box", "ours": "BX"}, now=now)
    found = send(integrator, "get", "/mapping?kind=item&source=shop").json()["items"]
    assert [one["values"]["theirs"] for one in found] == ["W-1"]
    assert send(integrator, "get", "/item?kind=item").status_code == 400


def test_a_list_is_paged(integrator: Client, now: datetime) -> None:
    put("item", *({"number": f"A-{n}"} for n in range(5)), now=now)
    seen, query = [], "?page_size=2"
    for _ in range(3):
        page = send(integrator, "get", f"/item{query}").json()
        seen += [one["values"]["number"] for one in page["items"]]
        query = f"?page_size=2&cursor={page['next']}"
    assert seen == [f"A-{n}" for n in range(5)]
    assert page["next"] is None


def test_a_dry_run_is_judged_told_and_applied_after_a_yes(integrator: Client) -> None:
    kept = upload(integrator, "number,title\nA-1,One\n", "?dry_run=true").json()
    imports.work()
    place = f"/imports/{kept['id']}"
    judged = send(integrator, "get", place).json()
    assert (judged["state"], judged["added"], judged["problems"]) == ("judged", 1, [])
    assert not Item.objects.exists()
    assert send(integrator, "post", f"{place}/apply", {}).status_code == 202
    imports.work()
    assert send(integrator, "get", place).json()["state"] == "done"
    assert send(integrator, "post", f"{place}/apply", {}).status_code == 409
    assert Item.objects.get().title == "One"


def test_rows_that_cannot_be_taken_are_told_by_number(integrator: Client) -> None:
    kept = upload(integrator, "number,title\nA-1,One\n,Two\n").json()
    imports.work()
    told_of = send(integrator, "get", f"/imports/{kept['id']}").json()
    assert told_of["problems"] == [{"row": 3, "reason": "number is missing"}]
    assert not Item.objects.exists()


def test_a_file_leaves_as_it_came(integrator: Client) -> None:
    put_ = "number,title,unit\nA-1,One,BX\nA-2,=2+2,EA\n"
    upload(integrator, put_)
    imports.work()
    answer: Any = integrator.get("/api/v1/master/item/export?format=csv")
    text = b"".join(answer.streaming_content).decode()
    assert "A-2,'=2+2,EA" in text
    assert answer["Cache-Control"] == "no-store"
    upload(integrator, text)
    imports.work()
    assert MasterImport.objects.latest("pk").unchanged == 2


def test_a_media_type_that_is_no_table_is_refused(integrator: Client) -> None:
    address = "/api/v1/master/item/import"
    answer = integrator.generic("POST", address, b"{}", content_type="application/json")
    assert answer.status_code == 415


def test_an_export_streams_under_asgi_too() -> None:
    asked = AsyncRequestFactory().get("/")
    answer: Any = files.exported(asked, TABLES["item"], "csv")
    assert answer.is_async


async def test_a_stream_gives_every_piece() -> None:
    pieces = files._streamed(iter([b"a", b"b"]))
    assert [piece async for piece in pieces] == [b"a", b"b"]
