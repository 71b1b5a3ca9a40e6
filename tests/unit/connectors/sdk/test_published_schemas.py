"""The published schemas agree with the code, and a change that breaks senders is refused."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from connectors.sdk import published_schemas as published
from connectors.sdk.connector import RawMessage
from connectors.sdk.event_codec import event_to_dict
from connectors.sdk.event_examples import EXAMPLES
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.systems.cloudevents.connector import CloudEvents
from tests.unit.connectors.sdk.test_event_parser import AT

EVENT = {"specversion": "1.0", "id": "1", "source": "/erp", "time": "2026-03-04T10:00:00Z"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the published files, which a test may change."""
    for file in published.FOLDER.glob("v*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    for cached in (published.published_contents, published.published_documents):
        monkeypatch.setattr(published, cached.__name__, cached.__wrapped__)
        monkeypatch.setattr(getattr(published, cached.__name__), "cache_clear", lambda: None, False)
    return tmp_path


def edit(folder: Path, **data_members: Any) -> None:
    """Publish other members of event data than those of the code."""
    file = folder / "v1.json"
    contents = orjson.loads(file.read_bytes())
    contents["schemas"]["event-data"]["properties"] |= data_members
    file.write_bytes(orjson.dumps(contents))


def test_the_published_file_agrees_with_the_code() -> None:
    changes = [str(change) for change in published.changes_since_publication()]
    assert not changes, "run `manage.py publish_schemas`"


def test_a_member_that_the_code_lost_needs_a_new_version(folder: Path) -> None:
    edit(folder, once={"type": "string"})
    before = (folder / "v1.json").read_bytes()
    with pytest.raises(published.IncompatibleSchema, match=r"event-data\.once: removed.* to 2"):
        published.publish()
    assert (folder / "v1.json").read_bytes() == before


def test_a_compatible_change_is_published_with_an_entry_in_the_changes(folder: Path) -> None:
    contents = orjson.loads((folder / "v1.json").read_bytes())
    del contents["schemas"]["event-data"]["properties"]["revision"]
    (folder / "v1.json").write_bytes(orjson.dumps(contents))
    assert published.publish() == ["event-data.revision: added"]
    written = orjson.loads((folder / "v1.json").read_bytes())
    assert written["changes"] == [["first publication"], ["event-data.revision: added"]]
    assert published.publish() == []


def test_a_new_version_leaves_the_earlier_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder, once={"type": "string"})
    monkeypatch.setattr(published, "VERSION", 2)
    assert published.publish() == ["first publication"]
    assert published.published_versions() == [1, 2]
    assert "once" in published.published_documents(1)["event-data"]["properties"]


@pytest.mark.parametrize("name", published.published_documents(1))
def test_every_document_is_a_schema_of_draft_2020_12(name: str) -> None:
    schema = published.with_id(1, name, "https://orders.example")
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"https://orders.example/schemas/v1/{name}.json"
    assert schema["title"]


def test_the_bundle_resolves_its_schemas_by_their_addresses() -> None:
    bundle = published.bundle(1, "https://orders.example")
    schema = {**bundle, "$ref": "https://orders.example/schemas/v1/events/order.released.json"}
    assert Draft202012Validator(schema).is_valid({"order": "1"})
    assert not Draft202012Validator(schema).is_valid({})


def test_canonical_events_agree_with_their_schema() -> None:
    validator = Draft202012Validator(published.published_documents(1)["canonical-event"])
    for event_type, example in EXAMPLES.items():
        body = orjson.dumps({**EVENT, "type": event_type.value, "data": example})
        [event] = CloudEvents({"source": "erp"}).parse(RawMessage(body, JSON, AT.time)).events
        result = event_to_dict(event)
        validator.validate(result)
        assert set(result) <= set(validator.schema["properties"])
        for line in result["lines"]:
            assert set(line) <= set(validator.schema["properties"]["lines"]["items"]["properties"])


@pytest.mark.parametrize(
    "address",
    [
        "https://orders.example/schemas/v1/events/order.released.json",
        "https://orders.example/api/v1/event-schemas/order.released/1",
        "urn:our-own-schema",
    ],
)
def test_known_versions_and_other_schemas_are_accepted(address: str) -> None:
    assert len(parse(address).events) == 1


@pytest.mark.parametrize(
    "address", ["https://orders.example/schemas/v9/event-data.json", "/schemas/v9"]
)
def test_an_unknown_version_parks_the_event(address: str) -> None:
    with pytest.raises(PayloadError) as raised:
        parse(address)
    assert raised.value.reason is ParkReason.VERSION
    assert raised.value.path == "dataschema"
    assert raised.value.detail == "version 9 of the schemas is not supported; supported: 1"


def parse(address: str) -> Any:
    event = {**EVENT, "type": "order.released", "dataschema": address, "data": {"order": "1"}}
    return CloudEvents({"source": "erp"}).parse(RawMessage(orjson.dumps(event), JSON, AT.time))
