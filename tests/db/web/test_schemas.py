"""The pages and the addresses of the published schemas, and the check of an event."""

from typing import Any

import orjson
import pytest
from django.test import Client

from tests.builders.cloudevents import cloudevent
from tests.builders.users import signed_in
from visibility.models import InboundMessage
from visibility.web.permissions import UserRole


def test_the_index_lists_all_schemas_and_versions_without_sign_in() -> None:
    page = Client().get("/schemas").content.decode()
    for shown in (
        'href="/schemas/v1/bundle.json"',
        'href="/schemas/v1/events/order.received.json"',
        'href="/schemas/v1/objects/line.json"',
        'href="/schemas/v1/canonical-event.json"',
        "First publication",
    ):
        assert shown in page


def test_the_bundle_is_one_document() -> None:
    answer = Client().get("/schemas/v1/bundle.json")
    assert answer["Content-Disposition"] == 'attachment; filename="throughline-schemas-v1.json"'
    bundle = orjson.loads(answer.content)
    assert bundle["$defs"]["objects/line"]["$id"].endswith("/schemas/v1/objects/line.json")


@pytest.mark.parametrize("path", ["v2/bundle", "v1/events/order.gone", "v0/event-data", "v1/../x"])
@pytest.mark.django_db
def test_unknown_schemas_are_404(path: str) -> None:
    assert Client().get(f"/schemas/{path}.json").status_code == 404


def check(event: Any) -> Any:
    client = signed_in(UserRole.INTEGRATOR)
    return client.post("/api/v1/event-schemas/check", event, "application/json")


@pytest.mark.django_db
def test_a_check_returns_the_event_and_what_has_no_effect() -> None:
    data = {"order": {"number": "SO-1"}, "color": "red", "lines": [{"sku": "A", "package": 0}]}
    data["packages"] = ["1Z1"]
    event = cloudevent("order.released", data, event_id="1", at="2026-03-04T10:00:00Z")
    result = check(event).json()
    assert (result["is_accepted"], result["version"]) == (True, 1)
    assert result["events"][0]["type"] == "order.released"
    assert [(f["severity"], f["path"]) for f in result["findings"]] == [
        ("warning", "data.color"),
        ("warning", "data.lines[0].package"),
    ]
    assert not InboundMessage.objects.exists()


@pytest.mark.django_db
def test_a_check_names_the_errors() -> None:
    event = cloudevent("order.received", {"shipment": "1", "quantity_mode": "x"}, event_id="1")
    result = check(event).json()
    assert not result["is_accepted"]
    errors = {f["path"]: f["detail"] for f in result["findings"] if f["severity"] == "error"}
    assert "order.received needs order or orders" in errors[""]
    assert "is not one of" in errors["data.quantity_mode"]
    version = check({**event, "dataschema": "https://x.example/schemas/v7/event-data.json"}).json()
    assert "version 7 of the schemas is not supported" in version["findings"][0]["detail"]
    assert check([event]).status_code == 400
