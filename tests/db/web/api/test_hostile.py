"""API tests of invalid and hostile requests: rejected by name, without internal information."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db import OperationalError
from django.test import Client

from tests.db.web.api.conftest import Installation, create_alert
from visibility.models import Alert
from visibility.web.api.orders import OrderListView
from visibility.web.permissions import UserRole

LISTS = ("orders", "alerts", "messages", "kpis/fill_rate", "kpis/fill_rate/orders")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "owner__password__startswith=a",
        "ordering=-id",
        "order_by=money",
        "id__in=1,2",
        "limit=5",
        "offset=1",
        "format=xml",
        "search=a",
        "fields=password",
        "state__contains=a",
        "%00=1",
        "page_size[]=1",
    ],
)
def test_unknown_parameter_is_rejected_by_name(
    installation: Installation, signed_in: Callable[[UserRole], Client], path: str, query: str
) -> None:
    answer = signed_in(UserRole.ADMIN).get(f"/api/v1/{path}?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert "unknown parameter" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["sources", "sources/shop/health", "kpis", "alerts/1", "schema"])
def test_endpoints_without_parameters_reject_all(
    installation: Installation, signed_in: Callable[[UserRole], Client], path: str
) -> None:
    assert signed_in(UserRole.ADMIN).get(f"/api/v1/{path}?x=1").status_code == 400


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("orders", "status", "' OR 1=1--"),
        ("orders", "status", "SHIPPED"),
        ("orders", "channel", "x" * 251),
        ("orders", "channel", "a\0b"),
        ("orders", "q", "a\nb"),
        ("orders", "q", "\0"),
        ("orders", "since", "yesterday"),
        ("orders", "since", "2026-03-04"),
        ("orders", "since", "2026-03-04T05:06:07"),
        ("orders", "since", "2026-03-04T05:06:07 00:00"),
        ("orders", "since", "2026-02-30T00:00:00Z"),
        ("orders", "since", "0001-01-01T00:00:00+14:00"),
        ("orders", "since", "9999-12-31T23:59:59-14:00"),
        ("orders", "since", "٢٠٢٦-03-04T05:06:07Z"),
        ("orders", "page_size", "0"),
        ("orders", "page_size", "-1"),
        ("orders", "page_size", "1e9"),
        ("orders", "page_size", "٣"),
        ("orders", "page_size", "ten"),
        ("orders", "cursor", "x"),
        ("orders", "cursor", "x" * 2000),
        ("orders", "cursor", "a:b:c"),
        ("orders", "cursor", "é:é"),
        ("alerts", "state", "open' OR '1'='1"),
        ("alerts", "severity", "worst"),
        ("alerts", "rule", "\x7f"),
        ("messages", "state", "gone"),
        ("messages", "source", "nobody"),
        ("kpis/fill_rate", "from", "2026-13-01"),
        ("kpis/fill_rate", "from", "20260101"),
        ("kpis/fill_rate", "to", "0001-01-01"),
        ("kpis/fill_rate", "from", "2001-01-01"),
        ("kpis/fill_rate", "from", "2199-01-01"),
        ("kpis/fill_rate", "by", "customer_name"),
        ("kpis/fill_rate/orders", "outcome", "all"),
        ("kpis/fill_rate", "channel", "a\0"),
    ],
)
def test_invalid_value_is_rejected_by_parameter_name(
    installation: Installation,
    signed_in: Callable[[UserRole], Client],
    path: str,
    name: str,
    value: str,
) -> None:
    answer = signed_in(UserRole.ADMIN).get(f"/api/v1/{path}?{name}={quote(value)}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == name


@pytest.mark.parametrize(
    "query", ["status=on_hold&status=open", "%ff=%fe", "a=" * 2, "&".join(["a=1"] * 1500)]
)
def test_malformed_queries_are_400(
    installation: Installation, operations: Client, query: str
) -> None:
    assert operations.get(f"/api/v1/orders?{query}").status_code == 400


def test_page_size_is_capped(installation: Installation, operations: Client) -> None:
    for number in range(2, 206):
        create_alert(installation.order, installation.rule, number)
    for size in ("1000000000", "9" * 500, "201"):
        page = operations.get("/api/v1/alerts", {"page_size": size}).json()
        assert len(page["items"]) == 200
        assert page["next"]


def test_cursor_is_bound_to_its_list_and_filters(
    installation: Installation, operations: Client
) -> None:
    create_alert(installation.order, installation.rule, 2)
    page = operations.get("/api/v1/alerts?page_size=1&state=open").json()
    cursor: str = page["next"]
    good = operations.get("/api/v1/alerts", {"cursor": cursor, "state": "open"})
    assert good.status_code == 200
    wrong: list[dict[str, str]] = [
        {"cursor": cursor},
        {"cursor": cursor, "state": "suppressed"},
        {"cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "state": "open"},
        {"cursor": "." + cursor, "state": "open"},
    ]
    for params in wrong:
        assert operations.get("/api/v1/alerts", params).status_code == 400, params
    assert operations.get("/api/v1/orders", {"cursor": cursor}).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"x"', 400),
        (b'{"note": NaN}', 400),
        (b'{"note": "a", "note": "b"}', 400),
        (b"\xff\xfe", 400),
        (b'{"note": "\\u0000"}', 400),
        (b'{"note":' + b"[" * 60_000, 400),
        (b'{"to": 1' + b"0" * 5000 + b"}", 400),
        (b" " * 70_000, 413),
        (b"{}" + b" " * 3_000_000, 413),
        (b"", 200),
        (b"  ", 200),
        (b"\xef\xbb\xbf{}", 200),
    ],
)
def test_any_body_gets_a_defined_status(
    installation: Installation, operations: Client, body: bytes, status: int
) -> None:
    path = f"/api/v1/alerts/{installation.alert.pk}/acknowledge"
    answer = operations.post(path, body, "application/json")
    assert answer.status_code == status, answer.content


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_other_media_types_are_415(
    installation: Installation, operations: Client, media: str
) -> None:
    path = f"/api/v1/alerts/{installation.alert.pk}/acknowledge"
    answer = operations.post(path, b"note=x", media)
    assert answer.status_code == 415
    assert Alert.objects.get(pk=installation.alert.pk).state == "open"


@pytest.mark.parametrize("action", ["acknowledge", "assign", "snooze", "resolve", "note"])
def test_get_on_an_action_is_405(
    installation: Installation, operations: Client, action: str
) -> None:
    answer = operations.get(f"/api/v1/alerts/{installation.alert.pk}/{action}")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert operations.get("/api/v1/alerts/bulk").status_code == 405


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("path", ["orders", "alerts", "alerts/1/note", "kpis", "sources"])
def test_other_methods_are_405(
    installation: Installation, operations: Client, method: str, path: str
) -> None:
    answer = getattr(operations, method)(f"/api/v1/{path}")
    assert answer.status_code == 405
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Allow"]


def test_cross_site_write_is_403(
    installation: Installation, person: Callable[[UserRole], Any]
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person(UserRole.OPERATIONS))
    path = f"/api/v1/alerts/{installation.alert.pk}/acknowledge"
    assert client.post(path, {}, "application/json").status_code == 403
    client.cookies["csrftoken"] = "a" * 32
    foreign = client.post(
        path, {}, "application/json", headers={"X-CSRFToken": "b" * 32, "Origin": "https://evil"}
    )
    assert foreign.status_code == 403
    assert Alert.objects.get(pk=installation.alert.pk).state == "open"
    same_site = client.post(path, {}, "application/json", headers={"X-CSRFToken": "a" * 32})
    assert same_site.status_code == 200


def test_inactive_user_is_401(
    installation: Installation,
    person: Callable[[UserRole], Any],
    signed_in: Callable[[UserRole], Client],
) -> None:
    client, user = signed_in(UserRole.ADMIN), person(UserRole.ADMIN)
    user.is_active = False
    user.save()
    assert client.get("/api/v1/alerts").status_code == 401


def test_user_without_a_role_is_403(
    installation: Installation, person: Callable[[UserRole], Any]
) -> None:
    user = person(UserRole.ADMIN)
    user.groups.clear()
    client = Client()
    client.force_login(user)
    for path in ("orders", "alerts", "kpis", "sources", "messages"):
        assert client.get(f"/api/v1/{path}").status_code == 403


def test_database_outage_is_503_and_bug_is_500_without_details(
    installation: Installation, operations: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(error: Exception) -> Callable[..., None]:
        def fail(*_: object, **__: object) -> None:
            raise error

        return fail

    monkeypatch.setattr(
        OrderListView, "get_queryset", broken(OperationalError("host=10.0.0.1 secret"))
    )
    answer = operations.get("/api/v1/orders")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "secret" not in answer.content.decode()
    monkeypatch.setattr(OrderListView, "get_queryset", broken(RuntimeError("secret")))
    answer = operations.get("/api/v1/orders")
    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
    assert answer.json()["instance"].startswith("urn:throughline:")


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"


def test_hostile_text_is_returned_as_json_data(
    installation: Installation, operations: Client
) -> None:
    create_alert(installation.order, installation.rule, 2, title=HOSTILE)
    answer = operations.get("/api/v1/alerts")
    assert answer["Content-Type"] == "application/json"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert HOSTILE in {item["title"] for item in answer.json()["items"]}
    echoed = operations.get(f"/api/v1/orders?{quote(HOSTILE)}=1")
    assert echoed["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["", "order", "orders/", "orders/1/lines", "users", "admin", "..%2f"]
)
def test_unknown_urls_are_404(db: None, operations: Client, path: str) -> None:
    answer = operations.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "options"])
def test_events_allows_only_post(db: None, method: str) -> None:
    answer = getattr(Client(), method)("/api/v1/events")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_accept_header_is_ignored(installation: Installation, operations: Client) -> None:
    for accept in ("text/html", "application/xml", "*/*;q=0", "ü"):
        answer = operations.get("/api/v1/alerts", headers={"Accept": accept})
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
