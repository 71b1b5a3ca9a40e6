"""A new SECRET_KEY: everything is readable with both keys, then renewed, then the old one goes."""

import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.live_client import LiveTestClient
from tests.builders.second_factors import code_of, set_up_app, sign_in
from tests.builders.sources import create_source
from tests.builders.users import create_user, signed_in
from visibility.db.database_time import database_now
from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import UnreadableCiphertext, decrypt_text, encrypt_text
from visibility.db.keyed_seal import seal_text
from visibility.ingest.source_secrets import SourceSecret, decrypt_secrets, encrypt_secrets
from visibility.models import (
    AccountLinkPurpose,
    ApiToken,
    AuditEntry,
    BusinessObject,
    IdentityProvider,
    KeyReplacement,
    MailServer,
    Order,
    ScreenLink,
    SignInThrottle,
    Source,
    Subscription,
    TrackingLink,
    TrackingSubscriber,
)
from visibility.models.audit import find_audit_violations
from visibility.notify.account_links import account_link_path, create_account_link
from visibility.notify.check_and_encrypt_channel_settings import (
    decrypt_channel_secrets,
    encrypt_channel_secrets,
)
from visibility.notify.mail import open_mail_password, seal_mail_password
from visibility.operations.key_replacement.registry import STORED_VALUES
from visibility.screens.tracking.email_updates import STOP, subscriber_path
from visibility.screens.tracking.orders_of_link import tracking_path
from visibility.web.api_tokens import create_api_token
from visibility.web.author import Author
from visibility.web.live.hub import hub_of_this_process
from visibility.web.people.throttle import take_attempt
from visibility.web.permissions import UserRole
from visibility.web.screen_links import screen_link_path

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
OLD, NEW = "the old key, of more than 32 characters", "the new key, of more than 32 characters"
COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND data_type IN ('text', 'character varying', 'jsonb')
"""
CIPHERTEXT = re.compile(r"gAAAA[\w-]{60,}=*")


@pytest.fixture(autouse=True)
def _old_key(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.SECRET_KEY, settings.ALLOWED_HOSTS = OLD, ["testserver"]
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    hub_of_this_process.cache_clear()
    cache.clear()
    call_command("verify_audit", "--reseal", stdout=StringIO())
    yield
    hub_of_this_process.cache_clear()


@pytest.fixture
def ada() -> User:
    return create_user(UserRole.ADMIN, "ada", password=PASSWORD)


def replace_key(settings: Settings) -> None:
    """What the operator enters."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]


def command(*options: str) -> str:
    output = StringIO()
    call_command("replace_secret_key", *options, stdout=output)
    return " ".join(output.getvalue().split())


