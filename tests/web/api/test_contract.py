"""Every call: who may, what is answered, and that the OpenAPI document tells the truth of it."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from connectors.sdk.events import iso
from tests.web.api.conftest import Installation, tell
from visibility.db.clock import database_now
from visibility.identity import decisions
from visibility.models import AuditEntry, InboundMessage, MessageState, Order
from visibility.pipeline import stages
from visibility.web.api.schemas import document
from visibility.web.permissions import Role

CS, EX, OP, IN, AD = (
    Role.CUSTOMER_SERVICE,
    Role.EXECUTIVE,
    Role.OPERATIONS,
    Role.INTEGRATOR,
    Role.ADMIN,
)
ALL = {CS, EX, OP, IN, AD}
# address -> (path of the document, roles, body or None for GET)
CALLS: dict[str, tuple[str, set[Role], dict[str, Any] | None]] = {
    "orders?q=SO-104711": ("orders", ALL, None),
    "orders/{order}": ("orders/{order_id}", ALL, None),
    "orders/{order}/timeline": ("orders/{order_id}/timeline", ALL, None),
    "orders/export?format=ocel-json": ("orders/export", {OP, IN, AD}, None),
    "orders/export?format=epcis": ("orders/export", {OP, IN, AD}, None),
    "messages/{message}/lineage": ("messages/{message_id}/lineage", {OP, IN, AD}, None),
    "orders/{order}/lineage": ("orders/{order_id}/lineage", ALL, None),
    "orders/{order}/join": ("orders/{order_id}/join", {OP, IN, AD}, {"other": "{other}"}),
    "orders/{order}/distinct": ("orders/{order_id}/distinct", {OP, IN, AD}, {"other": "{other}"}),
    "orders/{other}/split": (
        "orders/{order_id}/split",
        {OP, IN, AD},
        {"numbers": [{"scheme": "source_id", "issuer": "erp", "value": "72"}], "note": "two"},
    ),
    "joins": ("joins", {CS, OP, IN, AD}, None),
    "joins/orphans": ("joins/orphans", {CS, OP, IN, AD}, None),
    "joins/suggestions": ("joins/suggestions", {CS, OP, IN, AD}, None),
    "joins/{join}/undo": ("joins/{join_id}/undo", {OP, IN, AD}, {}),
    "alerts": ("alerts", ALL, None),
    "alerts/{silent}": ("alerts/{alert_id}", ALL, None),
    "alerts/{alert}/acknowledge": ("alerts/{alert_id}/acknowledge", {OP, AD}, {}),
    "alerts/{alert}/assign": ("alerts/{alert_id}/assign", {OP, AD}, {"to": "me"}),
    "alerts/{alert}/snooze": ("alerts/{alert_id}/snooze", {OP, AD}, {"until": "{soon}"}),
    "alerts/{alert}/resolve": ("alerts/{alert_id}/resolve", {OP, AD}, {"note": "done"}),
    "alerts/{silent}/note": ("alerts/{alert_id}/note", {CS, OP, IN, AD}, {"note": "seen"}),
    "alerts/bulk": (
        "alerts/bulk",
        {OP, AD},
        {"ids": ["{alert}", "{silent}"], "act": "acknowledge"},
    ),
    "kpis": ("kpis", {EX, OP, AD}, None),
    "kpis/fill_rate?by=channel&from=2026-01-01&to=2026-12-31": ("kpis/{code}", {EX, OP, AD}, None),
    "kpis/fill_rate/orders?part=counted&from=2026-01-01&to=2026-12-31": (
        "kpis/{code}/orders",
        {EX, OP, AD},
        None,
    ),
    "sources": ("sources", {OP, IN, AD}, None),
    "sources/shop/health": ("sources/{slug}/health", {OP, IN, AD}, None),
    "messages": ("messages", {OP, IN, AD}, None),
    "messages/{message}/replay": ("messages/{message_id}/replay", {IN, AD}, {}),
    "event-schemas/order.released/1": ("event-schemas/{kind}/{version}", ALL, None),
}


@pytest.fixture
def known(told: Installation, person: Callable[[Role], User]) -> dict[str, Any]:
    """The numbers of the addresses."""
    other, act = another(told, by=person(Role.ADMIN))
    message = InboundMessage.objects.order_by("id").first()
    assert message
    InboundMessage.objects.filter(id=message.id).update(state=MessageState.PARKED)
    return {
        "order": told.order.object_id,
        "alert": told.alert.pk,
        "silent": told.silent.pk,
        "message": message.id,
        "other": other,
        "join": act,
    }


def another(told: Installation, *, by: User) -> tuple[int, int]:
    """A second order of two numbers, a parcel of nobody, and a decision about the first order."""
    erp, day = told.sources["erp"], "2026-03-08T09:00:00Z"
    tell(erp, "order.received", day, {"order": {"number": "SO-2", "id": "72"}}, event_id="a")
    tell(erp, "order.released", day, {"order": {"id": "72"}}, event_id="b")
    tell(erp, "order.received", day, {"order": "SO-3"}, event_id="c")
    tell(told.sources["carrier"], "shipment.delivered", day, {"tracking": "1Z9"}, event_id="d")
    stages.advance()
    ids = dict(Order.objects.values_list("number", "pk"))
    act = stages.decide(
        lambda: decisions.tell_apart(ids["SO-2"], ids["SO-3"], by=by, why="", now=database_now())
    )
    return ids["SO-2"], act.pk


def call(client: Client, address: str, body: Any, known: dict[str, Any]) -> Any:
    """The answer."""
    address = address.format(**known)
    if body is None:
        return client.get(f"/api/v1/{address}")
    return client.post(f"/api/v1/{address}", filled(body, known), "application/json")


def filled(value: Any, known: dict[str, Any]) -> Any:
    """The body with the numbers put in."""
    if isinstance(value, dict):
        return {name: filled(part, known) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, known) for part in value]
    if value == "{soon}":
        return soon()
    return known[value[1:-1]] if isinstance(value, str) and value.startswith("{") else value


def soon() -> str:
    """An hour from now."""
    return iso(database_now() + timedelta(hours=1))


def body_of(answer: Any) -> bytes:
    """What is sent, as a whole or in parts."""
    return b"".join(answer)


def fits(path: str, method: str, answer: Any) -> list[str]:
    """What the document says is wrong with an answer."""
    whole = document()
    responses = whole["paths"][f"/api/v1/{path}"][method]["responses"]
    told_of = responses[str(answer.status_code)]
    told_of = whole["components"]["responses"].get(told_of.get("$ref", "").split("/")[-1], told_of)
    media = answer["Content-Type"]
    assert media in told_of["content"], f"{media} is none of {list(told_of['content'])}"
    schema = {**told_of["content"][media]["schema"], "components": whole["components"]}
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(json.loads(body_of(answer)))
    ]


@pytest.mark.parametrize("address", CALLS)
@pytest.mark.parametrize("role", list(Role))
def test_each_role_gets_what_the_matrix_grants_and_403_else(
    address: str,
    role: Role,
    known: dict[str, Any],
    signed_in: Callable[[Role], Client],
) -> None:
    path, allowed, body = CALLS[address]
    answer = call(signed_in(role), address, body, known)
    method = "get" if body is None else "post"
    assert answer["Cache-Control"] == "no-store"
    assert fits(path, method, answer) == []
    if role in allowed:
        assert answer.status_code in {200, 202}
    else:
        assert answer.status_code == 403
        assert answer["Content-Type"] == "application/problem+json"
        assert AuditEntry.objects.filter(what="denied", who__username=f"{role}_person").exists()


@pytest.mark.parametrize("address", CALLS)
def test_nobody_is_told_anything_without_signing_in(address: str, known: dict[str, Any]) -> None:
    path, _, body = CALLS[address]
    answer = call(Client(), address, body, known)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Session")
    assert fits(path, "get" if body is None else "post", answer) == []
    assert set(answer.json()) == {"type", "title", "status", "instance", "detail"}


def test_the_document_is_valid_openapi_and_names_every_call() -> None:
    validate_schema(document())  # type: ignore[no-untyped-call]  # untyped
    assert document()["openapi"] == "3.1.1"
    named = {path.removeprefix("/api/v1/") for path in document()["paths"]}
    named = {path for path in named if not path.startswith("master")}  # test_master.py
    assert named == {path for path, _, _ in CALLS.values()} | {"events", "/hooks/{source}"}


def test_each_operation_has_an_id_of_its_own_and_says_what_it_is_for() -> None:
    calls = [one for item in document()["paths"].values() for one in item.values()]
    assert len({one["operationId"] for one in calls}) == len(calls)
    assert all(one["summary"] and one["description"] for one in calls)


def test_no_component_is_named_by_chance() -> None:
    assert not [name for name in document()["components"]["schemas"] if "Enum" in name]


def refs(value: Any) -> Iterator[str]:
    """Every reference in the document."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "$ref":
                yield part
            else:
                yield from refs(part)
    elif isinstance(value, list):
        for part in value:
            yield from refs(part)


def test_every_reference_leads_somewhere() -> None:
    for ref in set(refs(document())):
        place = document()
        for step in ref.removeprefix("#/").split("/"):
            place = place[step]
        assert place
