"""A small data set for the tests of access: one order in a scope, one outside, and people."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tests.builders import alerts
from tests.builders.cloudevents import cloudevent
from tests.builders.manifests import published_manifest
from tests.builders.release_checks import stored_check
from tests.builders.sla_rules import create_rule
from tests.builders.sources import SYSTEM_ROLES, cloudevent_message, create_sources, message
from tests.builders.users import create_user
from visibility.db.database_time import database_now
from visibility.ingest.discard_messages import discard_parked_messages
from visibility.ingest.insert_messages import store_messages
from visibility.models import (
    EventObjectLink,
    InboundMessage,
    MessageReplay,
    Order,
    PersonScope,
    SavedView,
    Subscription,
    TermMapping,
    TrackingLink,
    WorkCalendar,
    find_or_create_team,
)
from visibility.pipeline import job_functions
from visibility.web.permissions import ROLES_WITH_SCOPE, UserRole

UNKNOWN = 987_654_321
# The values that differ between an order in the scope and one outside.
LIMITED_NAMES = ("order", "alert", "event", "message", "link")
INSIDE, OUTSIDE = "b2b", "web"
Values = Mapping[str, Any]


def limited_name(role: UserRole) -> str:
    """The name of the person of a role who sees the orders of one channel only."""
    return f"limited_{role.value}"


def client_of(name: str) -> Client:
    """A browser in which the person has just entered the password."""
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username=name))
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = session["_auth_user_id"]
    session.save()
    return client


def build_access_dataset() -> dict[str, Values]:
    """The values of URLs with an order `inside` the scope, one `outside`, and an `unknown` one."""
    for role in UserRole:
        create_user(role, role.value, password="p")
    for role in ROLES_WITH_SCOPE:
        user = create_user(role, limited_name(role))
        PersonScope.objects.create(user=user, channels=[INSIDE], changed_at=database_now())
    sources = create_sources(SYSTEM_ROLES)
    for channel in (INSIDE, OUTSIDE):
        day = database_now() - timedelta(days=1)
        data = {"order": f"SO-{channel}", "attributes": {"channel": channel}}
        event = cloudevent("order.received", data, event_id=channel, at=day, source="erp")
        store_messages([cloudevent_message(sources["erp"], event)])
    job_functions.process_messages_and_refold()
    common, rule = _records_without_order(sources), create_rule()
    inside, outside = (
        common | _records_of_order(Order.objects.get(channel=channel), rule)
        for channel in (INSIDE, OUTSIDE)
    )
    unknown = outside | dict.fromkeys(LIMITED_NAMES, UNKNOWN)
    return {"inside": inside, "outside": outside, "unknown": unknown}


def _records_of_order(order: Order, rule: Any) -> dict[str, Any]:
    event_id = EventObjectLink.objects.filter(object_id=order.pk).latest("event_id").event_id
    with connection.cursor() as cursor:
        cursor.execute("SELECT message_id FROM visibility_event WHERE id = %s", [event_id])
        message_id = cursor.fetchone()[0]
    share = {"days": "30", "scope": "order"}
    assert client_of("admin").post(f"/orders/{order.pk}/tracking-links", share).status_code == 200
    return {
        "order": order.pk,
        "alert": alerts.alert(of=order, rule=rule).pk,
        "event": event_id,
        "message": message_id,
        "link": TrackingLink.objects.get(order_id=order.pk).pk,
    }


def _records_without_order(sources: Mapping[str, Any]) -> dict[str, Any]:
    now, admin = database_now(), User.objects.get(username="admin")
    published_manifest()
    team = find_or_create_team("Dock")
    assert team
    team.members.set(User.objects.all())
    torn = message(sources["erp"], state="parked", reason="syntax")
    discard = discard_parked_messages([torn], why="Sent by a test", by=admin, now=now)
    assert discard
    parked = InboundMessage.objects.get(pk=torn)
    view = SavedView.objects.create(
        owner=admin, list="orders", name="Late", created_at=now, changed_at=now
    )
    row = {"kind": "item", "source": "erp", "external": "ZX-2", "canonical": "A-1", "act": "save"}
    created = client_of("admin").post("/mappings/mapping/new?kind=item", row)
    assert created.status_code == 302, created.content
    return {
        "replay": MessageReplay.objects.create(requested_at=now, message_ids=[parked.pk]).pk,
        "check": stored_check().pk,
        "discard": discard.pk,
        "calendar": WorkCalendar.objects.create(code="dock", title="Dock").code,
        "person": create_user(UserRole.EXECUTIVE, "leaver").pk,
        "team": team.slug,
        "view": view.pk,
        "subscription": Subscription.objects.create(user=admin, address="a@example.com").pk,
        "mapping": TermMapping.objects.get().pk,
        **dict.fromkeys(("decision", "import", "orphan"), 1),
    }
