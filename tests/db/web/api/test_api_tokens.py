"""API tokens: what they allow, who creates and revokes them, and that their text is shown once."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from tests.builders.users import create_user, signed_in
from tests.db.web.api.test_contract import CALLS, PUBLIC, response_body, send_request, url_ids
from visibility.db.database_time import database_now
from visibility.export.list_files import write_list_file
from visibility.models import AccountLink, ApiToken, AuditEntry, IdempotencyKey
from visibility.web import list_export_download
from visibility.web.api_tokens import MAX_TOKENS, create_api_token
from visibility.web.author import Author
from visibility.web.permission_labels import PERMISSION_LABELS
from visibility.web.permissions import Permission, UserRole

pytestmark = pytest.mark.django_db
P = Permission
OP, AD, CS = UserRole.OPERATIONS, UserRole.ADMIN, UserRole.CUSTOMER_SERVICE
__all__ = ["url_ids"]  # a fixture
# The permissions that each call needs. Calls without any are open to everyone who has signed in.
NEEDED: dict[str, set[Permission]] = {
    "orders?q=SO-104711": {P.ORDERS},
    "orders/{order}": {P.ORDERS},
    "orders/{order}/timeline": {P.ORDERS},
    "orders/export?format=ocel-json": {P.ORDERS, P.EXPORT},
    "orders/export?format=epcis": {P.ORDERS, P.EXPORT},
    "orders/export?format=csv": {P.EXPORT, P.ORDERS},
    "messages/{message}/lineage": {P.PARKED_SEE},
    "orders/{order}/tracking-links": {P.ORDERS_SHARE},
    "orders/{order}/lineage": {P.ORDERS},
    "orders/{order}/calls": {P.ORDERS},
    "orders/{order}/notes": {P.ORDERS, P.CONTACTS},
    "orders/{order}/note": {P.ORDERS_NOTE},
    "orders/{order}/watch": {P.ORDERS},
    "orders/{order}/unwatch": {P.ORDERS},
    "mentions": {P.ORDERS, P.CONTACTS},
    "mentions/alerts": {P.ALERTS_SEE},
    "order-activity": {P.ORDERS},
    "order-lanes": {P.ORDERS},
    "organization": {P.ADMINISTER},
    "organization/brand": {P.ADMINISTER},
    "demo-data": {P.ADMINISTER},
    "notifications": {P.ALERTS_SEE},
    "single-sign-on": {P.ADMINISTER},
    "single-sign-on/test": {P.ADMINISTER},
    "single-sign-on/saml": {P.ADMINISTER},
    "mail-server": {P.ADMINISTER},
    "mail-server/test": {P.ADMINISTER},
    "outgoing-addresses": {P.ADMINISTER},
    "connectors": {P.SOURCES_EDIT},
    "manifests": {P.SOURCES_EDIT},
    "manifests/hill_3pl": {P.SOURCES_EDIT},
    "manifests/hill_3pl/versions": {P.SOURCES_EDIT},
    "manifests/hill_3pl/check": {P.SOURCES_EDIT},
    "manifests/hill_3pl/samples": {P.SOURCES_EDIT},
    "manifests/hill_3pl/publish": {P.SOURCES_EDIT},
    "manifests/hill_3pl/rollback": {P.SOURCES_EDIT},
    "release-checks": {P.SOURCES_EDIT, P.MESSAGE_BODIES},
    "release-checks/{check}": {P.SOURCES_EDIT, P.MESSAGE_BODIES},
    "release-checks/{check}/orders": {P.SOURCES_EDIT, P.MESSAGE_BODIES},
    "release-checks/{check}/messages": {P.SOURCES_EDIT, P.MESSAGE_BODIES},
    "release-checks/{waiting_check}/cancel": {P.SOURCES_EDIT, P.MESSAGE_BODIES},
    "release-checks/{check}/promote": {P.SOURCES_EDIT, P.PARKED_REPLAY},
    "release-checks/{promoted}/rollback": {P.SOURCES_EDIT, P.PARKED_REPLAY},
    "manifests/hill_3pl/compare": {P.SOURCES_EDIT, P.MESSAGE_BODIES},
    "sources/shop/archive": {P.SOURCES_EDIT},
    "sources/{polled}/poll": {P.SOURCES_EDIT},
    "sources/{archived}/restore": {P.SOURCES_EDIT},
    "sources/shop/rotate": {P.SOURCES_EDIT},
    "sources/shop/test-poll": {P.SOURCES_EDIT},
    "sources/shop/test-queue": {P.SOURCES_EDIT},
    "sources/shop/reading": {P.SOURCES_SEE},
    "sources/shop/batches": {P.SOURCES_SEE},
    "sources/shop/polls": {P.SOURCES_SEE},
    "sources/shop/outgoing-requests": {P.SOURCES_SEE},
    "sources/shop/drift": {P.SOURCES_SEE},
    "sources/shop/telemetry": {P.SOURCES_SEE},
    "sources/shop/telemetry/{calls}/samples": {P.SOURCES_SEE},
    "sources/shop/telemetry/{calls}/queue-hours": {P.SOURCES_SEE},
    "sources/shop/changes": {P.SOURCES_EDIT},
    "sources/shop/requests": {P.SOURCES_SEE},
    "alerts/health": {P.ALERTS_SEE},
    "alerts/{alert}/escalate": {P.ALERTS_MANAGE},
    "orders/{order}/join": {P.MATCHING_EDIT},
    "orders/{order}/distinct": {P.MATCHING_EDIT},
    "orders/{other}/split": {P.MATCHING_EDIT},
    "matching/decisions": {P.MATCHING_SEE},
    "matching/unmatched": {P.MATCHING_SEE},
    "matching/unmatched/export?format=csv": {P.MATCHING_SEE, P.EXPORT},
    "matching/suggestions": {P.MATCHING_SEE},
    "matching/decisions/{decision}/undo": {P.MATCHING_EDIT},
    "alerts": {P.ALERTS_SEE},
    "alerts/{silent}": {P.ALERTS_SEE},
    "alerts/{alert}/acknowledge": {P.ALERTS_MANAGE},
    "alerts/{alert}/assign": {P.ALERTS_MANAGE},
    "alerts/{alert}/snooze": {P.ALERTS_MANAGE},
    "alerts/{alert}/resolve": {P.ALERTS_RESOLVE},
    "alerts/{silent}/note": {P.ALERTS_NOTE},
    "alerts/export?format=csv": {P.ALERTS_SEE, P.EXPORT},
    "alerts/bulk": {P.ALERTS_NOTE, P.ALERTS_MANAGE},
    "alerts/groups": {P.ALERTS_SEE},
    "alerts/groups/act": {P.ALERTS_NOTE, P.ALERTS_MANAGE},
    "rules": {P.RULES_SEE},
    "rules/stuck": {P.RULES_SEE},
    "rules/preview": {P.RULES_EDIT, P.ORDERS},
    "rules/stuck/archive": {P.RULES_EDIT},
    "saved-views": {P.ORDERS},
    "exports": {P.EXPORT},
    "messages/export?format=csv": {P.PARKED_SEE, P.SOURCES_SEE, P.EXPORT},
    "lists/orders/filters": {P.ORDERS},
    "saved-views/{view}": {P.ORDERS},
    "lists/orders/columns": {P.ORDERS},
    "calendars": {P.RULES_SEE},
    "calendars/dallas": {P.RULES_SEE},
    "calendars/dallas/copy": {P.RULES_EDIT},
    "tiles": {P.BOARDS},
    "boards": {P.BOARDS},
    "boards/operations": {P.BOARDS},
    "boards/operations/duplicate": {P.BOARDS_EDIT},
    "start-page": {P.BOARDS},
    "screen-links": {P.BOARDS_EDIT},
    "people": {P.ADMINISTER},
    "audit": {P.ADMINISTER},
    "people/{leaver}": {P.ADMINISTER},
    "people/{leaver}/link": {P.ADMINISTER},
    "people/{leaver}/end-sessions": {P.ADMINISTER},
    "people/{leaver}/remove-second-factors": {P.ADMINISTER},
    "people/{leaver}/unlink": {P.ADMINISTER},
    "people/{leaver}/deactivate": {P.ADMINISTER},
    "people/{leaver}/reactivate": {P.ADMINISTER},
    "security": {P.ADMINISTER},
    "teams": {P.ADMINISTER},
    "teams/everyone": {P.ADMINISTER},
    "channels": {P.SUBSCRIPTIONS_SEE},
    "subscriptions": {P.SUBSCRIPTIONS_SEE},
    "subscriptions/{subscription}": {P.SUBSCRIPTIONS_SEE},
    "subscriptions/{subscription}/test": {P.SUBSCRIPTIONS_EDIT},
    "subscriptions/{subscription}/deliveries": {P.SUBSCRIPTIONS_SEE},
    "kpis": {P.KPIS},
    "kpis/fill_rate?by=channel&from=2026-01-01&to=2026-12-31": {P.KPIS},
    "kpis/fill_rate/orders?outcome=counted&from=2026-01-01&to=2026-12-31": {P.KPIS, P.ORDERS},
    "kpis/fill_rate/differences": {P.KPIS},
    "kpis/fill_rate/export?format=xlsx": {P.KPIS},
    "kpi-notes": {P.KPIS},
    "kpi-notes/{note}": {P.KPIS},
    "kpi-targets": {P.KPIS},
    "sources": {P.SOURCES_SEE},
    "sources/export?format=csv": {P.SOURCES_SEE, P.EXPORT},
    "sources/shop": {P.SOURCES_EDIT},
    "sources/shop/health": {P.SOURCES_SEE},
    "sources/shop/settings": {P.SOURCES_EDIT},
    "sources/shop/maintenance": {P.SOURCES_SEE},
    "sources/shop/maintenance/{window}/end": {P.SOURCES_EDIT},
    "sources/shop/drift/accept": {P.SOURCES_EDIT},
    "event-schemas/check": {P.SOURCES_SEE},
    "messages": {P.PARKED_SEE},
    "system": {P.ADMINISTER},
    "messages/retention": {P.ADMINISTER},
    "messages/{message}/replay": {P.PARKED_REPLAY},
    "messages/replays/preview?source=shop": {P.PARKED_REPLAY},
    "messages/replays/{replay}": {P.PARKED_SEE},
    "messages/replays": {P.PARKED_REPLAY},
    "messages/replays/{running}/stop": {P.PARKED_REPLAY},
    "messages/parked": {P.PARKED_SEE},
    "messages/discards": {P.PARKED_REPLAY},
    "messages/discards/{discard}": {P.PARKED_SEE},
    "messages/discards/{discard}/undo": {P.PARKED_REPLAY},
    "messages/{message}/edited-copies": {P.PARKED_REPLAY, P.MESSAGE_BODIES},
}
OPEN_TO_EVERYONE = {"tokens", "sessions"}
# Calls that need a session, because they give somebody access.
WITHOUT_TOKEN = {
    "people/{leaver}/link",
    "people/{leaver}/reactivate",
    "people/{leaver}/remove-second-factors",
    "people/{leaver}/unlink",
}
NEW_ADMINISTRATOR = {"username": "eve", "first_name": "E", "last_name": "V", "role": "admin"}


def new_token(user: User, *permissions: Permission, age: int = 0) -> tuple[ApiToken, str]:
    """A token of a user, valid for 30 days, that was created so many days ago."""
    by = Author(user, database_now() - timedelta(days=age))
    return create_api_token("ERP export", [p.value for p in permissions], days=30, by=by)


def with_token(text: str) -> Client:
    """A client that sends the token, without session; like curl, it checks no CSRF token."""
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {text}"})


def status_in_rolled_back_transaction(
    client: Client, address: str, body: Any, ids: dict[str, Any]
) -> int:
    with transaction.atomic():
        answer = send_request(client, address, body, ids)
        response_body(answer)
        transaction.set_rollback(True)
    return int(answer.status_code)


@pytest.mark.slow
def test_each_call_needs_its_permissions_in_the_token(
    url_ids: dict[str, Any], person: Callable[[UserRole], User]
) -> None:
    """An administrator's token with exactly the permissions of a call may call it; without one
    of them, it may not, whatever else it has."""
    assert set(NEEDED) | OPEN_TO_EVERYONE == set(CALLS) - PUBLIC
    admin = person(AD)
    faults = []
    for address, needed in NEEDED.items():
        body = CALLS[address][2]
        with transaction.atomic():
            allowed = with_token(new_token(admin, *needed)[1])
            status = status_in_rolled_back_transaction(allowed, address, body, url_ids)
            if status not in ({403} if address in WITHOUT_TOKEN else {200, 201, 202}):
                faults.append(f"{address} with {sorted(needed)}: {status}")
            for missing in needed:
                denied = with_token(new_token(admin, *(set(Permission) - {missing}))[1])
                status = status_in_rolled_back_transaction(denied, address, body, url_ids)
                if status != 403:
                    faults.append(f"{address} without {missing}: {status}")
            transaction.set_rollback(True)
    assert not faults, "\n".join(faults)


def test_calls_open_to_everyone_accept_any_token(
    url_ids: dict[str, Any], person: Callable[[UserRole], User]
) -> None:
    client = with_token(new_token(person(AD), P.BOARDS)[1])
    for address in OPEN_TO_EVERYONE:
        status = status_in_rolled_back_transaction(client, address, CALLS[address][2], url_ids)
        assert status == 200, address


def test_a_token_never_allows_more_than_its_owner(person: Callable[[UserRole], User]) -> None:
    admin = person(AD)
    _, text = new_token(admin, P.RULES_SEE)
    assert with_token(text).get("/api/v1/rules").status_code == 200
    admin.groups.clear()
    assert with_token(text).get("/api/v1/rules").status_code == 403


def test_fields_follow_the_token(
    url_ids: dict[str, Any], person: Callable[[UserRole], User]
) -> None:
    address = f"/api/v1/orders/{url_ids['order']}"
    plain = with_token(new_token(person(AD), P.ORDERS)[1]).get(address).json()
    priced = with_token(new_token(person(AD), P.ORDERS, P.PRICES)[1]).get(address).json()
    assert "price" not in plain["lines"]["items"][0]
    assert priced["lines"]["items"][0]["price"]


@pytest.mark.parametrize("fault", ["unknown", "expired", "revoked", "deactivated", "changed"])
def test_tokens_that_are_refused(fault: str, person: Callable[[UserRole], User]) -> None:
    user = person(AD)
    token, text = new_token(user, P.ORDERS)
    assert with_token(text).get("/api/v1/orders").status_code == 200
    rows = ApiToken.objects.filter(pk=token.pk)
    if fault == "unknown":
        text = text[:-1] + ("A" if text[-1] != "A" else "B")
    elif fault == "expired":
        _, text = new_token(user, P.ORDERS, age=31)
    elif fault == "revoked":
        client = signed_in(AD, user.username)
        assert client.delete(f"/api/v1/tokens/{token.pk}").status_code == 200
    elif fault == "deactivated":
        User.objects.filter(pk=user.pk).update(is_active=False)
    else:  # someone with access to the database adds a permission
        rows.update(permissions=[P.ADMINISTER.value, P.ORDERS.value])
    answer = with_token(text).get("/api/v1/orders")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="throughline"'
    assert answer.json()["detail"] == "The API token is unknown, expired or revoked."


def test_an_expired_time_moved_forward_in_the_database_opens_nothing(
    person: Callable[[UserRole], User],
) -> None:
    token, text = new_token(person(AD), P.ORDERS)
    later = token.expires_at + timedelta(days=3650)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=later)
    assert with_token(text).get("/api/v1/orders").status_code == 401


def test_tokens_open_no_page(person: Callable[[UserRole], User]) -> None:
    answer = with_token(new_token(person(AD), *Permission)[1]).get("/orders")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/signin")


def test_a_token_revoked_while_an_export_is_written_gets_no_file(
    url_ids: dict[str, Any],
    person: Callable[[UserRole], User],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token, text = new_token(person(AD), P.ORDERS, P.EXPORT)

    def write_while_token_is_revoked(*arguments: Any) -> Any:
        written = write_list_file(*arguments)
        ApiToken.objects.filter(pk=token.pk).update(revoked_at=database_now())
        return written

    assert with_token(text).get("/api/v1/orders/export?format=csv").status_code == 200
    monkeypatch.setattr(list_export_download, "write_list_file", write_while_token_is_revoked)
    answer = with_token(text).get("/api/v1/orders/export?format=csv")
    assert answer.status_code == 401
    assert b"SO-104711" not in response_body(answer)


def test_what_a_token_did_is_in_the_audit_log(
    url_ids: dict[str, Any], person: Callable[[UserRole], User]
) -> None:
    token, text = new_token(person(OP), P.ALERTS_MANAGE)
    address = f"/api/v1/alerts/{url_ids['alert']}/acknowledge"
    answer = with_token(text).post(address, {}, "application/json")
    assert answer.status_code == 200
    assert AuditEntry.objects.filter(detail__api_token=token.prefix, user=token.owner).exists()
    with_token(text).get("/api/v1/rules")
    denied = AuditEntry.objects.get(action="denied", user=token.owner)
    assert denied.detail["api_token"] == token.prefix


def test_created_over_the_api_its_text_is_in_one_response_only(
    person: Callable[[UserRole], User],
) -> None:
    client = signed_in(OP, person(OP).username)
    body = {"title": "Wall display", "permissions": ["orders"], "days": 7}
    headers = {"Idempotency-Key": "k1"}
    first = client.post("/api/v1/tokens", body, "application/json", headers=headers)
    assert first.status_code == 201
    text = first.json()["token"]
    assert with_token(text).get("/api/v1/orders").status_code == 200
    repeated = client.post("/api/v1/tokens", body, "application/json", headers=headers)
    assert repeated.status_code == 201
    assert repeated.json() == {k: v for k, v in first.json().items() if k != "token"}
    assert ApiToken.objects.count() == 1
    secret = text.removeprefix(first.json()["prefix"])
    stored = [*IdempotencyKey.objects.values_list("response_body", flat=True)]
    stored += [str(d) for d in AuditEntry.objects.values_list("detail", flat=True)]
    stored += [str(row) for row in ApiToken.objects.values()]
    assert not [line for line in stored if secret in line]
    listed = client.get("/api/v1/tokens").json()["items"]
    assert [row["prefix"] for row in listed] == [first.json()["prefix"]]
    assert "token" not in listed[0]


def test_a_token_cannot_create_tokens(person: Callable[[UserRole], User]) -> None:
    _, text = new_token(person(AD), *Permission)
    body = {"title": "Another", "permissions": ["orders"]}
    answer = with_token(text).post("/api/v1/tokens", body, "application/json")
    assert answer.status_code == 403
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "people", NEW_ADMINISTRATOR),
        ("patch", "people/{own}", {"email": "other@example.com"}),
        ("patch", "people/{clerk}", {"role": "admin"}),
        ("post", "people/{own}/link", {}),
        ("post", "people/{clerk}/reactivate", {}),
        ("post", "people/{own}/remove-second-factors", {}),
        ("post", "people/{own}/unlink", {}),
        ("patch", "security", {"second_factor_is_required": False}),
        ("patch", "single-sign-on", {"is_enabled": True}),
        ("delete", "single-sign-on", {}),
        ("patch", "single-sign-on/saml", {"is_enabled": True}),
        ("delete", "single-sign-on/saml", {}),
        ("post", "single-sign-on/saml/read", {}),
        ("patch", "mail-server", {"host": "smtp.example.com"}),
        ("delete", "mail-server", {}),
    ],
)
def test_a_token_gives_nobody_access(
    method: str, path: str, body: dict[str, Any], person: Callable[[UserRole], User]
) -> None:
    """A leaked token of an administrator opens no account, which would outlive the token."""
    admin, clerk = person(AD), person(CS)
    token, text = new_token(admin, *Permission)
    address = "/api/v1/" + path.format(own=admin.pk, clerk=clerk.pk)
    answer = getattr(with_token(text), method)(address, body, "application/json")
    assert answer.status_code == 403
    detail = "An API token cannot change who has access. Sign in instead."
    assert answer.json()["detail"] == detail
    assert not AccountLink.objects.exists()
    assert User.objects.count() == 2
    denied = AuditEntry.objects.get(action="denied", user=admin)
    assert denied.detail["api_token"] == token.prefix


def test_a_token_takes_access_away(person: Callable[[UserRole], User]) -> None:
    clerk = person(CS)
    program = with_token(new_token(person(AD), P.ADMINISTER)[1])
    for action in ("end-sessions", "deactivate"):
        address = f"/api/v1/people/{clerk.pk}/{action}"
        assert program.post(address, {}, "application/json").status_code == 200
    clerk.refresh_from_db()
    assert not clerk.is_active


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"title": " "}, "title"),
        ({"permissions": []}, "permissions"),
        ({"permissions": ["administer"]}, "permissions"),
        ({"permissions": ["no_such"]}, "permissions"),
        ({"days": 0}, "days"),
        ({"days": 367}, "days"),
        ({"owner": 2**31 - 1}, "owner"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_invalid_tokens_are_refused_with_the_field(
    change: dict[str, Any], path: str, person: Callable[[UserRole], User]
) -> None:
    client = signed_in(OP, person(OP).username)
    body = {"title": "Wall display", "permissions": ["orders"], "days": 7} | change
    answer = client.post("/api/v1/tokens", body, "application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"].split(".")[0] == path
    assert not ApiToken.objects.exists()


def test_only_administrators_create_tokens_of_others(person: Callable[[UserRole], User]) -> None:
    clerk = person(CS)
    body = {"title": "Portal", "permissions": ["orders"], "owner": clerk.pk}
    client = signed_in(OP, person(OP).username)
    answer = client.post("/api/v1/tokens", body, "application/json")
    assert answer.json()["errors"][0]["path"] == "owner"
    client = signed_in(AD, person(AD).username)
    created = client.post("/api/v1/tokens", body, "application/json").json()
    assert (created["is_service"], created["owner"]["id"]) == (True, clerk.pk)
    # It has the rights of its owner, not those of the administrator.
    wider = body | {"permissions": ["rules_see"]}
    answer = client.post("/api/v1/tokens", wider, "application/json")
    assert answer.json()["errors"][0]["path"] == "permissions"


def test_only_the_owner_and_administrators_see_and_revoke_a_token(
    person: Callable[[UserRole], User],
) -> None:
    token, _ = new_token(person(CS), P.ORDERS)
    other = signed_in(OP, person(OP).username)
    assert other.get("/api/v1/tokens").json()["items"] == []
    assert other.delete(f"/api/v1/tokens/{token.pk}").status_code == 404
    assert other.post(f"/tokens/{token.pk}/revoke").status_code == 404
    assert signed_in(AD, person(AD).username).post(f"/tokens/{token.pk}/revoke").status_code == 302
    token.refresh_from_db()
    assert token.revoked_at


def test_a_person_has_a_limited_number_of_valid_tokens(person: Callable[[UserRole], User]) -> None:
    user, now = person(CS), database_now()
    ApiToken.objects.bulk_create(
        ApiToken(
            title="old",
            prefix=f"thr_{number}",
            owner=user,
            permissions=["orders"],
            created_by=user,
            created_at=now,
            expires_at=now + timedelta(days=1),
        )
        for number in range(MAX_TOKENS)
    )
    client = signed_in(CS, user.username)
    form = {"title": "One more", "permissions": ["orders"], "days": "7"}
    assert client.post("/tokens", form).status_code == 422
    ApiToken.objects.filter(prefix="thr_0").update(revoked_at=now)
    assert client.post("/tokens", form).status_code == 200


def test_the_page_creates_a_token_and_shows_it_once(person: Callable[[UserRole], User]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person(OP))
    page = client.get("/tokens").content.decode()
    csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert csrf
    form = {"title": "<b>ERP</b>", "permissions": ["orders", "alerts_see"], "days": "7"}
    assert client.post("/tokens", form).status_code == 403  # without the CSRF token
    answer = client.post("/tokens", form | {"csrfmiddlewaretoken": csrf[1]})
    assert answer["Cache-Control"] == "no-store"
    match = re.search(r'value="(thr_[^"]+)"', answer.content.decode())
    assert match
    assert with_token(match[1]).get("/api/v1/alerts").status_code == 200
    page = client.get("/tokens").content.decode()
    assert match[1] not in page
    assert match[1][:16] in page
    assert "&lt;b&gt;ERP&lt;/b&gt;" in page


def test_the_form_shows_errors_at_the_fields_and_show_what_was_entered() -> None:
    client = signed_in(AD, create_user(AD, "ada").username)
    answer = client.post("/tokens", {"title": "Entered", "days": "x", "owner": "999999"})
    assert answer.status_code == 422
    assert 'value="Entered"' in answer.content.decode()
    assert "Choose a person from the list." in answer.content.decode()
    answer = client.post("/tokens", {"title": "Entered", "days": "x"})
    assert "A token is valid for 1 to 366 days." in answer.content.decode()
    assert "Choose at least one permission." in answer.content.decode()


def test_the_list_has_pages(person: Callable[[UserRole], User]) -> None:
    user, now = person(AD), database_now()
    ApiToken.objects.bulk_create(
        ApiToken(
            title=f"token {number}",
            prefix=f"thr_{number}",
            owner=user,
            permissions=["orders"],
            created_by=user,
            created_at=now,
            expires_at=now,
        )
        for number in range(60)
    )
    client = signed_in(AD, user.username)
    first = client.get("/tokens").content.decode()
    assert first.count("thr_") == 50
    following = re.search(r"/tokens\?before=\d+", first)
    assert following
    assert client.get(following[0]).content.decode().count("thr_") == 10


def test_a_call_with_a_token_needs_few_statements(
    person: Callable[[UserRole], User], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = with_token(new_token(person(OP), P.BOARDS)[1])
    client.get("/api/v1/tiles")  # records the use
    with django_assert_num_queries(3):  # the time, the token with its owner, and the roles
        client.get("/api/v1/tiles")


def test_every_permission_has_a_label() -> None:
    assert set(PERMISSION_LABELS) == set(Permission)
