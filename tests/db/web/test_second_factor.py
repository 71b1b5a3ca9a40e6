"""Second factors: required of sessions, not of API tokens; authenticator app and recovery codes."""

import re
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.live_client import LiveTestClient
from tests.builders.second_factors import code_of, secret_on, set_up_app, sign_in
from tests.builders.users import create_user
from visibility.db.database_time import database_now
from visibility.models import AccountLinkPurpose, AuditEntry
from visibility.notify.account_links import account_link_path, create_account_link
from visibility.web.api_tokens import create_api_token
from visibility.web.author import Author
from visibility.web.live import hub as hubs
from visibility.web.people import second_factor, second_factor_middleware
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
SET_UP, CONFIRM = "/account/second-factor", "/account/confirm/code"
JSON = "application/json"


@pytest.fixture(autouse=True)
def _required(settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    cache.clear()


@pytest.fixture
def olga() -> User:
    return create_user(UserRole.ADMIN, "olga", password=PASSWORD, first_name="O", last_name="E")


def audited(user: User) -> list[str]:
    rows = AuditEntry.objects.filter(user=user).order_by("pk")
    return list(rows.values_list("action", flat=True))


def fully_signed_in(user: User, secret: str = "") -> Client:
    """A client that gave the password and the code."""
    client = Client()
    secret = secret or set_up_app(user)
    sign_in(client, user.username, PASSWORD)
    answer = client.post("/signin/code", {"code": code_of(secret)})
    assert answer.status_code == 302
    return client


def test_without_a_second_factor_only_its_set_up_is_open(client: Client, olga: User) -> None:
    assert sign_in(client, "olga", PASSWORD)["Location"] == "/"
    for path in ("/", "/orders", "/people", "/account", "/tokens"):
        assert client.get(path)["Location"] == SET_UP, path
    answer = client.get("/api/v1/orders")
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    assert "second factor" in answer.json()["detail"]
    assert client.post("/tokens", {"title": "x"})["Location"] == SET_UP
    page = client.get(SET_UP)
    assert "A second factor is required." in page.content.decode()
    assert 'class="rail"' not in page.content.decode()
    assert client.post("/signout").status_code == 302
    assert client.get("/healthz").status_code == 200


def test_an_app_is_set_up_with_a_qr_code_and_the_session_goes_on(
    client: Client, olga: User
) -> None:
    sign_in(client, "olga", PASSWORD)
    page = client.get(f"{SET_UP}/app").content.decode()
    assert 'src="data:image/svg+xml;base64,' in page
    wrong = client.post(f"{SET_UP}/app", {"code": "000000"})
    assert "This code is not valid" in wrong.content.decode()
    secret = secret_on(client.get(f"{SET_UP}/app").content.decode())
    answer = client.post(f"{SET_UP}/app", {"code": code_of(secret)})
    assert answer["Location"] == f"{SET_UP}/recovery-codes"
    codes = re.findall(
        r"^\s*(?:<pre[^>]*>)?(\d{8})$", client.get(answer["Location"]).content.decode(), re.M
    )
    assert len(codes) == 10
    assert codes[0] not in client.get(answer["Location"]).content.decode()  # shown once
    assert client.get("/orders").status_code == 200
    assert secret not in str(list(Authenticator.objects.values()))
    assert "second_factor.added" in audited(olga)


def test_the_code_is_asked_for_after_the_password(client: Client, olga: User) -> None:
    secret = set_up_app(olga)
    answer = client.post(
        "/signin", {"username": "olga", "password": PASSWORD, "next": "/alerts?view=mine"}
    )
    assert answer["Location"] == "/signin/code"
    assert "_auth_user_id" not in client.session
    assert client.get("/orders")["Location"].startswith("/signin")
    wrong = client.post("/signin/code", {"code": "123"})
    assert "This code is not valid" in wrong.content.decode()
    assert "_auth_user_id" not in client.session
    answer = client.post("/signin/code", {"code": code_of(secret)})
    assert answer["Location"] == "/alerts?view=mine"
    assert client.get("/alerts").status_code == 200
    assert audited(olga) == ["session.second_factor_refused", "session.signed_in"]


def test_a_link_that_sets_a_password_replaces_no_second_factor(client: Client, olga: User) -> None:
    set_up_app(olga)
    link = create_account_link(
        olga, AccountLinkPurpose.RESET, by=None, now=database_now(), send_mail=False
    )
    form = dict.fromkeys(("new_password1", "new_password2"), "a much better passphrase")
    assert client.post(account_link_path(link), form)["Location"] == "/signin/code"
    assert "_auth_user_id" not in client.session


def test_a_code_works_once(olga: User) -> None:
    secret = set_up_app(olga)
    code = code_of(secret)
    for is_accepted in (True, False):
        client = Client()
        sign_in(client, "olga", PASSWORD)
        client.post("/signin/code", {"code": code})
        assert ("_auth_user_id" in client.session) == is_accepted


def test_codes_cannot_be_guessed(client: Client, olga: User) -> None:
    secret = set_up_app(olga)
    sign_in(client, "olga", PASSWORD)
    for _ in range(5):
        client.post("/signin/code", {"code": "000000"})
    answer = client.post("/signin/code", {"code": code_of(secret)})
    assert "Too many wrong codes. Try again in 5 minutes" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_recovery_code_replaces_the_app_once(olga: User) -> None:
    secret = set_up_app(olga)
    client = fully_signed_in(olga, secret)
    answer = client.post(f"{SET_UP}/recovery-codes/new")
    page = client.get(answer["Location"]).content.decode()
    code = re.findall(r"(\d{8})$", page, re.M)[0]
    for is_accepted in (True, False):
        other = Client()
        sign_in(other, "olga", PASSWORD)
        other.post("/signin/code", {"code": code})
        assert ("_auth_user_id" in other.session) == is_accepted


def test_a_session_from_before_must_confirm_and_can_add_no_factor_of_its_own(
    olga: User,
) -> None:
    """Someone with the password alone, who signed in before the second factor was set up."""
    early = Client()
    sign_in(early, "olga", PASSWORD)
    secret = set_up_app(olga)
    for path in ("/orders", SET_UP, f"{SET_UP}/passkeys/add", f"{SET_UP}/app/remove"):
        assert early.get(path)["Location"].startswith(CONFIRM), path
    assert early.post(f"{SET_UP}/app/remove")["Location"].startswith(CONFIRM)
    assert Authenticator.objects.filter(user=olga, type="totp").exists()
    answer = early.post(CONFIRM, {"code": code_of(secret), "next": "/orders"})
    assert answer["Location"] == "/orders"
    assert early.get("/orders").status_code == 200


def test_a_password_alone_confirms_nothing_where_a_factor_is_set_up(olga: User) -> None:
    early = Client()
    sign_in(early, "olga", PASSWORD)
    set_up_app(olga)
    early.post("/account/confirm", {"password": PASSWORD, "next": "/orders"})
    assert early.get("/orders").status_code == 302


def test_the_last_required_factor_cannot_be_removed(olga: User) -> None:
    client = fully_signed_in(olga)
    page = client.post(f"{SET_UP}/app/remove").content.decode()
    assert "A second factor is required. Add another one first." in page
    assert Authenticator.objects.filter(user=olga, type="totp").exists()
    second_factor.change_requirement(False, by=Author(olga, database_now()))
    assert client.post(f"{SET_UP}/app/remove").status_code == 302
    assert not Authenticator.objects.filter(user=olga).exists()
    assert "second_factor.removed" in audited(olga)


def test_changes_of_factors_ask_for_the_password_after_15_minutes(olga: User) -> None:
    client = fully_signed_in(olga)
    session = client.session
    records = session[AUTHENTICATION_METHODS_SESSION_KEY]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [r | {"at": r["at"] - 901} for r in records]
    session.save()
    answer = client.get(f"{SET_UP}/passkeys/add")
    assert answer["Location"].startswith("/account/confirm?")
    assert client.post("/people/security", {"required": "no"})["Location"].startswith(
        "/account/confirm?"
    )
    answer = client.patch("/api/v1/security", {"second_factor_is_required": False}, JSON)
    assert (answer.status_code, "/account/confirm" in answer.json()["detail"]) == (403, True)
    assert second_factor.is_required()
    form = {"password": PASSWORD, "next": f"{SET_UP}/passkeys/add"}
    assert client.post("/account/confirm", form)["Location"] == f"{SET_UP}/passkeys/add"
    assert client.get(f"{SET_UP}/passkeys/add").status_code == 200


def test_api_tokens_need_no_second_factor_and_open_none(olga: User) -> None:
    by = Author(olga, database_now())
    _, text = create_api_token("ERP export", ["orders"], days=30, by=by)
    program = Client(headers={"Authorization": f"Bearer {text}"})
    assert program.get("/api/v1/orders").status_code == 200
    early = Client(headers={"Authorization": "Bearer wrong"})
    sign_in(early, "olga", PASSWORD)
    assert early.get("/api/v1/orders").status_code == 401
    assert early.get("/orders")["Location"] == SET_UP
    early = Client(headers={"Authorization": f"Bearer {text}"})
    sign_in(early, "olga", PASSWORD)
    assert early.get("/orders")["Location"] == SET_UP


def test_an_administrator_makes_it_optional_and_required(olga: User) -> None:
    clerk = create_user(UserRole.CUSTOMER_SERVICE, "clara", password=PASSWORD)
    client, other = fully_signed_in(olga), Client()
    sign_in(other, "clara", PASSWORD)
    assert other.get("/orders")["Location"] == SET_UP
    page = client.get("/people/security").content.decode()
    assert "1 person has none" in page
    listed = client.get("/people?state=no-factor").content.decode()
    assert listed.count('class="row-link"') == 1
    assert "clara" in listed
    assert client.post("/people/security", {"required": "no"}).status_code == 302
    assert other.get("/orders").status_code == 200
    assert client.post("/people/security", {"required": "yes"}).status_code == 302
    assert other.get("/orders")["Location"] == SET_UP
    assert audited(olga)[-2:] == [
        "security.second_factor_relaxed",
        "security.second_factor_required",
    ]
    assert second_factor.has_second_factor(olga)
    assert not second_factor.has_second_factor(clerk)


def test_the_requirement_over_the_api(olga: User, settings: Settings) -> None:
    client = fully_signed_in(olga)
    body = {"second_factor_is_required": False}
    assert client.patch("/api/v1/security", body, JSON).json() == body | {
        "idle_minutes": 720,
        "session_hours": 168,
        "is_fixed_by_server": False,
        "refused_password_terms": [],
        "checks_breached_passwords": False,
        "breach_check_url": "https://api.pwnedpasswords.com/range/",
    }
    assert not second_factor.is_required()
    settings.REQUIRE_SECOND_FACTOR = False
    body = {"second_factor_is_required": True}
    assert client.patch("/api/v1/security", body, JSON).status_code == 409
    assert client.get("/api/v1/security").json()["is_fixed_by_server"]
    assert "cannot be changed" in client.get("/people/security").content.decode()


def test_sockets_need_a_second_factor_and_close_when_it_becomes_required(
    olga: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    monkeypatch.setattr(hubs, "AUTHORIZATION_SECONDS", 0.05)
    monkeypatch.setattr(hubs, "HEARTBEAT_SECONDS", 0.3)
    hubs.hub_of_this_process.cache_clear()
    early = Client()
    sign_in(early, "olga", PASSWORD)
    full = fully_signed_in(olga)
    by = Author(olga, database_now())

    async def run() -> None:
        assert not await LiveTestClient(early).connect()
        await sync_to_async(second_factor.change_requirement)(False, by=by)
        page, other = LiveTestClient(early), LiveTestClient(full)
        assert await page.connect()
        assert await other.connect()
        await sync_to_async(second_factor.change_requirement)(True, by=by)
        assert await page.close_code() == 4401
        assert (await other.receive())["type"] == "hello"
        assert (await other.receive())["type"] == "heartbeat"
        await other.disconnect()

    async_to_sync(run)()


def test_without_the_database_the_answer_is_503(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise OperationalError

    monkeypatch.setattr(second_factor_middleware, "lacks_second_factor", fail)
    answer = client.get("/orders")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert client.get("/healthz").status_code == 200


def test_the_demo_needs_none(client: Client, settings: Settings) -> None:
    settings.DEMO, settings.REQUIRE_SECOND_FACTOR = True, False
    create_user(UserRole.OPERATIONS, "operations")
    client.post("/signin/demo", {"who": "operations"})
    assert client.get("/alerts").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        SET_UP,
        f"{SET_UP}/app",
        f"{SET_UP}/app/remove",
        f"{SET_UP}/passkeys/add",
        f"{SET_UP}/recovery-codes",
        f"{SET_UP}/recovery-codes/new",
        "/account",
        "/account/confirm",
        CONFIRM,
        "/people/security",
    ],
)
def test_pages_have_no_inline_script_and_are_ours(olga: User, path: str) -> None:
    client = fully_signed_in(olga)
    if path == f"{SET_UP}/recovery-codes":
        client.post(f"{path}/new")
    if path == f"{SET_UP}/app":
        Authenticator.objects.all().delete()
        early: Any = client.get(path)
    else:
        early = client.get(path)
    page = early.content.decode()
    assert early.status_code == 200
    assert "· Throughline</title>" in page
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page)
    assert not re.search(r"\s(on\w+|style)=", page)


def test_the_second_step_can_be_cancelled(client: Client, olga: User) -> None:
    set_up_app(olga)
    sign_in(client, "olga", PASSWORD)
    page = client.get("/signin/code").content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page)
    assert client.get("/signin/cancel")["Location"] == "/signin"
    assert client.get("/signin/code")["Location"] == "/signin"
