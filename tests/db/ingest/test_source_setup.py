"""Setting up a source: validation, rotation and encryption of secrets."""

from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from visibility.ingest import source_secrets, source_setup
from visibility.models import Source

pytestmark = pytest.mark.django_db
LONG = "a-secret-of-at-least-24-bytes"


def test_unknown_connector_or_setting_is_named_in_the_error(now: datetime) -> None:
    with pytest.raises(source_setup.InvalidSource, match="no connector 'nonsense'"):
        source_setup.add_source("a", connector="nonsense", config={}, now=now)
    with pytest.raises(source_setup.InvalidSource, match="no setting 'color'"):
        source_setup.add_source("a", connector="shopify", config={"color": "red"}, now=now)


@pytest.mark.parametrize(
    ("slug", "config", "message"),
    [
        ("", {}, "slug: '' must consist of letters"),
        ("a b", {}, "slug: 'a b' must consist of letters"),
        ("a/b", {}, "slug: 'a/b' must consist of letters"),
        ("x" * 61, {}, "60 at most"),
        ("a", {"role": "boss"}, "role: there is no role 'boss'. Available roles: shop, edi"),
        ("a", {"zone": "Mars/Olympus"}, "zone: 'Mars/Olympus' is not a time zone"),
        ("a", {"zone": "America"}, "zone: 'America' is not a time zone"),
    ],
)
def test_invalid_slug_role_or_zone_is_named_in_the_error(
    now: datetime, slug: str, config: dict[str, str], message: str
) -> None:
    with pytest.raises(source_setup.InvalidSource, match=message):
        source_setup.add_source(slug, connector="shopify", config=config, now=now)
    assert not Source.objects.exists()


def test_rotation_replaces_secrets_that_cannot_be_decrypted(
    now: datetime, settings: Settings
) -> None:
    source = source_setup.add_source(
        "a", connector="shopify", config={}, secret=LONG, now=now
    ).source
    settings.SECRET_KEY = "another key of more than thirty-two characters"
    call_command("source", "rotate", "a", secret=LONG + LONG)
    source.refresh_from_db()
    assert source_secrets.decrypt_secrets(source.sealed_secrets) == [
        source_secrets.SourceSecret(LONG + LONG)
    ]


def test_short_secret_is_rejected(now: datetime) -> None:
    with pytest.raises(source_secrets.WeakSecret):
        source_setup.add_source("a", connector="shopify", config={}, secret="short", now=now)
    assert not Source.objects.exists()


def test_duplicate_slug_is_rejected(now: datetime) -> None:
    source_setup.add_source("a", connector="shopify", config={}, now=now)
    with pytest.raises(source_setup.InvalidSource, match="already"):
        source_setup.add_source("a", connector="easypost", config={}, now=now)


def test_secrets_are_encrypted_and_readable_only_with_their_key(
    now: datetime, settings: Settings
) -> None:
    created = source_setup.add_source("a", connector="shopify", config={}, secret=LONG, now=now)
    assert LONG not in created.source.sealed_secrets
    assert source_secrets.decrypt_secrets(created.source.sealed_secrets) == [
        source_secrets.SourceSecret(LONG)
    ]
    settings.SECRET_KEY = "another key of more than thirty-two characters"
    with pytest.raises(source_secrets.UnreadableSecrets):
        source_secrets.decrypt_secrets(created.source.sealed_secrets)


def test_old_secret_is_valid_for_a_day_after_rotation(now: datetime) -> None:
    source = source_setup.add_source(
        "a", connector="shopify", config={}, secret=LONG, now=now
    ).source
    fresh = source_setup.rotate_secret(source, now=now)
    source.refresh_from_db()
    secrets = source_secrets.decrypt_secrets(source.sealed_secrets)
    assert source_secrets.valid_secrets(secrets, now) == [fresh.encode(), LONG.encode()]
    assert source_secrets.valid_secrets(secrets, now + timedelta(hours=24, seconds=1)) == [
        fresh.encode()
    ]
