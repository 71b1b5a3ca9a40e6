"""Every page and API endpoint answers hostile ids, times, days and NUL without a server error."""

import inspect
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.db.web.api.conftest import Installation
from tests.effort import some
from visibility.screens.orders.order_filters import ORDER_FILTERS
from visibility.web.api.base import ApiView
from visibility.web.api.event_checks import CheckEventView
from visibility.web.permissions import UserRole

VALUES = (
    "\0",
    "a\0b",
    "9223372036854775808",
    "9" * 40,
    "-1",
    "\u0663",
    "\u00b2",
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "now-999999999d",
    "[" * 2_000,
)
VALUES_FOR_EACH_NAME = ("a\0", "9223372036854775808", "9" * 5_000, "0001-01-01T00:00:00+14:00")
BODIES = (
    b"[" * 60_000,
    b"[" * 100_000,
    b'{"a":' * 10_000,
    b'"\\u0000"',
    b'{"\\u0000": 1}',
    b'{"note": "a\\u0000b"}',
    b'{"to": ' + b"9" * 5_000 + b"}",
    b'{"to": 1e999}',
)
IDS = ("9223372036854775808", "9" * 40, "9" * 5_000)
SOURCE_FOLDERS = ("visibility/web/pages", "visibility/web", "visibility/screens/orders")
NAME_OF_VALUE = re.compile(r"""\.(?:get|getlist|pop)\(\s*"(\w+)\"""")


