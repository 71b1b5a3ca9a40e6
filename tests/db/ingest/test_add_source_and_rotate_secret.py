"""Setting up a source: validation, rotation and encryption of secrets."""

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from visibility.ingest import add_source_and_rotate_secret, source_secrets
from visibility.ingest.check_source_settings import stored_setting_errors
from visibility.models import AuditEntry, Source

pytestmark = pytest.mark.django_db
LONG = "a-secret-of-at-least-24-bytes"


def test_unknown_connector_or_setting_is_named_in_the_error(now: datetime) -> None:
    with pytest.raises(add_source_and_rotate_secret.InvalidSource, match="no connector 'nonsense'"):
        add_source_and_rotate_secret.add_source("a", connector="nonsense", config={}, now=now)
    with pytest.raises(add_source_and_rotate_secret.InvalidSource, match="no setting 'color'"):
        add_source_and_rotate_secret.add_source(
            "a", connector="shopify", config={"color": "red"}, now=now
        )


@pytest.mark.parametrize(
    ("slug", "config", "message"),
    [
        ("", {}, "slug: '' is not a slug"),
        ("a b", {}, "slug: 'a b' is not a slug"),
        ("a/b", {}, "slug: 'a/b' is not a slug"),
        ("x" * 61, {}, "at most 60 letters"),
        ("a", {"role": "boss"}, "role: 'boss' is not one of shop, edi"),
        ("a", {"zone": "Mars/Olympus"}, "zone: 'Mars/Olympus' is not an IANA time zone"),
        ("a", {"zone": "America"}, "zone: 'America' is not an IANA time zone"),
    ],
)
def test_invalid_slug_role_or_zone_is_named_in_the_error(
    now: datetime, slug: str, config: dict[str, str], message: str
) -> None:
    with pytest.raises(add_source_and_rotate_secret.InvalidSource, match=message):
        add_source_and_rotate_secret.add_source(slug, connector="shopify", config=config, now=now)
    assert not Source.objects.exists()


def test_rotation_replaces_secrets_that_cannot_be_decrypted(
    now: datetime, settings: Settings
) -> None:
    source = add_source_and_rotate_secret.add_source(
        "a", connector="shopify", config={}, secret=LONG, now=now
    ).source
    settings.SECRET_KEY = "another key of more than thirty-two characters"
    call_command("source", "rotate", "a", secret=LONG + LONG)
    source.refresh_from_db()
    assert source_secrets.decrypt_secrets(source.sealed_secrets) == [
        source_secrets.SourceSecret(LONG + LONG)
    ]


@pytest.mark.parametrize(
    ("slug", "connector", "config", "field", "sentence"),
    [
        ("a b", "shopify", {}, "slug", "is not a slug"),
        ("a" * 61, "shopify", {}, "slug", "is not a slug"),
        ("a", "shopify", {"zone": "Texas"}, "zone", "not an IANA time zone"),
        ("a", "shopify", {"role": "boss"}, "role", "is not one of shop, edi"),
        ("a", "shopify", {"test_traffic": "maybe"}, "test_traffic", "neither yes nor no"),
        ("a", "shopify", {"governed": "colors"}, "governed", "'colors' is not one of item"),
        ("a", "shopify", {"reused_after": "bol"}, "reused_after", "scheme:days"),
        ("a", "shopify", {"drop": "/srv"}, "drop", "does not accept files"),
        ("a", "shiphero", {"order_number": "order@erp"}, "order_number", "is not a scheme"),
        ("a", "business_central", {"base_url": "bc.test"}, "base_url", "not an http or https"),
        ("a", "business_central", {"page_size": "0"}, "page_size", "less than 1"),
        ("a", "x12", {"charset": "klingon"}, "charset", "not a known character set"),
        ("a", "ocel", {"objects": "Box=carton"}, "objects", "'carton' is not one of"),
    ],
)
def test_invalid_input_is_rejected_with_its_field(
    slug: str, connector: str, config: dict[str, str], field: str, sentence: str, now: datetime
) -> None:
    with pytest.raises(add_source_and_rotate_secret.InvalidSource) as caught:
        add_source_and_rotate_secret.add_source(slug, connector=connector, config=config, now=now)
    assert [(e.name, sentence in e.sentence) for e in caught.value.errors] == [(field, True)]
    assert not Source.objects.exists()


def test_settings_can_be_changed_and_removed(now: datetime) -> None:
    source = add_source_and_rotate_secret.add_source(
        "wms", connector="shiphero", config={"zone": "America/Chicago"}, now=now
    ).source
    changes = {"zone": "", "order_number": "sales_order@erp", "role": "3pl"}
    add_source_and_rotate_secret.change_settings(source, changes, now=now)
    source.refresh_from_db()
    assert source.config == {"order_number": "sales_order@erp", "role": "3pl"}
    assert source.role == "3pl"
    with pytest.raises(
        add_source_and_rotate_secret.InvalidSource, match="zone: 'Texas' is not an IANA"
    ):
        add_source_and_rotate_secret.change_settings(source, {"zone": "Texas"}, now=now)
    source.refresh_from_db()
    assert source.config == {"order_number": "sales_order@erp", "role": "3pl"}
    assert AuditEntry.objects.filter(action="source.set").count() == 1