def ciphertexts() -> list[str]:
    """Every ciphertext in the database, whatever its column."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        columns = cursor.fetchall()
        cells: list[Any] = []
        for table, column in columns:
            cursor.execute(
                f'SELECT "{column}"::text FROM "{table}" WHERE "{column}"::text LIKE %s',  # noqa: S608
                ["%gAAAA%"],
            )
            cells += [row[0] for row in cursor.fetchall()]
    return [text for cell in cells for text in CIPHERTEXT.findall(cell)]


def is_readable(text: str) -> bool:
    for purpose in KeyPurpose:
        try:
            decrypt_text(text, purpose=purpose)
        except UnreadableCiphertext:
            continue
        return True
    return False


def store_secrets(user: User) -> None:
    """One value for each column that is encrypted."""
    create_source("erp", sealed_secrets=encrypt_secrets([SourceSecret("s" * 30)]))
    create_source("wms")
    Subscription.objects.create(
        user=user, channel="webhook", sealed_secrets=encrypt_channel_secrets({"secret": "hook"})
    )
    MailServer.objects.create(
        id=1, host="mail.example", port=25, sealed_password=seal_mail_password("post")
    )
    IdentityProvider.objects.create(
        id=1,
        sealed_client_secret=encrypt_text(b"client", purpose=KeyPurpose.IDENTITY_PROVIDER),
    )
    RecoveryCodes.activate(user)
    set_up_app(user)


def test_nothing_is_lost_and_then_nothing_needs_the_old_key(settings: Settings, ada: User) -> None:
    browser = Client()
    sign_in(browser, "ada", PASSWORD)
    assert browser.get("/orders").status_code == 200
    store_secrets(ada)
    _, token = create_api_token("ci", ["orders"], days=9, by=Author(ada, database_now()))
    before = ciphertexts()
    assert len(before) == 6

    replace_key(settings)
    assert all(map(is_readable, before))
    with pytest.raises(CommandError, match="still depend on an older key"):
        command("--check")
    assert AuditEntry.objects.filter(action="secret_key.replaced").count() == 0
    assert len(ciphertexts()) == 6
    assert set(ciphertexts()) == set(before)
    text = command()
    for line in (
        "1 Secrets of sources",
        "1 Secrets of subscriptions",
        "1 Password of the mail server",
        "1 Client secret of the identity provider",
        "2 Second factors",
        "1 API tokens",
        "1 End of the audit log",
        "1 Sessions",
        "Nothing stored needs the older keys.",
    ):
        assert line in text, line
    detail = AuditEntry.objects.get(action="secret_key.replaced").detail
    assert detail["renewed"]["Second factors"] == 2
    assert (OLD in str(detail), NEW in str(detail)) == (False, False)
    assert "0 Second factors" in command()
    assert "Nothing stored needs" in command("--check")

    settings.SECRET_KEY_FALLBACKS = []
    assert len(ciphertexts()) == 6
    assert all(map(is_readable, ciphertexts()))
    assert decrypt_secrets(Source.objects.get(slug="erp").sealed_secrets)[0].value == "s" * 30
    assert decrypt_channel_secrets(Subscription.objects.get().sealed_secrets) == {"secret": "hook"}
    assert open_mail_password(MailServer.objects.get()) == "post"
    assert find_audit_violations() == []
    assert browser.get("/orders").status_code == 200
    api = Client(headers={"Authorization": f"Bearer {token}"})
    assert api.get("/api/v1/orders").status_code == 200
    settings.REQUIRE_SECOND_FACTOR = True
    other = Client()
    assert sign_in(other, "ada", PASSWORD)["Location"] == "/signin/code"
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    assert other.post("/signin/code", {"code": code_of(secret)})["Location"] == "/"
    settings.SECRET_KEY = OLD
    assert not any(map(is_readable, ciphertexts()))


def test_an_interrupted_run_goes_on(
    settings: Settings, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        create_source(f"s{number}", sealed_secrets=encrypt_secrets([SourceSecret("s" * 30)]))
    replace_key(settings)
    monkeypatch.setattr("visibility.operations.key_replacement.stored_values.BATCH_ROWS", 2)
    values = STORED_VALUES[KeyPurpose.SOURCE_SECRETS]
    examined = 0

    def fail_at_the_fourth(row: Any) -> Any:
        nonlocal examined
        examined += 1
        if examined == 4:
            raise RuntimeError("killed")
        return values.examine(row)

    failing = type(values)(
        values.title, values.model, values.column, fail_at_the_fourth, values.rows
    )
    with monkeypatch.context() as killed:
        killed.setitem(STORED_VALUES, KeyPurpose.SOURCE_SECRETS, failing)
        with pytest.raises(RuntimeError):
            command()
    assert "3 Secrets of sources" in command()
    row = KeyReplacement.objects.get()
    assert row.finished_at is not None
    assert row.finished_at > row.started_at


def test_links_that_were_given_out_end_with_the_old_key(settings: Settings, ada: User) -> None:
    now = database_now()
    times = {"created_at": now, "expires_at": now + timedelta(days=9)}
    order = BusinessObject.objects.create(kind="order")
    tracking = TrackingLink.objects.create(name="t" * 16, order=order, created_by=ada, **times)
    Order.objects.create(object=order, key="SO-1", status="received", is_open=True)
    subscriber = TrackingSubscriber.objects.create(
        link=tracking, name="s" * 16, address="a@example.com", requested_at=now
    )
    screen = ScreenLink.objects.create(
        title="Wall", boards=["operations"], every=30, created_by=ada, **times
    )
    account = create_account_link(ada, AccountLinkPurpose.RESET, by=None, now=now, send_mail=False)

    def paths() -> list[str]:
        return [
            tracking_path(tracking),
            subscriber_path(subscriber, STOP),
            screen_link_path(screen),
            account_link_path(account),
        ]

    old_paths = paths()
    replace_key(settings)
    new_paths = paths()
    assert not set(old_paths) & set(new_paths)
    assert [Client().get(path).status_code for path in old_paths] == [200] * 4
    text = command()
    for title in (
        "Tracking links",
        "Screen links",
        "Links that set a password",
        "Links in emails of tracking pages",
    ):
        assert f"1 {title}: given out before" in text, title
    settings.SECRET_KEY_FALLBACKS = []
    assert [Client().get(path).status_code for path in old_paths] == [404] * 4
    assert [Client().get(path).status_code for path in new_paths] == [200] * 4
    settings.SECRET_KEY_FALLBACKS = [OLD]
    later = database_now()
    ScreenLink.objects.update(created_at=later + timedelta(seconds=1))
    assert "Screen links" not in command("--check")


def test_a_token_of_an_earlier_release_is_renewed_when_it_is_used(
    settings: Settings, ada: User
) -> None:
    row, token = create_api_token("ci", ["orders"], days=9, by=Author(ada, database_now()))
    _, unused = create_api_token("old", ["orders"], days=9, by=Author(ada, database_now()))
    for text in (token, unused):
        stored = ApiToken.objects.get(prefix=text[:16])
        # As earlier releases did: the secret itself is sealed.
        stored.secret_digest = ""
        stored.digest = seal_as_before(stored, text[16:])
        stored.save()
    replace_key(settings)
    assert "2 API tokens of an earlier release" in command()
    api = Client(headers={"Authorization": f"Bearer {token}"})
    assert api.get("/api/v1/orders").status_code == 200
    assert "1 API tokens of an earlier release" in command("--check")
    settings.SECRET_KEY_FALLBACKS = []
    assert api.get("/api/v1/orders").status_code == 200
    refused = Client(headers={"Authorization": f"Bearer {unused}"})
    assert refused.get("/api/v1/orders").status_code == 401
    ApiToken.objects.filter(pk=row.pk).update(permissions=["orders", "administer"])
    assert api.get("/api/v1/orders").status_code == 401


def seal_as_before(token: ApiToken, secret: str) -> str:
    return seal_text(token._sealed_text(secret), purpose=KeyPurpose.API_TOKEN)


@pytest.mark.slow
def test_sessions_go_on_for_pages_that_ask_at_once_and_for_sockets(
    settings: Settings, ada: User
) -> None:
    browser = Client()
    sign_in(browser, "ada", PASSWORD)
    cookie = browser.cookies["sessionid"].value
    replace_key(settings)

    async def is_accepted() -> bool:
        page = LiveTestClient(browser)
        accepted = await page.connect()
        await page.wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await page.wire.wait(timeout=3)
        return accepted

    assert async_to_sync(is_accepted)()
    for _ in range(2):
        same_cookie = Client()
        same_cookie.cookies["sessionid"] = cookie
        assert same_cookie.get("/orders").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert browser.get("/orders").status_code == 200
    ada.set_password("another horse battery")
    ada.save()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, [NEW]
    assert browser.get("/orders")["Location"].startswith("/signin")


def test_guesses_are_counted_on(settings: Settings, ada: User) -> None:
    now = database_now()
    for _ in range(6):
        take_attempt("ada", "192.0.2.7", now)
    count = SignInThrottle.objects.count()
    replace_key(settings)
    assert take_attempt("ada", "192.0.2.7", now) is not None
    assert SignInThrottle.objects.count() == count


def test_the_system_page_says_what_needs_the_old_key(settings: Settings, ada: User) -> None:
    create_source("erp", sealed_secrets=encrypt_secrets([SourceSecret("s" * 30)]))
    admin = signed_in(UserRole.ADMIN)
    assert "No older key is set." in admin.get("/system").content.decode()
    assert admin.get("/api/v1/system").json()["secret_key"]["fallback_keys"] == 0
    replace_key(settings)
    page = admin.get("/system").content.decode()
    assert "1 older key in use." in page
    assert "<dt>Secrets of sources</dt><dd>1 to renew</dd>" in page
    key = admin.get("/api/v1/system").json()["secret_key"]
    assert key["fallback_keys"] == 1
    assert {"title": "Secrets of sources", "count": 1, "is_complete": True} in key["stored"]
    command()
    assert "Nothing stored needs the older keys" in admin.get("/system").content.decode()
    settings.SECRET_KEY_FALLBACKS = ["a third key, which nothing was made with"]
    Source.objects.update(sealed_secrets="gAAAA-not-readable")
    unreadable = admin.get("/api/v1/system").json()["secret_key"]["unreadable"]
    assert [item["title"] for item in unreadable] == ["Secrets of sources"]
    assert Authenticator.objects.count() == 0
