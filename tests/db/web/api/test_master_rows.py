"""API tests of master data: permissions, rows, files and the OpenAPI document."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pytest
from django.test import AsyncRequestFactory, Client

from tests.builders.sources import create_source
from tests.db.master_data.conftest import map_item, put_rows, receive_order, store_file
from tests.db.web.api.test_contract import schema_violations
from visibility.master_data import imports
from visibility.master_data.tables import TABLES
from visibility.models import AuditEntry, Item, MasterImport, Source
from visibility.web import master_table_downloads as files
from visibility.web.api.schema_and_docs import openapi_document
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
READERS = {UserRole.OPERATIONS, UserRole.INTEGRATOR, UserRole.ADMIN}
WRITERS = {UserRole.INTEGRATOR, UserRole.ADMIN}
SignedIn = Callable[[UserRole], Client]
ROW = {"values": {"number": "A-1", "title": "One"}}


@pytest.fixture(autouse=True)
def _no_nudge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )


@pytest.fixture
def shop(db: None) -> Source:
    return create_source("shop", role="shop", config={"governed": "item"})


@pytest.fixture
def integrator(signed_in: SignedIn) -> Client:
    return signed_in(UserRole.INTEGRATOR)


def send_request(client: Client, method: str, address: str, body: Any = None, **more: Any) -> Any:
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


CALLS: tuple[tuple[str, str, str, set[UserRole], Any], ...] = (
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


@pytest.mark.parametrize("role", list(UserRole))
@pytest.mark.parametrize(("method", "address", "path", "may", "body"), CALLS)
def test_each_role_has_exactly_its_permissions(
    method: str,
    address: str,
    path: str,
    may: set[UserRole],
    body: Any,
    role: UserRole,
    signed_in: SignedIn,
    shop: Source,
    now: datetime,
) -> None:
    put_rows("item", {"number": "A-0"}, now=now)
    receive_order(shop, "SO-1", "W-1")
    master_import = store_file("item", b"number\nA-9\n", now=now, apply=False)
    imports.run_pending_imports()
    address = address.format(row=Item.objects.get().pk, **{"import": master_import.pk})
    answer = send_request(signed_in(role), method, address, body)
    assert schema_violations(path, method, answer) == []
    if role in may:
        assert answer.status_code in {200, 201, 202}
    else:
        assert answer.status_code == 403
        assert AuditEntry.objects.filter(action="denied", user__username=f"{role}_person").exists()


@pytest.mark.parametrize("role", list(UserRole))
def test_import_and_export_require_permission(role: UserRole, signed_in: SignedIn) -> None:
    client = signed_in(role)
    upload_response, export_response = (
        upload(client, "number\nA-1\n"),
        client.get("/api/v1/master/item/export"),
    )
    assert upload_response.status_code == (202 if role in WRITERS else 403)
    filtered_response = client.get("/api/v1/master/item/rows/export?format=csv")
    for response in (export_response, filtered_response):
        assert response.status_code == (200 if role in READERS else 403)
    assert schema_violations("master/{table}/import", "post", upload_response) == []


def test_every_master_data_operation_is_tested() -> None:
    operations = {
        (path.removeprefix("/api/v1/"), method)
        for path, item in openapi_document()["paths"].items()
        for method in item
        if path.startswith("/api/v1/master")
    }
    files = {
        ("master/{table}/import", "post"),
        ("master/{table}/export", "get"),
        ("master/{table}/rows/export", "get"),
        ("master/unmapped/export", "get"),
    }
    assert operations == {(path, method) for method, _, path, _, _ in CALLS} | files


def test_row_is_added_changed_found_and_deleted(integrator: Client) -> None:
    assert send_request(integrator, "post", "/item", ROW).status_code == 201
    repeated = send_request(integrator, "post", "/item", ROW)
    assert (repeated.status_code, repeated.json()["unchanged"]) == (200, 1)
    items = send_request(integrator, "get", "/item?q=a-1").json()["items"]
    assert [item["values"]["title"] for item in items] == ["One"]
    row_path = f"/item/{items[0]['id']}"
    new = {"values": {"number": "A-1", "title": "Two"}, "version": 1}
    assert send_request(integrator, "put", row_path, new).status_code == 200
    assert send_request(integrator, "put", row_path, new).status_code == 409
    detail = send_request(integrator, "get", row_path).json()
    assert [item["action"] for item in detail["history"]] == ["changed", "added"]
    assert detail["history"][0]["before"]["title"] == "One"
    assert detail["history"][0]["user"] == "integrator_person"
    assert send_request(integrator, "delete", row_path, {}).status_code == 200
    assert send_request(integrator, "get", row_path).status_code == 404


def test_repeated_idempotency_key_adds_one_row(integrator: Client) -> None:
    for _ in range(2):
        answer = send_request(integrator, "post", "/item", ROW, headers={"Idempotency-Key": "k1"})
        assert answer.status_code == 201
    assert Item.objects.get().version == 1


@pytest.mark.parametrize(
    ("values", "status", "reason"),
    [
        ({"color": "red"}, 400, "unknown column"),
        ({}, 400, "number is missing"),
        ({"number": "x" * 251}, 400, "more than 250"),
        ({"number": "A\u0001"}, 400, "control character"),
        ({"number": "A", "valid_from": "2026-02-30"}, 400, "not a date"),
        ({"number": "A-0", "valid_from": "2020-01-01", "valid_to": "2021-01-01"}, 409, "same time"),
    ],
)
def test_invalid_rows_are_rejected_with_a_reason(
    values: dict[str, str], status: int, reason: str, integrator: Client, now: datetime
) -> None:
    put_rows("item", {"number": "A-0"}, now=now)
    answer = send_request(integrator, "post", "/item", {"values": values})
    assert answer.status_code == status
    assert reason in answer.json()["detail"]
    assert Item.objects.count() == 1


def test_unmapped_values_have_suggestions(integrator: Client, shop: Source, now: datetime) -> None:
    put_rows("item", {"number": "GLAND-20"}, now=now)
    receive_order(shop, "SO-1", "GLAND 20")
    (term,) = send_request(integrator, "get", "/unmapped?kind=item").json()["items"]
    assert (term["term"], term["orders"]) == ("GLAND 20", 1)
    assert term["suggestions"][0]["canonical"] == "GLAND-20"


def test_mappings_are_filtered_by_kind_and_source(
    integrator: Client, shop: Source, now: datetime
) -> None:
    map_item("W-1", "A-1", now=now)
    put_rows("mapping", {"kind": "unit", "external": "Box", "canonical": "BX"}, now=now)
    items = send_request(integrator, "get", "/mapping?kind=item&source=shop").json()["items"]
    assert [item["values"]["external"] for item in items] == ["W-1"]
    assert send_request(integrator, "get", "/item?kind=item").status_code == 400


def test_rows_are_paginated(integrator: Client, now: datetime) -> None:
    put_rows("item", *({"number": f"A-{n}"} for n in range(5)), now=now)
    numbers, query = [], "?page_size=2"
    for _ in range(3):
        page = send_request(integrator, "get", f"/item{query}").json()
        numbers += [item["values"]["number"] for item in page["items"]]
        query = f"?page_size=2&cursor={page['next']}"
    assert numbers == [f"A-{n}" for n in range(5)]
    assert page["next"] is None


def test_dry_run_is_validated_and_applied_after_confirmation(integrator: Client) -> None:
    master_import = upload(integrator, "number,title\nA-1,One\n", "?dry_run=true").json()
    imports.run_pending_imports()
    import_path = f"/imports/{master_import['id']}"
    detail = send_request(integrator, "get", import_path).json()
    assert (detail["state"], detail["added"], detail["problems"]) == ("validated", 1, [])
    assert not Item.objects.exists()
    assert send_request(integrator, "post", f"{import_path}/apply", {}).status_code == 202
    imports.run_pending_imports()
    assert send_request(integrator, "get", import_path).json()["state"] == "done"
    assert send_request(integrator, "post", f"{import_path}/apply", {}).status_code == 409
    assert Item.objects.get().title == "One"


def test_invalid_rows_are_listed_by_row_number(integrator: Client) -> None:
    master_import = upload(integrator, "number,title\nA-1,One\n,Two\n").json()
    imports.run_pending_imports()
    detail = send_request(integrator, "get", f"/imports/{master_import['id']}").json()
    assert detail["problems"] == [{"row": 3, "reason": "number is missing"}]
    assert not Item.objects.exists()


def test_export_can_be_imported_unchanged(integrator: Client) -> None:
    csv_text = "number,title,unit\nA-1,One,BX\nA-2,=2+2,EA\n"
    upload(integrator, csv_text)
    imports.run_pending_imports()
    answer: Any = integrator.get("/api/v1/master/item/export?format=csv")
    text = b"".join(answer.streaming_content).decode()
    assert "A-2,'=2+2,EA" in text
    assert answer["Cache-Control"] == "no-store"
    upload(integrator, text)
    imports.run_pending_imports()
    assert MasterImport.objects.latest("pk").unchanged == 2


def test_unsupported_media_type_is_rejected(integrator: Client) -> None:
    address = "/api/v1/master/item/import"
    answer = integrator.generic("POST", address, b"{}", content_type="application/json")
    assert answer.status_code == 415


def test_export_streams_under_asgi() -> None:
    request = AsyncRequestFactory().get("/")
    answer: Any = files.table_response(request, TABLES["item"], "csv")
    assert answer.is_async


async def test_stream_yields_every_chunk() -> None:
    chunks = files.to_async_iterator(iter([b"a", b"b"]))
    assert [piece async for piece in chunks] == [b"a", b"b"]
