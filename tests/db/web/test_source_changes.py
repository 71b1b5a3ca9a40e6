"""A new secret with an overlap, archive and restore, and the owner of a source."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from tests.builders.users import signed_in, user_of_role
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.source_secrets import decrypt_secrets, unexpired_signing_secrets
from visibility.models import AuditEntry, IdempotencyKey, Source, find_or_create_team
from visibility.screens.sources.current_states import load_source_chips
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
SECRET = "a-secret-with-more-than-24-bytes"
API = "/api/v1/sources/shop"
HOUR = timedelta(hours=1)


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


@pytest.fixture
def shop() -> Source:
    return add_source(
        "shop", connector="shopify", config={}, secret=SECRET, now=database_now()
    ).source


def valid_secrets(source: Source, after: timedelta) -> list[str]:
    source.refresh_from_db()
    sealed = decrypt_secrets(source.sealed_secrets)
    return [s.decode() for s in unexpired_signing_secrets(sealed, database_now() + after)]


def test_the_old_secret_is_valid_as_long_as_the_person_chose(
    integrator: Client, shop: Source
) -> None:
    assert (
        'href="/sources/shop/rotate"'
        in integrator.get("/sources/shop?tab=settings").content.decode()
    )
    answer = integrator.post("/sources/shop/rotate", {"secret": "", "hours": "3"})
    page = answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"
    new, old = valid_secrets(shop, timedelta())
    assert old == SECRET
    assert f'id="source-secret">{new}<' in page
    assert "stays valid for 3 hours" in page
    assert valid_secrets(shop, 2 * HOUR) == [new, SECRET]
    assert valid_secrets(shop, 4 * HOUR) == [new]
    entry = AuditEntry.objects.get(action="source.rotate")
    assert entry.user is not None
    assert new not in str(entry.detail)
    assert new not in integrator.get("/sources/shop/rotate").content.decode()


def test_the_old_secret_can_end_at_once(integrator: Client, shop: Source) -> None:
    headers = {"Idempotency-Key": "key-1"}
    first = integrator.post(f"{API}/rotate", {"hours": 0}, "application/json", headers=headers)
    new = first.json()["secret"]
    assert valid_secrets(shop, timedelta()) == [new]
    repeated = integrator.post(f"{API}/rotate", {"hours": 0}, "application/json", headers=headers)
    assert "secret" not in repeated.json()
    assert new not in IdempotencyKey.objects.get().response_body


def test_invalid_entries_change_no_secret(integrator: Client, shop: Source) -> None:
    for hours in ("", "-1", "721", "1.5", "x", "9" * 30):
        entered = {"secret": "typed-secret-of-24-bytes-or-more", "hours": hours}
        answer = integrator.post("/sources/shop/rotate", entered)
        assert answer.status_code == 422
        assert 'value="typed-secret-of-24-bytes-or-more"' in answer.content.decode()
    short = integrator.post("/sources/shop/rotate", {"secret": "short", "hours": "1"})
    assert "A secret needs at least 24 bytes." in short.content.decode()
    assert integrator.post(f"{API}/rotate", {"hours": -1}, "application/json").status_code == 400
    assert valid_secrets(shop, timedelta()) == [SECRET]


def test_an_archived_source_is_not_listed_and_cannot_be_enabled(
    integrator: Client, shop: Source
) -> None:
    integrator.post("/sources/shop/archive")
    shop.refresh_from_db()
    assert shop.archived_at is not None
    assert not shop.enabled
    assert load_source_chips(database_now()) == []
    assert integrator.get("/api/v1/sources").json()["items"] == []
    archived = integrator.get("/api/v1/sources?archived=yes").json()["items"]
    assert [item["slug"] for item in archived] == ["shop"]
    page = integrator.get("/sources").content.decode()
    assert 'href="/sources/shop"' not in page
    assert "Archived sources (1)" in page
    assert 'href="/sources/shop"' in integrator.get("/sources?archived=yes").content.decode()
    detail = integrator.get("/sources/shop?tab=messages")
    assert "Archived since" in detail.content.decode()
    enabled = integrator.patch(API, {"enabled": True}, "application/json")
    assert "Restore it" in enabled.content.decode()
    with pytest.raises(IntegrityError), transaction.atomic():
        Source.objects.update(enabled=True)
    assert integrator.post(f"{API}/archive", {}, "application/json").status_code == 409
    restored = integrator.post(f"{API}/restore", {}, "application/json").json()
    assert restored["enabled"] is False
    assert integrator.patch(API, {"enabled": True}, "application/json").status_code == 200
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions)[1:] == ["source.archived", "source.restored", "source.changed"]


def test_the_command_line_archives_and_restores(shop: Source) -> None:
    call_command("source", "archive", "shop")
    shop.refresh_from_db()
    assert shop.archived_at is not None
    call_command("source", "restore", "shop")
    shop.refresh_from_db()
    assert shop.archived_at is None


def test_the_owner_is_a_team_or_a_person(integrator: Client, shop: Source) -> None:
    find_or_create_team("Warehouse")
    page = integrator.get("/sources/shop?tab=settings").content.decode()
    assert '<option value="team:Warehouse">' in page
    assert '<option value="person:ines">' in page
    entered = {"title": "Shop", "enabled": "yes", "owner": "person:ines"}
    assert integrator.post("/sources/shop/properties", entered).status_code == 302
    shop.refresh_from_db()
    assert (shop.owner, shop.owner_label) == ("", "ines")
    answer = integrator.patch(API, {"owner": "team:Warehouse"}, "application/json")
    assert answer.json()["owner"] == "team:Warehouse"
    shop.refresh_from_db()
    assert (shop.owner, shop.owner_user) == ("Warehouse", None)
    assert integrator.get("/api/v1/sources").json()["items"][0]["owner"] == "Warehouse"
    for owner in ("team:Nobody", "person:nobody", "Warehouse", "person:\0"):
        refused = integrator.patch(API, {"owner": owner}, "application/json")
        assert refused.status_code == 400
        refused = integrator.post("/sources/shop/properties", {**entered, "owner": owner})
        assert refused.status_code == 422
    integrator.post("/sources/shop/properties", {"title": "Shop", "enabled": "yes"})
    shop.refresh_from_db()
    assert shop.owner == "Warehouse"


@pytest.mark.parametrize("role", [UserRole.OPERATIONS, UserRole.EXECUTIVE])
def test_others_change_nothing(role: UserRole, shop: Source) -> None:
    client = signed_in(role)
    for name in ("rotate", "archive", "restore"):
        assert client.post(f"/sources/shop/{name}", {"hours": "0"}).status_code == 403
        assert client.post(f"{API}/{name}", {}, "application/json").status_code == 403
    assert valid_secrets(shop, timedelta()) == [SECRET]
    assert not Source.objects.exclude(archived_at=None).exists()


def test_a_form_without_its_token_is_refused(shop: Source) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of_role(UserRole.ADMIN))
    for name in ("rotate", "archive"):
        assert strict.post(f"/sources/shop/{name}", {"hours": "0"}).status_code == 403
    assert valid_secrets(shop, timedelta()) == [SECRET]
