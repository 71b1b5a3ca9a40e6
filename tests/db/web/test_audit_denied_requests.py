"""A request of a signed-in user that is answered with 403 is in the audit log."""

import pytest
from django.db import OperationalError
from django.test import Client

from tests.builders.users import signed_in, user_of_role
from visibility.models import AuditEntry
from visibility.web import audit_denied_requests
from visibility.web.audit_denied_requests import MAX_ENTRIES
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


def entries() -> list[tuple[str, str, dict[str, object]]]:
    rows = AuditEntry.objects.order_by("id")
    return [
        (entry.user.username if entry.user else "", entry.object, entry.detail) for entry in rows
    ]


@pytest.mark.parametrize("path", ["/sources", "/rules", "/mappings"])
def test_page_without_permission_is_recorded(path: str) -> None:
    assert signed_in(UserRole.EXECUTIVE).get(path).status_code == 403
    ((user, recorded, detail),) = entries()
    assert (user, recorded, detail["method"]) == ("executive", path, "GET")
    assert detail["permissions"] == [f"{path[1:]}_see"]


@pytest.mark.parametrize("path", ["/alerts/bulk", "/api/v1/alerts/bulk"])
def test_form_without_csrf_token_is_recorded(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of_role(UserRole.OPERATIONS))
    assert client.post(path, {}, content_type="application/json").status_code == 403
    assert entries() == [("operations", path, {"method": "POST", "permissions": []})]


def test_api_request_is_recorded_once() -> None:
    assert signed_in(UserRole.EXECUTIVE).get("/api/v1/sources").status_code == 403
    ((user, path, detail),) = entries()
    assert (user, path, detail["permissions"]) == ("executive", "/api/v1/sources", ["sources_see"])


@pytest.mark.parametrize("path", ["/sources", "/api/v1/sources"])
def test_entries_of_one_user_are_limited(path: str) -> None:
    client = signed_in(UserRole.EXECUTIVE)
    for _ in range(MAX_ENTRIES + 3):
        assert client.get(path).status_code == 403
    assert len(entries()) == MAX_ENTRIES
    assert [("more" in detail) for *_, detail in entries()] == [False] * (MAX_ENTRIES - 1) + [True]
    assert signed_in(UserRole.CUSTOMER_SERVICE).get(path).status_code == 403
    assert entries()[-1][0] == "customer_service"


def test_request_without_sign_in_is_not_recorded() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/signin", {"username": "olga"}).status_code == 403
    assert entries() == []


def test_request_that_cannot_be_recorded_gets_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError

    client = signed_in(UserRole.EXECUTIVE)
    monkeypatch.setattr(audit_denied_requests, "append_audit_entry", fail)
    assert client.get("/sources").status_code == 503
