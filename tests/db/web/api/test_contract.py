"""Contract tests of every endpoint: permissions, status codes, and the OpenAPI document."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from connectors.sdk.event_codec import format_rfc3339
from tests.builders.manifests import published_manifest
from tests.builders.release_checks import promoted_check, stored_check, waiting_check
from tests.builders.sources import create_source
from tests.builders.sources import message as store_message
from tests.builders.users import create_user
from tests.db.web.api.conftest import Installation, receive_event
from visibility.db.database_time import database_now
from visibility.identity import decisions
from visibility.ingest.discard_messages import discard_parked_messages
from visibility.ingest.source_maintenance import plan_maintenance
from visibility.models import (
    AuditEntry,
    InboundMessage,
    KpiNote,
    MessageReplay,
    MessageState,
    Order,
    SavedView,
    Source,
    Subscription,
    TelemetrySeries,
    find_or_create_team,
)
from visibility.pipeline import job_functions, refold_orders
from visibility.web.api.schema_and_docs import openapi_document
from visibility.web.permissions import UserRole

CS, EX, OP, IN, AD = (
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.OPERATIONS,
    UserRole.INTEGRATOR,
    UserRole.ADMIN,
)
ALL = {CS, EX, OP, IN, AD}
# URL -> (path in the OpenAPI document, allowed roles, body or None for GET)
CALLS: dict[str, tuple[str, set[UserRole], dict[str, Any] | None]] = {
    "orders?q=SO-104711": ("orders", ALL, None),
    "orders/{order}": ("orders/{order_id}", ALL, None),
    "orders/{order}/timeline": ("orders/{order_id}/timeline", ALL, None),
    "orders/export?format=ocel-json": ("orders/export", {OP, IN, AD}, None),
    "orders/export?format=epcis": ("orders/export", {OP, IN, AD}, None),
    "messages/{message}/lineage": ("messages/{message_id}/lineage", {OP, IN, AD}, None),
    "orders/{order}/tracking-links": ("orders/{order_id}/tracking-links", {CS, OP, AD}, None),
    "orders/{order}/lineage": ("orders/{order_id}/lineage", ALL, None),
    "orders/{order}/calls": ("orders/{order_id}/calls", ALL, None),
    "orders/{order}/notes": ("orders/{order_id}/notes", {CS, OP, AD}, None),
    "orders/{order}/note": ("orders/{order_id}/note", {CS, OP, AD}, {"text": "late"}),
    "orders/{order}/watch": ("orders/{order_id}/watch", ALL, {}),
    "orders/{order}/unwatch": ("orders/{order_id}/unwatch", ALL, {}),
    "mentions": ("mentions", {CS, OP, AD}, None),
    "mentions/alerts": ("mentions/alerts", ALL, None),
    "orders/{order}/join": ("orders/{order_id}/join", {OP, IN, AD}, {"other": "{other}"}),
    "orders/{order}/distinct": ("orders/{order_id}/distinct", {OP, IN, AD}, {"other": "{other}"}),
    "orders/{other}/split": (
        "orders/{order_id}/split",
        {OP, IN, AD},
        {"identifiers": [{"scheme": "source_id", "issuer": "erp", "value": "72"}], "note": "two"},
    ),
    "matching/decisions": ("matching/decisions", {CS, OP, IN, AD}, None),
    "matching/unmatched": ("matching/unmatched", {CS, OP, IN, AD}, None),
    "matching/unmatched/export?format=csv": ("matching/unmatched/export", {OP, IN, AD}, None),
    "matching/suggestions": ("matching/suggestions", {CS, OP, IN, AD}, None),
    "matching/decisions/{decision}/undo": (
        "matching/decisions/{decision_id}/undo",
        {OP, IN, AD},
        {},
    ),
    "alerts": ("alerts", ALL, None),
    "alerts/{silent}": ("alerts/{alert_id}", ALL, None),
    "alerts/{alert}/acknowledge": ("alerts/{alert_id}/acknowledge", {OP, AD}, {}),
    "alerts/{alert}/assign": ("alerts/{alert_id}/assign", {OP, AD}, {"to": "me"}),
    "alerts/{alert}/snooze": ("alerts/{alert_id}/snooze", {OP, AD}, {"until": "{soon}"}),
    "alerts/{alert}/escalate": ("alerts/{alert_id}/escalate", {OP, AD}, {"note": "line down"}),
    "alerts/{alert}/resolve": ("alerts/{alert_id}/resolve", {OP, AD}, {"note": "done"}),
    "alerts/{silent}/note": ("alerts/{alert_id}/note", {CS, OP, IN, AD}, {"note": "seen"}),
    "alerts/export?format=csv": ("alerts/export", {OP, IN, AD}, None),
    "orders/export?format=csv": ("orders/export", {OP, AD}, None),
    "exports": ("exports", {OP, IN, AD}, None),
    "saved-views": ("saved-views", ALL, None),
    "saved-views/{view}": ("saved-views/{view_id}", ALL, None),
    "lists/orders/filters": ("lists/{code}/filters", ALL, None),
    "order-activity": ("order-activity", ALL, None),
    "order-lanes": ("order-lanes", ALL, None),
    "lists/orders/columns": ("lists/{code}/columns", ALL, None),
    "alerts/bulk": (
        "alerts/bulk",
        {OP, AD},
        {"ids": ["{alert}", "{silent}"], "action": "acknowledge"},
    ),
    "alerts/health": ("alerts/health", ALL, None),
    "alerts/groups": ("alerts/groups", ALL, None),
    "alerts/groups/act": (
        "alerts/groups/act",
        {OP, AD},
        {"group": "{group}", "action": "acknowledge"},
    ),
    "rules": ("rules", {OP, AD}, None),
    "rules/stuck": ("rules/{code}", {OP, AD}, None),
    "rules/preview": (
        "rules/preview",
        {OP, AD},
        {"kind": "stuck_in_released", "team": "Dock"},
    ),
    "rules/stuck/archive": ("rules/{code}/archive", {OP, AD}, {}),
    "calendars": ("calendars", {OP, AD}, None),
    "calendars/dallas": ("calendars/{code}", {OP, AD}, None),
    "calendars/dallas/copy": ("calendars/{code}/copy", {OP, AD}, {"title": "Copy"}),
    "tiles": ("tiles", ALL, None),
    "boards": ("boards", ALL, None),
    "boards/operations": ("boards/{slug}", ALL, None),
    "boards/operations/duplicate": ("boards/{slug}/duplicate", {OP, AD}, {"title": "Copy"}),
    "start-page": ("start-page", ALL, None),
    "screen-links": ("screen-links", {OP, AD}, None),
    "organization": ("organization", {AD}, None),
    "organization/brand": ("organization/brand", {AD}, None),
    "demo-data": ("demo-data", {AD}, None),
    "tokens": ("tokens", ALL, None),
    "people": ("people", {AD}, None),
    "audit": ("audit", {AD}, None),
    "people/{leaver}": ("people/{person_id}", {AD}, None),
    "people/{leaver}/link": ("people/{person_id}/link", {AD}, {}),
    "people/{leaver}/end-sessions": ("people/{person_id}/end-sessions", {AD}, {}),
    "people/{leaver}/remove-second-factors": (
        "people/{person_id}/remove-second-factors",
        {AD},
        {},
    ),
    "people/{leaver}/unlink": ("people/{person_id}/unlink", {AD}, {}),
    "people/{leaver}/deactivate": ("people/{person_id}/deactivate", {AD}, {}),
    "people/{leaver}/reactivate": ("people/{person_id}/reactivate", {AD}, {}),
    "security": ("security", {AD}, None),
    "sessions": ("sessions", ALL, None),
    "teams": ("teams", {AD}, None),
    "teams/everyone": ("teams/{slug}", {AD}, None),
    "channels": ("channels", {OP, IN, AD}, None),
    "subscriptions": ("subscriptions", {OP, IN, AD}, None),
    "subscriptions/{subscription}": ("subscriptions/{subscription_id}", {OP, IN, AD}, None),
    "subscriptions/{subscription}/test": (
        "subscriptions/{subscription_id}/test",
        {OP, AD},
        {},
    ),
    "subscriptions/{subscription}/deliveries": (
        "subscriptions/{subscription_id}/deliveries",
        {OP, IN, AD},
        None,
    ),
    "kpis": ("kpis", {EX, OP, AD}, None),
    "kpis/fill_rate?by=channel&from=2026-01-01&to=2026-12-31": ("kpis/{code}", {EX, OP, AD}, None),
    "kpis/fill_rate/orders?outcome=counted&from=2026-01-01&to=2026-12-31": (
        "kpis/{code}/orders",
        {EX, OP, AD},
        None,
    ),
    "kpis/fill_rate/differences": ("kpis/{code}/differences", {EX, OP, AD}, None),
    "kpis/fill_rate/export?format=xlsx": ("kpis/{code}/export", {EX, OP, AD}, None),
    "kpi-notes": ("kpi-notes", {EX, OP, AD}, None),
    "kpi-targets": ("kpi-targets", {EX, OP, AD}, None),
    "kpi-notes/{note}": ("kpi-notes/{note_id}", {EX, OP, AD}, None),
    "notifications": ("notifications", ALL, None),
    "single-sign-on": ("single-sign-on", {AD}, None),
    "single-sign-on/test": ("single-sign-on/test", {AD}, {}),
    "single-sign-on/saml": ("single-sign-on/saml", {AD}, None),
    "mail-server": ("mail-server", {AD}, None),
    "mail-server/test": ("mail-server/test", {AD}, {"to": "ada@example.com"}),
    "outgoing-addresses": ("outgoing-addresses", {AD}, None),
    "connectors": ("connectors", {IN, AD}, None),
    "manifests": ("manifests", {IN, AD}, None),
    "manifests/hill_3pl": ("manifests/{slug}", {IN, AD}, None),
    "manifests/hill_3pl/versions": ("manifests/{slug}/versions", {IN, AD}, None),
    "manifests/hill_3pl/check": ("manifests/{slug}/check", {IN, AD}, {}),
    "manifests/hill_3pl/samples": (
        "manifests/{slug}/samples",
        {IN, AD},
        {"name": "other.json", "sample": "[]"},
    ),
    "manifests/hill_3pl/publish": ("manifests/{slug}/publish", {IN, AD}, {"note": "Title"}),
    "manifests/hill_3pl/rollback": ("manifests/{slug}/rollback", {IN, AD}, {"version": 1}),
    "release-checks": ("release-checks", {IN, AD}, None),
    "release-checks/{check}": ("release-checks/{check_id}", {IN, AD}, None),
    "release-checks/{check}/orders": ("release-checks/{check_id}/orders", {IN, AD}, None),
    "release-checks/{check}/messages": ("release-checks/{check_id}/messages", {IN, AD}, None),
    "release-checks/{waiting_check}/cancel": ("release-checks/{check_id}/cancel", {IN, AD}, {}),
    "release-checks/{check}/promote": (
        "release-checks/{check_id}/promote",
        {IN, AD},
        {"messages": 2},
    ),
    "release-checks/{promoted}/rollback": (
        "release-checks/{check_id}/rollback",
        {IN, AD},
        {"messages": 1},
    ),
    "manifests/hill_3pl/compare": ("manifests/{slug}/compare", {IN, AD}, {"source": "shop"}),
    "sources/export?format=csv": ("sources/export", {OP, IN, AD}, None),
    "sources": ("sources", {OP, IN, AD}, None),
    "sources/shop": ("sources/{slug}", {IN, AD}, None),
    "sources/shop/health": ("sources/{slug}/health", {OP, IN, AD}, None),
    "sources/shop/settings": ("sources/{slug}/settings", {IN, AD}, None),
    "sources/shop/rotate": ("sources/{slug}/rotate", {IN, AD}, {"hours": 1}),
    "sources/shop/archive": ("sources/{slug}/archive", {IN, AD}, {}),
    "sources/{polled}/poll": ("sources/{slug}/poll", {IN, AD}, {}),
    "sources/{archived}/restore": ("sources/{slug}/restore", {IN, AD}, {}),
    "sources/shop/maintenance": ("sources/{slug}/maintenance", {OP, IN, AD}, None),
    "sources/shop/maintenance/{window}/end": (
        "sources/{slug}/maintenance/{window_id}/end",
        {IN, AD},
        {},
    ),
    "sources/shop/reading": ("sources/{slug}/reading", {OP, IN, AD}, None),
    "sources/shop/batches": ("sources/{slug}/batches", {OP, IN, AD}, None),
    "sources/shop/polls": ("sources/{slug}/polls", {OP, IN, AD}, None),
    "sources/shop/outgoing-requests": ("sources/{slug}/outgoing-requests", {OP, IN, AD}, None),
    "sources/shop/telemetry": ("sources/{slug}/telemetry", {OP, IN, AD}, None),
    "sources/shop/telemetry/{calls}/samples": (
        "sources/{slug}/telemetry/{series_id}/samples",
        {OP, IN, AD},
        None,
    ),
    "sources/shop/telemetry/{calls}/queue-hours": (
        "sources/{slug}/telemetry/{series_id}/queue-hours",
        {OP, IN, AD},
        None,
    ),
    "sources/shop/drift": ("sources/{slug}/drift", {OP, IN, AD}, None),
    "sources/shop/drift/accept": ("sources/{slug}/drift/accept", {IN, AD}, {"up_to": 1}),
    "sources/shop/changes": ("sources/{slug}/changes", {IN, AD}, None),
    "sources/shop/requests": ("sources/{slug}/requests", {OP, IN, AD}, None),
    "sources/shop/test-poll": ("sources/{slug}/test-poll", {IN, AD}, {}),
    "sources/shop/test-queue": ("sources/{slug}/test-queue", {IN, AD}, {}),
    "messages": ("messages", {OP, IN, AD}, None),
    "messages/export?format=csv": ("messages/export", {OP, IN, AD}, None),
    "system": ("system", {AD}, None),
    "messages/retention": ("messages/retention", {AD}, None),
    "messages/{message}/replay": ("messages/{message_id}/replay", {IN, AD}, {}),
    "messages/replays/preview?source=shop": ("messages/replays/preview", {IN, AD}, None),
    "messages/replays/{replay}": ("messages/replays/{replay_id}", {OP, IN, AD}, None),
    "messages/replays": ("messages/replays", {IN, AD}, {}),
    "messages/replays/{running}/stop": ("messages/replays/{replay_id}/stop", {IN, AD}, {}),
    "messages/parked": ("messages/parked", {OP, IN, AD}, None),
    "messages/discards": ("messages/discards", {IN, AD}, {"why": "Sent by a test"}),
    "messages/discards/{discard}": ("messages/discards/{discard_id}", {OP, IN, AD}, None),
    "messages/discards/{discard}/undo": ("messages/discards/{discard_id}/undo", {IN, AD}, {}),
    "messages/{message}/edited-copies": (
        "messages/{message_id}/edited-copies",
        {IN, AD},
        {"body": "[]", "why": "A comma was missing"},
    ),
    "event-schemas": ("event-schemas", ALL, None),
    "event-schemas/order.released/1": ("event-schemas/{kind}/{version}", ALL, None),
    "event-schemas/check": (
        "event-schemas/check",
        {OP, IN, AD},
        {"specversion": "1.0", "id": "1", "source": "/erp", "type": "order.released"},
    ),
}


# These describe the API and need no sign-in.
PUBLIC = {"event-schemas", "event-schemas/order.released/1"}


@pytest.fixture
def url_ids(installation: Installation, person: Callable[[UserRole], User]) -> dict[str, Any]:
    """The ids for the placeholders in the URLs."""
    other, decision = create_more_records(installation, by=person(UserRole.ADMIN))
    message = InboundMessage.objects.order_by("id").first()
    assert message
    InboundMessage.objects.filter(id=message.id).update(state=MessageState.PARKED)
    published_manifest()
    source = Source.objects.get(slug="shop")
    waiting = store_message(source, state="waiting", reason="schema")
    torn = store_message(source, state="parked", reason="syntax")
    discard = discard_parked_messages(
        [torn], why="Sent by a test", by=person(UserRole.ADMIN), now=database_now()
    )
    assert discard
    return {
        "window": plan_maintenance(
            source,
            starts_at=database_now(),
            ends_at=database_now() + timedelta(hours=1),
            why="Upgrade",
            by=person(UserRole.ADMIN),
            now=database_now(),
        ).pk,
        "calls": TelemetrySeries.objects.create(source=source, kind="call.observed", name="atp").pk,
        "running": MessageReplay.objects.create(
            requested_at=database_now(), message_ids=[waiting]
        ).pk,
        "check": stored_check().pk,
        "waiting_check": waiting_check().pk,
        "promoted": promoted_check().pk,
        "discard": discard.pk,
        "order": installation.order.object_id,
        "alert": installation.alert.pk,
        "silent": installation.silent.pk,
        "group": f"order:{installation.alert.order_id}",
        "message": message.id,
        "replay": MessageReplay.objects.create(
            requested_at=database_now(), message_ids=[message.id]
        ).pk,
        "polled": create_source("polled", next_poll_at=database_now()).slug,
        "archived": create_source("old", enabled=False, archived_at=database_now()).slug,
        "other": other,
        "decision": decision,
        "subscription": Subscription.objects.create(
            user=person(UserRole.ADMIN), channel_settings={"address": "ops@example.com"}
        ).pk,
        "note": KpiNote.objects.create(
            start=database_now().date(),
            end=database_now().date(),
            text="Go-live",
            author=person(UserRole.ADMIN),
            created_at=database_now(),
            changed_at=database_now(),
        ).pk,
        "leaver": create_user(UserRole.EXECUTIVE, "leaver").pk,
        "view": create_shared_view([person(role) for role in UserRole]).pk,
    }


def create_shared_view(people: list[User]) -> SavedView:
    """A saved view that the first person shares with the others."""
    team = find_or_create_team("Everyone")
    assert team
    team.members.set(people)
    now = database_now()
    return SavedView.objects.create(
        owner=people[0], list="orders", name="Late", team=team, created_at=now, changed_at=now
    )


def create_more_records(installation: Installation, *, by: User) -> tuple[int, int]:
    """Create two more orders, an unmatched package and a decision; return order and decision id."""
    erp, day = installation.sources["erp"], "2026-03-08T09:00:00Z"
    receive_event(
        erp, "order.received", day, {"order": {"number": "SO-2", "id": "72"}}, event_id="a"
    )
    receive_event(erp, "order.released", day, {"order": {"id": "72"}}, event_id="b")
    receive_event(erp, "order.received", day, {"order": "SO-3"}, event_id="c")
    receive_event(
        installation.sources["carrier"],
        "shipment.delivered",
        day,
        {"tracking": "1Z9"},
        event_id="d",
    )
    job_functions.process_messages_and_refold()
    ids = dict(Order.objects.values_list("number", "pk"))
    decision = refold_orders.apply_identity_decision_and_refold(
        lambda: decisions.decide_objects_are_distinct(
            ids["SO-2"], ids["SO-3"], by=by, reason="", now=database_now()
        )
    )
    return ids["SO-2"], decision.pk


def send_request(client: Client, address: str, body: Any, url_ids: dict[str, Any]) -> Any:
    """Send the request: GET without a body, otherwise POST."""
    address = address.format(**url_ids)
    if body is None:
        return client.get(f"/api/v1/{address}")
    return client.post(f"/api/v1/{address}", fill_placeholders(body, url_ids), "application/json")


def fill_placeholders(value: Any, url_ids: dict[str, Any]) -> Any:
    """The body with its placeholders replaced by ids."""
    if isinstance(value, dict):
        return {name: fill_placeholders(item, url_ids) for name, item in value.items()}
    if isinstance(value, list):
        return [fill_placeholders(item, url_ids) for item in value]
    if value == "{soon}":
        return an_hour_from_now()
    return url_ids[value[1:-1]] if isinstance(value, str) and value.startswith("{") else value


def an_hour_from_now() -> str:
    """An hour from now, as RFC 3339."""
    return format_rfc3339(database_now() + timedelta(hours=1))


def response_body(answer: Any) -> bytes:
    """The complete content of a plain or streaming response."""
    return b"".join(answer)


def schema_violations(path: str, method: str, answer: Any) -> list[str]:
    """Violations of the OpenAPI document by the response."""
    openapi = openapi_document()
    responses = openapi["paths"][f"/api/v1/{path}"][method]["responses"]
    response = responses[str(answer.status_code)]
    response = openapi["components"]["responses"].get(
        response.get("$ref", "").split("/")[-1], response
    )
    media = answer["Content-Type"]
    assert media in response["content"], f"{media} is not one of {list(response['content'])}"
    if "json" not in media:  # a file
        response_body(answer)  # to its end: this closes the export
        return []
    schema = {**response["content"][media]["schema"], "components": openapi["components"]}
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(json.loads(response_body(answer)))
    ]


@contextmanager
def undone() -> Iterator[None]:
    """Undo what is written inside, so that each role calls the same installation."""
    savepoint = transaction.savepoint()
    try:
        yield
    finally:
        connection.set_rollback(False)
        transaction.savepoint_rollback(savepoint)


@pytest.mark.parametrize("address", CALLS)
def test_each_role_has_exactly_its_permissions(
    address: str, url_ids: dict[str, Any], signed_in: Callable[[UserRole], Client]
) -> None:
    path, allowed, body = CALLS[address]
    method = "get" if body is None else "post"
    clients = {role: signed_in(role) for role in UserRole}
    for role, client in clients.items():
        with undone():
            answer = send_request(client, address, body, url_ids)
            assert answer["Cache-Control"] == "no-store", role
            assert schema_violations(path, method, answer) == [], role
            if role in allowed:
                assert answer.status_code in {200, 201, 202}, role
            else:
                assert answer.status_code == 403, role
                assert answer["Content-Type"] == "application/problem+json", role
                denied = AuditEntry.objects.filter(action="denied")
                assert denied.filter(user__username=f"{role}_person").exists(), role


def test_requests_without_sign_in_are_401(url_ids: dict[str, Any]) -> None:
    for address, (path, _, body) in CALLS.items():
        if address in PUBLIC:
            continue
        answer = send_request(Client(), address, body, url_ids)
        assert answer.status_code == 401, address
        assert answer["WWW-Authenticate"].startswith("Bearer"), address
        assert schema_violations(path, "get" if body is None else "post", answer) == [], address
        assert set(answer.json()) == {"type", "title", "status", "instance", "detail"}, address


@pytest.mark.slow
def test_openapi_document_is_valid_and_complete() -> None:
    validate_schema(openapi_document())  # type: ignore[no-untyped-call]  # untyped
    assert openapi_document()["openapi"] == "3.1.1"
    paths = {path.removeprefix("/api/v1/") for path in openapi_document()["paths"]}
    paths = {path for path in paths if not path.startswith("master")}  # test_master.py
    paths.remove("screen-links/{link_id}")  # only DELETE: test_board_changes.py
    paths.remove("sources/{slug}/test-event")  # needs a commit: test_source_requests.py
    paths.remove("manifests/{slug}/samples/{name}")  # only DELETE: test_manifests.py
    paths.remove("calendars/{code}/versions/{starts_on}")  # only DELETE: test_calendars.py
    paths -= {"exports/{export_id}", "exports/{export_id}/file"}  # test_background_exports.py
    paths.remove("outgoing-addresses/{address_id}")  # only DELETE: test_outgoing_addresses.py
    paths.remove("kpi-targets/{target_id}")  # only DELETE: test_kpi_targets.py
    paths.remove("single-sign-on/saml/read")  # a confirmed session: test_saml_settings.py
    paths.remove("notifications/test")  # needs own notifications: test_own_notifications.py
    # Needs a message that was sent: test_deliveries.py
    paths.remove("subscriptions/{subscription_id}/deliveries/{attempt_id}/resend")
    paths.remove("tokens/{token_id}")  # only DELETE: test_api_tokens.py
    paths.remove("sessions/{session_id}")  # only DELETE: test_account.py
    paths.remove("orders/{order_id}/tracking-links/{link_id}")  # only DELETE: test_tracking.py
    assert paths == {path for path, _, _ in CALLS.values()} | {"events", "/hooks/{source}"}


def test_operations_have_unique_ids_and_descriptions() -> None:
    operations = [o for item in openapi_document()["paths"].values() for o in item.values()]
    assert len({o["operationId"] for o in operations}) == len(operations)
    assert all(o["summary"] and o["description"] for o in operations)


def test_no_component_has_a_generated_enum_name() -> None:
    assert not [name for name in openapi_document()["components"]["schemas"] if "Enum" in name]


def references(value: Any) -> Iterator[str]:
    """All `$ref` values in the document."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name == "$ref":
                yield child
            else:
                yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def test_every_reference_resolves() -> None:
    for ref in set(references(openapi_document())):
        node = openapi_document()
        for step in ref.removeprefix("#/").split("/"):
            node = node[step]
        assert node
