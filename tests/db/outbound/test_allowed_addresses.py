"""Private addresses that administrators allow: entered, audited, enforced at each connection."""

import socket
import time
from typing import Any

import pytest
from django.test import Client

from connectors.sdk.webhook_and_poll_types import HttpRequest
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.models import AllowedAddress, AuditEntry
from visibility.outbound import address_guard, deadline_transport
from visibility.outbound.address_guard import ForbiddenAddress, resolve_to_allowed_ip_addresses
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PAGE, API = "/outgoing-addresses", "/api/v1/outgoing-addresses"
METADATA = "169.254.169.254"


@pytest.fixture
def administrator() -> Client:
    return signed_in(UserRole.ADMIN, "ada")


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What host names resolve to."""
    answers: dict[str, list[str]] = {}

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in answers.get(host, [host])]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return answers


def store(host: str, port: int = 443) -> None:
    """Store a row as a person with access to the database could."""
    AllowedAddress.objects.create(
        host=host, port=port, added_by=user_of_role(UserRole.ADMIN, "ada")
    )


def test_an_allowed_address_of_the_private_network_can_be_called(
    administrator: Client, resolved: dict[str, list[str]]
) -> None:
    resolved["erp.internal"] = ["10.0.0.7"]
    with pytest.raises(ForbiddenAddress, match=r"erp\.internal:8443 under Outgoing addresses"):
        resolve_to_allowed_ip_addresses("erp.internal", 8443)
    entered = {"host": " ERP.internal ", "port": "8443", "note": "Ticket 7"}
    assert administrator.post(PAGE, entered).headers["location"] == PAGE
    assert resolve_to_allowed_ip_addresses("erp.internal", 8443) == ["10.0.0.7"]
    for other in (("erp.internal", 443), ("10.0.0.7", 8443)):
        with pytest.raises(ForbiddenAddress):
            resolve_to_allowed_ip_addresses(*other)
    page = administrator.get(PAGE).content.decode()
    assert "erp.internal:8443" in page
    assert "Ticket 7" in page
    number = AllowedAddress.objects.get().pk
    administrator.post(f"{PAGE}/{number}/remove")
    with pytest.raises(ForbiddenAddress):
        resolve_to_allowed_ip_addresses("erp.internal", 8443)
    actions = AuditEntry.objects.order_by("id").values_list("action", "object", "user__username")
    assert list(actions) == [
        ("address.allowed", "erp.internal:8443", "ada"),
        ("address.disallowed", "erp.internal:8443", "ada"),
    ]


@pytest.mark.parametrize(
    "address",
    [
        METADATA,
        "127.0.0.1",
        "::1",
        "fe80::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "100.100.100.200",
        "fd00:ec2::254",
        "::",
        "224.0.0.1",
    ],
)
def test_metadata_and_loopback_stay_refused_whatever_is_allowed(
    administrator: Client, resolved: dict[str, list[str]], address: str
) -> None:
    answer = administrator.post(PAGE, {"host": address, "port": "80"})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    body = {"host": address, "port": 80}
    assert administrator.post(API, body, "application/json").status_code == 400
    assert not AllowedAddress.objects.exists()
    resolved["erp.internal"] = ["10.0.0.7", address]
    store("erp.internal", 80)
    store(address, 80)
    for host in ("erp.internal", address):
        with pytest.raises(ForbiddenAddress):
            resolve_to_allowed_ip_addresses(host, 80)


def test_a_request_to_the_metadata_server_opens_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store(METADATA, 80)

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(ForbiddenAddress):
        OutgoingHttpClient().send(HttpRequest("GET", f"http://{METADATA}/latest/meta-data/"))


def test_an_open_connection_is_not_used_long_after_its_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stream:
        def get_extra_info(self, info: str) -> bool:
            return False

    stream = deadline_transport._DeadlineStream(Stream())  # type: ignore[arg-type]  # enough of one
    assert stream.get_extra_info("is_readable") is False
    later = time.monotonic() + deadline_transport.CHECKED_FOR
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert stream.get_extra_info("is_readable") is True


def test_invalid_entries_are_explained_and_stay_in_the_form(administrator: Client) -> None:
    for host, port, count in (
        ("http://erp", "443", 1),
        ("", "", 2),
        ("erp host", "1", 1),
        ("8.8.8.8", "443", 1),
        ("erp", "0", 1),
        ("erp", "65536", 1),
        ("erp", "25", 1),
        ("1.2.3", "80", 1),
        ("a" * 254, "80", 1),
    ):
        answer = administrator.post(PAGE, {"host": host, "port": port, "note": "<why>"})
        page = answer.content.decode()
        assert answer.status_code == 422, host
        assert page.count('aria-invalid="true"') == count, host
        assert 'value="&lt;why&gt;"' in page
    assert not AllowedAddress.objects.exists()
    assert not AuditEntry.objects.exists()


def test_the_api_lists_allows_and_removes(administrator: Client) -> None:
    body = {"host": "10.0.0.7", "port": 443, "note": "ERP"}
    created = administrator.post(API, body, "application/json")
    assert created.status_code == 201
    assert created.json()["added_by"]["name"] == "ada"
    twice = administrator.post(API, body, "application/json")
    assert "allowed already" in twice.json()["detail"]
    assert [item["host"] for item in administrator.get(API).json()["items"]] == ["10.0.0.7"]
    number = created.json()["id"]
    assert administrator.delete(f"{API}/{number}").status_code == 200
    assert administrator.delete(f"{API}/{number}").status_code == 404
    assert administrator.get(API).json()["items"] == []


@pytest.mark.parametrize("role", [r for r in UserRole if r != "admin"])
def test_only_administrators_allow_addresses(role: UserRole) -> None:
    client, body = signed_in(role), {"host": "10.0.0.7", "port": 443}
    store("10.0.0.8")
    number = AllowedAddress.objects.get().pk
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, body).status_code == 403
    assert client.post(f"{PAGE}/{number}/remove").status_code == 403
    assert client.post(API, body, "application/json").status_code == 403
    assert client.delete(f"{API}/{number}").status_code == 403
    assert AllowedAddress.objects.get().host == "10.0.0.8"


def test_the_guard_asks_the_list_only_about_private_addresses(
    resolved: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(host: str, port: int) -> bool:
        raise AssertionError("the database was read")

    monkeypatch.setattr(address_guard, "is_allowed_by_administrator", fail)
    resolved["shop.example"] = ["93.184.215.14"]
    assert resolve_to_allowed_ip_addresses("shop.example", 443) == ["93.184.215.14"]


def test_an_address_of_the_server_itself_is_for_the_environment(administrator: Client) -> None:
    for host in ("127.0.0.1", "::1"):
        answer = administrator.post(PAGE, {"host": host, "port": "8471", "note": ""})
        assert answer.status_code == 422
        assert "List it as host:port in OUTGOING_ALLOWED on the server." in answer.content.decode()


@pytest.mark.parametrize(
    ("role", "answer", "is_linked"),
    [
        (UserRole.ADMIN, "10.1.2.3", True),
        (UserRole.INTEGRATOR, "10.1.2.3", False),
        (UserRole.ADMIN, "127.0.0.1", False),
    ],
)
def test_the_page_of_a_source_leads_administrators_to_the_allowed_addresses(
    resolved: dict[str, list[str]], role: UserRole, answer: str, *, is_linked: bool
) -> None:
    resolved["erp.internal"] = [answer]
    with pytest.raises(ForbiddenAddress) as refusal:
        resolve_to_allowed_ip_addresses("erp.internal", 443)
    create_source("erp", poll_error=str(refusal.value))
    page = signed_in(role, "reader").get("/sources/erp").content.decode()
    sentence = page.partition('class="answer"')[2].partition("</p>")[0]
    assert "Polling fails" in sentence
    assert ('href="/outgoing-addresses"' in sentence) is is_linked