def test_polling_starts_when_its_url_is_set(now: datetime) -> None:
    source = add_source_and_rotate_secret.add_source(
        "erp", connector="business_central", config={}, now=now
    ).source
    assert source.next_poll_at is None
    add_source_and_rotate_secret.change_settings(
        source, {"base_url": "https://bc.example.com/api"}, now=now
    )
    source.refresh_from_db()
    assert source.next_poll_at == now


def test_command_reports_every_error(now: datetime) -> None:
    with pytest.raises(CommandError) as caught:
        call_command(
            "source", "add", "a", "--connector", "x12", "--config", "zone=Texas", "charset=klingon"
        )
    assert "zone: 'Texas' is not" in str(caught.value)
    assert "charset: 'klingon' is not" in str(caught.value)
    add_source_and_rotate_secret.add_source("a", connector="x12", config={}, now=now)
    with pytest.raises(CommandError, match="role: 'boss' is not one of"):
        call_command("source", "set", "a", "role=boss")
    call_command("source", "set", "a", "charset=cp1252")
    assert Source.objects.get().config == {"charset": "cp1252"}


def test_stored_settings_that_became_invalid_are_reported(now: datetime) -> None:
    source = add_source_and_rotate_secret.add_source(
        "a", connector="shiphero", config={}, now=now
    ).source
    Source.objects.update(config={"zone": "Texas", "removed": "x"}, role="boss")
    source.refresh_from_db()
    assert {e.name for e in stored_setting_errors(source)} == {"zone", "removed", "role"}
    err = StringIO()
    call_command("source", "list", stdout=StringIO(), stderr=err)
    assert "a: zone: 'Texas' is not an IANA time zone" in err.getvalue()


def test_short_secret_is_rejected(now: datetime) -> None:
    with pytest.raises(add_source_and_rotate_secret.InvalidSource, match="24 bytes"):
        add_source_and_rotate_secret.add_source(
            "a", connector="shopify", config={}, secret="short", now=now
        )
    assert not Source.objects.exists()


def test_duplicate_slug_is_rejected(now: datetime) -> None:
    add_source_and_rotate_secret.add_source("a", connector="shopify", config={}, now=now)
    with pytest.raises(add_source_and_rotate_secret.InvalidSource, match="already"):
        add_source_and_rotate_secret.add_source("a", connector="easypost", config={}, now=now)


def test_secrets_are_encrypted_and_readable_only_with_their_key(
    now: datetime, settings: Settings
) -> None:
    created = add_source_and_rotate_secret.add_source(
        "a", connector="shopify", config={}, secret=LONG, now=now
    )
    assert LONG not in created.source.sealed_secrets
    assert source_secrets.decrypt_secrets(created.source.sealed_secrets) == [
        source_secrets.SourceSecret(LONG)
    ]
    settings.SECRET_KEY = "another key of more than thirty-two characters"
    with pytest.raises(source_secrets.UnreadableSecrets):
        source_secrets.decrypt_secrets(created.source.sealed_secrets)


def test_old_secret_is_valid_for_a_day_after_rotation(now: datetime) -> None:
    source = add_source_and_rotate_secret.add_source(
        "a", connector="shopify", config={}, secret=LONG, now=now
    ).source
    fresh = add_source_and_rotate_secret.rotate_secret(source, now=now)
    source.refresh_from_db()
    secrets = source_secrets.decrypt_secrets(source.sealed_secrets)
    assert source_secrets.unexpired_signing_secrets(secrets, now) == [fresh.encode(), LONG.encode()]
    assert source_secrets.unexpired_signing_secrets(
        secrets, now + timedelta(hours=24, seconds=1)
    ) == [fresh.encode()]


def test_secret_settings_are_sealed_and_reach_the_poller_only(now: datetime) -> None:
    config = {"base_url": "https://shop.example.com", "api_key": "ck_1:cs_2"}
    source = add_source_and_rotate_secret.add_source(
        "woo", connector="woocommerce", config=config, secret="short", now=now
    ).source
    assert source.config == {"base_url": "https://shop.example.com"}
    assert source.next_poll_at == now
    assert source.poll_every == timedelta(minutes=5)
    sealed = source_secrets.decrypt_secrets(source.sealed_secrets)
    assert source_secrets.unexpired_signing_secrets(sealed, now) == [b"short"]
    assert source_secrets.secret_setting_values_by_name(sealed) == {"api_key": "ck_1:cs_2"}
    assert source.build_connector().config.get("api_key") is None
    add_source_and_rotate_secret.rotate_secret(source, now=now)
    source.refresh_from_db()
    add_source_and_rotate_secret.change_settings(source, {"prefix": "WS-"}, now=now)
    source.refresh_from_db()
    sealed = source_secrets.decrypt_secrets(source.sealed_secrets)
    assert source_secrets.secret_setting_values_by_name(sealed) == {"api_key": "ck_1:cs_2"}
    assert len(source_secrets.unexpired_signing_secrets(sealed, now)) == 2
    add_source_and_rotate_secret.change_settings(source, {"api_key": ""}, now=now)
    source.refresh_from_db()
    assert not source_secrets.secret_setting_values_by_name(
        source_secrets.decrypt_secrets(source.sealed_secrets)
    )
    assert source.next_poll_at is None
    assert not stored_setting_errors(source)
