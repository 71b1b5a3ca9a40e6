"""`/api/v1/sources/<slug>/settings`: declared settings, checked changes, secrets never shown."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.ingest import source_secrets
from visibility.models import AuditEntry, Source
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
URL = "/api/v1/sources/wms/settings"


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def patch(client: Client, settings: object, **headers: str) -> Any:
    return client.patch(URL, {"settings": settings}, "application/json", headers=headers)


def settings_by_name(client: Client) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in client.get(URL).json()["settings"]}


def test_settings_are_listed_with_their_declarations(integrator: Client) -> None:
    create_source(connector="shiphero", config={"zone": "UTC", "warehouse.7": "Dallas"})
    content = integrator.get(URL).json()
    assert (content["slug"], content["connector"]) == ("wms", "shiphero")
    assert content["families"] == [
        "warehouse.<id>",
        "silent_after.<event type>",
        "record_link.<kind of record>",
        "secret_ends.<setting>",
    ]
    items = settings_by_name(integrator)
    zone, unset = items["zone"], items["order_number"]
    assert (zone["type"], zone["value"], zone["is_set"]) == ("zone", "UTC", True)
    assert (unset["type"], unset["value"], unset["is_set"]) == ("scheme_at_issuer", None, False)
    assert items["warehouse.7"]["family"] == "warehouse.<id>"
    assert "wms" in items["role"]["choices"]


def test_changes_are_typed_saved_and_audited_by_name(integrator: Client) -> None:
    feed = create_source(connector="shiphero", config={"zone": "UTC", "warehouse.7": "Dallas"})
    changes = {"test_traffic": True, "warehouse.8": 12, "zone": None}
    answer = patch(integrator, changes)
    assert answer.status_code == 200
    feed.refresh_from_db()
    assert feed.config == {"test_traffic": "yes", "warehouse.7": "Dallas", "warehouse.8": "12"}
    entry = AuditEntry.objects.get(action="source.set")
    assert entry.detail == {
        "settings": ["test_traffic", "warehouse.8", "zone"],
        "before": {"test_traffic": None, "warehouse.8": None, "zone": "UTC"},
        "after": {"test_traffic": "yes", "warehouse.8": "12", "zone": None},
    }
    assert entry.user is not None
    assert entry.user.username == "ines"


def test_every_invalid_setting_is_named_and_nothing_is_saved(integrator: Client) -> None:
    feed = create_source(connector="shiphero", config={"zone": "UTC"})
    answer = patch(integrator, {"zone": "Texas", "color": "red", "order_number": "sales_order@erp"})
    assert answer.status_code == 400
    errors = {error["path"]: error["detail"] for error in answer.json()["errors"]}
    assert set(errors) == {"settings.zone", "settings.color"}
    assert "is not an IANA time zone" in errors["settings.zone"]
    feed.refresh_from_db()
    assert feed.config == {"zone": "UTC"}
    assert not AuditEntry.objects.filter(action="source.set").exists()


@pytest.mark.parametrize("given", [[], "zone", {"zone": []}, {"zone": {"a": 1}}])
def test_unreadable_settings_are_refused(integrator: Client, given: object) -> None:
    create_source(connector="shiphero", config={"zone": "UTC"})
    assert patch(integrator, given).status_code == 400
    assert integrator.patch(URL, {"zone": "UTC"}, "application/json").status_code == 400  # unknown
    assert Source.objects.get().config == {"zone": "UTC"}


def test_a_secret_can_be_set_and_removed_but_is_never_returned(integrator: Client) -> None:
    feed = create_source(connector="woocommerce", config={})
    answer = patch(integrator, {"api_key": "ck_1:cs_2", "base_url": "https://shop.example.com"})
    assert b"ck_1" not in answer.content
    assert b"ck_1" not in integrator.get(URL).content
    assert "ck_1" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))
    item = settings_by_name(integrator)["api_key"]
    assert (item["is_secret"], item["is_set"], item["value"]) == (True, True, None)
    feed.refresh_from_db()
    sealed = source_secrets.decrypt_secrets(feed.sealed_secrets)
    assert source_secrets.secret_setting_values_by_name(sealed) == {"api_key": "ck_1:cs_2"}
    assert feed.next_poll_at is not None
    patch(integrator, {"api_key": None})
    assert settings_by_name(integrator)["api_key"]["is_set"] is False


def test_a_new_drop_folder_must_be_inside_the_allowed_folders(
    integrator: Client, tmp_path: Path, settings: Settings
) -> None:
    settings.DROP_ROOTS = [str(tmp_path / "in")]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to("/etc")
    create_source(connector="x12", config={})
    for folder in ("/etc", f"{tmp_path}/in", f"{tmp_path}/in/../x", f"{tmp_path}/in/link", "in/a"):
        answer = patch(integrator, {"drop": folder})
        assert answer.status_code == 400
        assert "The folder must be inside" in answer.json()["detail"]
    assert patch(integrator, {"drop": f"{tmp_path}/in/north"}).status_code == 200
    assert (tmp_path / "in" / "north").is_dir()


def test_a_drop_folder_that_an_administrator_set_stays_valid(integrator: Client) -> None:
    feed = create_source(connector="x12", config={"drop": "/srv/edi"})
    assert patch(integrator, {"zone": "UTC", "drop": "/srv/edi"}).status_code == 200
    feed.refresh_from_db()
    assert feed.config == {"drop": "/srv/edi", "zone": "UTC"}


def test_repeated_request_changes_the_settings_once(integrator: Client) -> None:
    create_source(connector="shiphero", config={})
    for _ in range(2):
        assert patch(integrator, {"zone": "UTC"}, **{"Idempotency-Key": "k"}).status_code == 200
    assert AuditEntry.objects.filter(action="source.set").count() == 1


def test_settings_need_a_permission_and_a_source(integrator: Client) -> None:
    assert integrator.get(URL).status_code == 404
    assert patch(integrator, {}).status_code == 404
    create_source(connector="removed")
    assert integrator.get(URL).json()["settings"] == []
    assert patch(integrator, {"zone": "UTC"}).status_code == 400
    operations = signed_in(UserRole.OPERATIONS)
    assert operations.get(URL).status_code == 403
    assert patch(operations, {"zone": "UTC"}).status_code == 403


def own_secrets(source: Source) -> list[str]:
    source.refresh_from_db()
    sealed = source_secrets.decrypt_secrets(source.sealed_secrets)
    return [secret.value for secret in sealed if not secret.setting]


def test_the_secret_of_the_source_is_replaced_and_never_returned(integrator: Client) -> None:
    feed = create_source(connector="shiphero", config={})
    new = "a-new-secret-of-the-warehouse-system"
    for secret in ("the-first-secret-of-the-warehouse", new):
        body = {"secret": secret, "settings": {"zone": "UTC"}}
        answer = integrator.patch(URL, body, "application/json")
        assert answer.status_code == 200
        assert secret.encode() not in answer.content
    assert own_secrets(feed) == [new, "the-first-secret-of-the-warehouse"]
    assert feed.config == {"zone": "UTC"}
    entries = AuditEntry.objects.filter(action="source.rotate")
    expected = [(["old_valid_until"], "ines")] * 2
    assert [(list(entry.detail), str(entry.user)) for entry in entries] == expected


def test_a_weak_secret_or_an_invalid_setting_changes_nothing(integrator: Client) -> None:
    feed = create_source(connector="shiphero", config={})
    for secret, zone, path in (
        ("short", "UTC", "secret"),
        ("a-new-secret-of-the-warehouse-system", "Texas", "settings.zone"),
    ):
        body = {"secret": secret, "settings": {"zone": zone}}
        answer = integrator.patch(URL, body, "application/json")
        assert answer.status_code == 400
        assert [error["path"] for error in answer.json()["errors"]] == [path]
        assert own_secrets(feed) == []
        assert feed.config == {}
    assert not AuditEntry.objects.filter(action__startswith="source.").exists()


def test_a_new_secret_replaces_those_that_cannot_be_decrypted(integrator: Client) -> None:
    feed = create_source(connector="woocommerce", config={}, sealed_secrets="of another key")
    body = {"secret": "short", "settings": {"api_key": "ck_1:cs_2"}}
    assert integrator.patch(URL, body, "application/json").status_code == 200
    assert own_secrets(feed) == ["short"]


def test_silence_limits_are_set_and_shown_with_their_origin(integrator: Client) -> None:
    feed = create_source()
    health = integrator.get("/api/v1/sources/wms/health").json()
    assert (health["silence_limit_seconds"], health["silence_limit_origin"]) == (3600, "default")
    limits = {"silent_after": "26 h", "silent_after.pack.completed": "2 h"}
    assert patch(integrator, limits).status_code == 200
    feed.refresh_from_db()
    assert feed.expect_every == timedelta(hours=26)
    health = integrator.get("/api/v1/sources/wms/health").json()
    assert (health["silence_limit_seconds"], health["silence_limit_origin"]) == (93600, "setting")
    (packing,) = health["event_type_silence_limits"]
    assert (packing["event_type"], packing["limit_seconds"]) == ("pack.completed", 7200)
    assert patch(integrator, {"silent_after": "never"}).status_code == 200
    health = integrator.get("/api/v1/sources/wms/health").json()
    assert health["silence_limit_seconds"] is None
    answer = patch(integrator, {"silent_after": "soon", "silent_after.packing": "2 h"})
    assert answer.status_code == 400
    assert {error["path"] for error in answer.json()["errors"]} == {
        "settings.silent_after",
        "settings.silent_after.packing",
    }
