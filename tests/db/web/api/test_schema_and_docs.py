"""API tests of the OpenAPI document, its page and the event schemas."""

import orjson
import pytest
import yaml
from django.conf import settings
from django.test import Client
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from connectors.sdk.events import EventType
from tests.db.web.api.conftest import STORY


def test_openapi_document_is_available_as_json_and_yaml(db: None, operations: Client) -> None:
    as_json = operations.get("/api/v1/schema")
    assert as_json["Content-Type"] == "application/vnd.oai.openapi+json"
    for answer in (
        operations.get("/api/v1/schema?format=yaml"),
        operations.get("/api/v1/schema", headers={"Accept": "application/yaml"}),
    ):
        assert answer["Content-Type"].startswith("application/yaml")
        assert yaml.safe_load(answer.content) == orjson.loads(as_json.content)
    assert operations.get("/api/v1/schema?format=xml").status_code == 400


def test_openapi_document_includes_the_intake(db: None, operations: Client) -> None:
    paths = operations.get("/api/v1/schema").json()["paths"]
    events, hooks = paths["/api/v1/events"]["post"], paths["/hooks/{source}"]["post"]
    assert events["security"] == [{"sourceToken": []}]
    assert "application/cloudevents-batch+json" in events["requestBody"]["content"]
    assert "202" in hooks["responses"]


@pytest.mark.parametrize(
    "path", ["schema", "docs", "docs?script=", "event-schemas", "event-schemas/order.released/1"]
)
def test_documents_need_no_sign_in(path: str) -> None:
    # Without the fixture `db` a query would fail: the documents contain no data.
    assert Client().get(f"/api/v1/{path}").status_code == 200


def test_index_lists_every_event_type_with_the_url_of_its_schema() -> None:
    items = Client().get("/api/v1/event-schemas").json()["items"]
    assert [item["type"] for item in items] == [
        kind.value for kind in EventType if kind is not EventType.UNMAPPED
    ]
    for item in items:
        schema = Client().get(item["url"].removeprefix(settings.PUBLIC_URL))
        assert orjson.loads(schema.content)["$id"] == item["url"]
        assert item["label"]
        assert item["meaning"]
        assert item["effect"]


@pytest.mark.parametrize("kind", [kind for kind in EventType if kind != EventType.UNMAPPED])
def test_each_event_type_has_a_json_schema(kind: EventType) -> None:
    answer = Client().get(f"/api/v1/event-schemas/{kind.value}/1")
    assert answer["Content-Type"] == "application/schema+json"
    schema = orjson.loads(answer.content)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"{settings.PUBLIC_URL}/schemas/v1/events/{kind.value}.json"
    published = Client().get(f"/schemas/v1/events/{kind.value}.json")
    assert orjson.loads(published.content) == schema
    assert published["Content-Type"] == "application/schema+json"
    Draft202012Validator(schema).validate(schema["examples"][0])
    for _, event_type, _, data in STORY:
        if event_type == kind.value:
            Draft202012Validator(schema).validate(data)


@pytest.mark.parametrize(
    "path", ["order.gone/1", "unmapped/1", "order.released/2", "order.released/x"]
)
def test_unknown_event_types_and_versions_are_404(db: None, operations: Client, path: str) -> None:
    assert operations.get(f"/api/v1/event-schemas/{path}").status_code == 404


def test_docs_page_has_no_inline_script(db: None, operations: Client) -> None:
    page = operations.get("/api/v1/docs")
    text = page.content.decode()
    assert page["Content-Type"].startswith("text/html")
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert all("src=" in piece.split(">")[0] for piece in text.split("<script")[1:])
    assert "http://" not in text
    assert "https://" not in text
    script = operations.get("/api/v1/docs?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in script.content.decode()
