"""A person with a scope finds nothing of other orders, on any page and in any answer of the API."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, unquote

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from tests.builders.users import create_user
from tests.db.web.walk.addresses import PAGES
from tests.db.web.walk.dataset import build_dataset
from tests.db.web.walk.rolled_back import rolled_back_at_end
from visibility.db import scoped_views
from visibility.db.data_scope import DataScope
from visibility.models import (
    Alert,
    AlertEntry,
    AlertMention,
    EventObjectLink,
    Identifier,
    InboundMessage,
    Order,
    OrderMention,
    OrderNote,
    OrderWatch,
    PersonScope,
    TrackingLink,
)
from visibility.storage.person_scopes import load_scope
from visibility.storage.published_manifests import reload_published_manifests
from visibility.web.api.schema_and_docs import openapi_document
from visibility.web.permissions import UserRole

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
ROLES = (UserRole.CUSTOMER_SERVICE, UserRole.EXECUTIVE, UserRole.OPERATIONS)
API = "/api/v1/"
NOTE = "Only-in-a-note"
# Values of the parameters in paths of the API, where the name alone does not tell.
SLUGS = {
    "kpis/{code}": "fill_rate",
    "rules/{code}": "stuck-in-released",
    "calendars/{code}": "{calendar}",
    "lists/{code}": "orders",
    "boards/{slug}": "operations",
    "sources/{slug}": "wms",
    "teams/{slug}": "{team}",
    "manifests/{slug}": "hill_3pl",
    "master/{table}": "item",
    "connectors/{slug}": "shopify",
}
NAMES = {
    "order_id": "{busy}",
    "alert_id": "{alert}",
    "message_id": "{message}",
    "event_id": "{event}",
    "subscription_id": "{subscription}",
    "view_id": "{view}",
    "person_id": "{person}",
    "replay_id": "{replay}",
    "check_id": "{check}",
    "discard_id": "{discard}",
    "decision_id": "{decision}",
    "row_id": "{mapping}",
    "import_id": "{import}",
    "record_id": "{orphan}",
}


@dataclass(frozen=True)
class ScopeRecords:
    """The URL values of an order inside and of one outside, and what must not be readable."""

    scope: DataScope
    values: dict[str, Any]
    outside: dict[str, Any]
    markers: tuple[str, ...]


@pytest.fixture(scope="module")
def records(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[ScopeRecords]:
    """One data set for the module, with three people who see the orders of one channel."""
    folder = tmp_path_factory.mktemp("scopes")
    with rolled_back_at_end(folder, django_db_blocker, DEMO=True):
        yield _limit_people(build_dataset().values)


@pytest.fixture
def _django_db_helper(records: ScopeRecords) -> None:
    """Instead of a transaction for each test, which would end that of the module."""


@pytest.fixture(autouse=True)
def _manifests_of_records(
    records: ScopeRecords, _django_db_helper: None, _no_published_manifests: None
) -> None:
    reload_published_manifests()


def _limit_people(values: dict[str, Any]) -> ScopeRecords:
    """Three people see the channel of the busiest order only."""
    busy = Order.objects.get(pk=values["busy"])
    for role in ROLES:
        user = create_user(role, f"limited_{role}", email=f"{role}@example.com")
        PersonScope.objects.create(user=user, channels=[busy.channel], changed_at=busy.folded_at)
    inside = Order.objects.filter(channel=busy.channel)
    outside = Order.objects.exclude(channel=busy.channel)
    assert inside.count() > 3
    assert outside.count() > 3
    alert_inside = Alert.objects.filter(order_id__in=inside.values("pk")).latest("pk")
    alert_outside = Alert.objects.filter(order_id__in=outside.values("pk")).latest("pk")
    other = Order.objects.get(pk=alert_outside.order_id)
    _write_to_limited_people(alert_outside)
    event = EventObjectLink.objects.filter(object_id=other.pk).latest("event_id").event_id
    link = TrackingLink.objects.latest("pk")
    return ScopeRecords(
        load_scope(User.objects.get(username="limited_executive").pk),  # type: ignore[arg-type]
        values | {"alert": alert_inside.pk, "alerted": alert_inside.order_id},
        values
        | {
            **dict.fromkeys(("busy", "contested", "alerted", "order", "other"), other.pk),
            "alert": alert_outside.pk,
            "event": event,
            "message": InboundMessage.objects.filter(pk__in=_message_ids(other.pk)).latest("pk").pk,
            "track_order": link.order_id,
        },
        _markers(inside.values_list("pk", flat=True), outside.values_list("pk", flat=True)),
    )


def _write_to_limited_people(outside: Alert) -> None:
    """Notes on an order and an alert outside mention people with a scope, who watch the order."""
    author = User.objects.get(groups__name=UserRole.ADMIN.value)
    order_id = outside.order_id or 0
    note = OrderNote.objects.create(order_id=order_id, user=author, text=NOTE)
    entry = AlertEntry.objects.create(
        alert=outside, at=outside.opened_at, action="noted", user=author, text=NOTE
    )
    for user in User.objects.filter(username__startswith="limited_"):
        OrderMention.objects.create(note=note, user=user)
        AlertMention.objects.create(entry=entry, user=user)
        OrderWatch.objects.create(order_id=order_id, user=user)


def _message_ids(order_id: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT message_id FROM visibility_event WHERE id IN "
            "(SELECT event_id FROM visibility_eventobjectlink WHERE object_id = %s)",
            [order_id],
        )
        return [row[0] for row in cursor.fetchall()]


def _texts(ids: Any) -> set[str]:
    """Numbers, customers, amounts and tracking numbers of orders."""
    ids = list(ids)
    texts: set[str] = set()
    rows = Order.objects.filter(pk__in=ids)
    names = ("number", "customer_po", "customer_no", "customer_name", "total")
    for row in rows.values_list(*names):
        texts |= {str(value) for value in row[:4]}
        if row[4] is not None:
            texts |= {f"{row[4]:,.2f}", f"{row[4]:.2f}", f"{row[4].normalize():f}"}
    for tracking in rows.values_list("shipments__tracking", flat=True):
        texts |= set(tracking or ())
    texts |= set(Identifier.objects.filter(object_id__in=ids).values_list("raw", flat=True))
    return texts


def _markers(inside: Any, outside: Any) -> tuple[str, ...]:
    """Texts that only orders outside have."""
    texts = {text for text in _texts(outside) - _texts(inside) if len(text) >= 5}
    assert len(texts) > 20
    return (*sorted(texts), NOTE)


def _find_markers(markers: tuple[str, ...], text: str) -> list[str]:
    return [
        marker
        for marker in markers
        if marker in text and re.search(rf"(?<![\w.-]){re.escape(marker)}(?![\w-])", text)
    ]


def _client(role: UserRole) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username=f"limited_{role}"))
    return client


def _get(client: Client, url: str) -> tuple[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    with patch("django.test.client.store_rendered_templates"):
        answer = client.get(url)
    content = b"".join(answer) if answer.streaming else answer.content
    return answer.status_code, content.decode("utf-8", "replace")


def _api_urls(values: dict[str, Any]) -> Iterator[str]:
    for path, operations in openapi_document()["paths"].items():
        if "get" not in operations or not path.startswith(API):
            continue
        route = path.removeprefix(API)
        for start, slug in SLUGS.items():
            if route.startswith(start):
                route = route.replace(re.findall(r"\{\w+\}", start)[0], slug, 1)
        for name, value in NAMES.items():
            route = route.replace("{" + name + "}", value)
        if re.sub(r"\{\w+\}", "", route) != route:
            known = {name: values.get(name, "1") for name in re.findall(r"\{(\w+)\}", route)}
            route = route.format(**known)
        parameters = {
            p["name"]: p for p in operations["get"].get("parameters", ()) if p["in"] == "query"
        }
        query = []
        if "format" in parameters and parameters["format"].get("required"):
            query.append("format=" + parameters["format"]["schema"]["enum"][0])
        for name, value in (("q", "SO-1"), ("kind", "item"), ("source", "wms"), ("term", "x")):
            if parameters.get(name, {}).get("required"):
                query.append(f"{name}={value}")
        yield API + route + ("?" + "&".join(query) if query else "")


def _page_urls(values: dict[str, Any]) -> Iterator[str]:
    public = ("/track/{track}", "/{screen}")
    for urls in PAGES.values():
        for url in urls:
            if url not in public:
                yield url.format(**values)
    for code in ("orders", "alerts"):
        yield f"/{code}/export?format=csv"
    for code in ("json", "sqlite"):
        yield f"/orders/export?format=ocel-{code}"
    yield "/orders/export?format=epcis"


def _questions(records: ScopeRecords) -> Iterator[str]:
    """Searches and filters that name an order outside."""
    other = Order.objects.get(pk=records.outside["order"])
    texts = [other.number, other.number[:-1], other.customer_name, other.customer_no]
    tracking = other.shipments.values_list("tracking", flat=True).first() or ["1Z0000000000000000"]
    for text in (*texts, other.customer_po or "PO-0", tracking[0]):
        for path in ("search", "search/suggest", "orders", "alerts", "numbers/fill_rate/orders"):
            yield f"/{path}?q={quote(text)}"
        yield f"/api/v1/orders?q={quote(text)}"
    for name, value in (
        ("customer", other.customer_no),
        ("channel", other.channel),
        ("warehouse", other.warehouse),
    ):
        for path in ("orders", "alerts", "numbers", "numbers/fill_rate", "boards/operations"):
            yield f"/{path}?{name}={quote(value)}"
        yield f"/numbers/fill_rate?by={name}"
        yield f"/api/v1/kpis/fill_rate?by={name}"
        yield f"/orders/export?format=csv&{name}={quote(value)}"
    yield "/numbers/order_value?by=customer"
    yield f"/track/{records.values['track']}"


@pytest.mark.parametrize("role", ROLES)
def test_no_answer_contains_anything_of_an_order_outside(
    role: UserRole, records: ScopeRecords
) -> None:
    client = _client(role)
    urls = [*_page_urls(records.values), *_api_urls(records.values), *_questions(records)]
    wrong = _wrong_answers(client, urls, records.markers)
    assert not wrong, "\n".join(wrong)


def _wrong_answers(client: Client, urls: Sequence[str], markers: tuple[str, ...]) -> list[str]:
    wrong, readable = [], 0
    for url in urls:
        status, text = _get(client, url)
        readable += status == 200
        if status >= 500 or status in {400, 422}:
            wrong.append(f"{url}: {status} {text[:300]}")
        if "could not be loaded" in text:
            wrong.append(f"{url}: a tile failed")
        asked = unquote(url)
        shown = [m for m in _find_markers(markers, text) if m not in asked]
        if shown:
            wrong.append(f"{url}: {shown[:5]}")
    assert readable > len(urls) / 8
    return wrong


@pytest.mark.parametrize("role", ROLES)
def test_an_order_outside_answers_as_an_unknown_one(role: UserRole, records: ScopeRecords) -> None:
    client, wrong, compared = _client(role), [], 0
    names = ("busy", "contested", "alerted", "order", "other", "alert", "event", "message")
    unknown = records.values | dict.fromkeys(names, 987_654_321)
    urls = zip(
        [*_page_urls(records.outside), *_api_urls(records.outside)],
        [*_page_urls(unknown), *_api_urls(unknown)],
        strict=True,
    )
    for url, unknown_url in urls:
        if url == unknown_url:
            continue
        status, text = _get(client, url)
        expected_status, expected = _get(client, unknown_url)
        same = _without_addresses(text, url) == _without_addresses(expected, unknown_url)
        compared += status == 404
        if status != expected_status or status not in {403, 404} or not same:
            wrong.append(f"{url}: {status}, unknown: {expected_status}")
    assert not wrong, "\n".join(wrong)
    assert compared > 10


def _without_addresses(text: str, url: str) -> str:
    """The answer without its own address, tokens, IDs of requests and times."""
    for own in (url, url.partition("?")[0]):
        text = text.replace(own, "").replace(own.replace("/", "%2F"), "")
    text = re.sub(r'name="csrf[^>]*>|nonce="[^"]*"|"instance": ?"[^"]*"', "", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9]{32,64}", "", text)
    return re.sub(r"\d\d:\d\d(:\d\d)?", "", text)


@contextmanager
def _without_limits() -> Iterator[None]:
    """The mechanism is off: every table is shown in full."""
    with connection.cursor() as cursor:
        tables = {*scoped_views.LIMITED_TABLES, *scoped_views.HIDDEN_TABLES}
        with (
            patch.dict(scoped_views.LIMITED_TABLES, dict.fromkeys(tables, "true")),
            patch.object(scoped_views, "HIDDEN_TABLES", frozenset()),
        ):
            scoped_views.create_views(cursor)
            yield


def test_the_walk_finds_orders_outside_without_the_limits(records: ScopeRecords) -> None:
    with transaction.atomic(), _without_limits():
        urls = ["/orders", "/alerts?view=open", "/boards/operations", "/mentions", API + "orders"]
        wrong = _wrong_answers(_client(UserRole.OPERATIONS), urls, records.markers)
        transaction.set_rollback(True)
    assert len(wrong) == len(urls)