def addresses(patterns: Sequence[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The routes of all views, with the view of each."""
    for item in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from addresses(item.url_patterns, route)
        elif isinstance(item, URLPattern):
            yield route, item.callback


ADDRESSES = sorted(addresses(), key=lambda pair: pair[0])
PAGES = [pair for pair in ADDRESSES if not pair[0].startswith("api/")]
ENDPOINTS = [pair for pair in ADDRESSES if issubclass(getattr(pair[1], "view_class", int), ApiView)]
NAMES = sorted(
    {
        name
        for folder in SOURCE_FOLDERS
        for path in Path(folder).glob("*.py")
        for name in NAME_OF_VALUE.findall(path.read_text())
    }
    | set(ORDER_FILTERS)
)


def status_of(client: Client, method: str, path: str, *arguments: Any, **options: Any) -> int:
    """The status of the response; what the request wrote is rolled back."""
    client.raise_request_exception = False
    savepoint = transaction.savepoint()
    try:
        response = getattr(client, method)(path, *arguments, **options)
        return int(response.status_code)
    finally:
        connection.set_rollback(False)
        transaction.savepoint_rollback(savepoint)


def fill_route(route: str, installation: Installation, row_id: str = "") -> str:
    """A path of this route: with existing rows, or with this id in place of all numbers."""
    slugs = {
        "numbers/": "fill_rate",
        "kpis/": "fill_rate",
        "rules/": installation.rule.code,
        "boards/": "operations",
        "sources/new/": "shopify",
        "sources/": "shop",
        "manifests/": "hill_3pl",
        "mappings/": "item",
        "master/": "item",
        "new/": "email",
    }
    rows = {"order_id": installation.order.pk, "alert_id": installation.alert.pk}
    path = re.sub(r"<int:(\w+)>", lambda m: row_id or str(rows.get(m[1], 1)), route)
    path = path.replace("<slug:action>", "note").replace("<slug:form>", "csv")
    for start, slug in slugs.items():
        path = re.sub(rf"{start}<slug:\w+>", f"{start}{slug}", path)
    return "/" + re.sub(r"<(?:slug|str):\w+>", "1", path)


@pytest.fixture
def administrator(signed_in: Callable[[UserRole], Client]) -> Client:
    return signed_in(UserRole.ADMIN)


def test_names_of_values_are_found_in_the_source() -> None:
    assert {"after", "event", "also", "at", "as_known_at", "since", "day", "q"} <= set(NAMES)
    assert len(PAGES) > 40


@pytest.mark.slow
def test_pages_answer_hostile_values(
    installation: Installation, administrator: Client, run_seed: int
) -> None:
    failures, chance = [], random.Random(run_seed)
    for route, view in PAGES:
        path = fill_route(route, installation)
        own = NAME_OF_VALUE.findall(Path(str(inspect.getsourcefile(view))).read_text())
        tried = [dict.fromkeys(NAMES, value) for value in VALUES]
        tried += [{name: value} for name in sorted(set(own)) for value in VALUES_FOR_EACH_NAME]
        requests: list[tuple[str, str, dict[str, str]]] = []
        if not route.startswith("signout"):
            requests = [("get", f"{path}?{urlencode(query)}", {}) for query in tried]
        requests += [("post", path, form) for form in tried]
        failures += [
            (method, path, str(form or address)[-120:])
            for method, address, form in some(requests, chance, divisor=4)
            if status_of(administrator, method, address, form) >= 500
        ]
    assert failures == []


def test_ids_that_no_row_can_have_are_not_found(
    installation: Installation, administrator: Client
) -> None:
    numbered = [route for route, _ in ADDRESSES if "<int:" in route]
    assert len(numbered) > 30
    failures = [
        (method, route, row_id[:30])
        for route in numbered
        for row_id in IDS
        for method in ("get", "post")
        if status_of(administrator, method, fill_route(route, installation, row_id))
        not in {404, 405}
    ]
    assert failures == []


def test_nul_in_an_address_is_not_found(administrator: Client) -> None:
    named = [route for route, _ in ADDRESSES if "<" in route]
    addresses_with_nul = [re.sub(r"<\w+:\w+>", quote("a\0"), route) for route in named]
    assert {status_of(administrator, "get", f"/{path}") for path in addresses_with_nul} == {404}


@pytest.mark.parametrize("path", ["/orders", "/signin", "/api/v1/orders"])
@pytest.mark.parametrize("name", ["sessionid", "csrftoken", "messages"])
def test_cookie_with_nul_is_ignored(db: None, path: str, name: str) -> None:
    cookie = f'{name}="\\000abcdefghijklmnop"'
    client = Client()
    assert client.get(path, headers={"cookie": cookie}).status_code in {200, 302, 401}
    assert client.post(path, {"username": "a"}, headers={"cookie": cookie}).status_code < 500


@pytest.mark.slow
def test_endpoints_answer_hostile_parameters(
    installation: Installation, administrator: Client, run_seed: int
) -> None:
    failures, chance = [], random.Random(run_seed)
    for route, view in ENDPOINTS:
        path = fill_route(route, installation)
        failures += [
            (path, parameter.name, value[:30])
            for parameter in view.view_class.query_parameters
            for value in some(VALUES, chance, divisor=4)
            if status_of(administrator, "get", f"{path}?{urlencode({parameter.name: value})}")
            >= 500
        ]
    assert failures == []


def test_check_of_a_hostile_event_says_what_is_wrong(administrator: Client) -> None:
    for body in BODIES:
        address, json_type = "/api/v1/event-schemas/check", "application/json"
        response = administrator.post(address, body, content_type=json_type)
        is_refused = 400 <= response.status_code < 500 or not response.json()["is_accepted"]
        assert is_refused, body[:30]


@pytest.mark.slow
def test_endpoints_refuse_hostile_bodies(installation: Installation, administrator: Client) -> None:
    failures = []
    for route, view in ENDPOINTS:
        path = fill_route(route, installation)
        if view.view_class is CheckEventView:
            continue  # it answers with what is wrong, and stores nothing
        failures += [
            (method, path, body[:30], status)
            for method in ("post", "put", "patch", "delete")
            if hasattr(view.view_class, method)
            for body in BODIES
            if not 400
            <= (
                status := status_of(
                    administrator, method, path, body, content_type="application/json"
                )
            )
            < 500
        ]
    assert failures == []
