"""Connecting a source: what is refused, how secrets rotate, that nobody reads them back."""

from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from visibility.ingest import source_secrets, source_setup
from visibility.models import Source

pytestmark = pytest.mark.django_db
LONG = "a-secret-of-at-least-24-bytes"


def test_an_unknown_connector_or_setting_is_named(now: datetime) -> None:
    with pytest.raises(source_setup.BadSource, match="no connector 'nonsense'"):
        source_setup.add("a", connector="nonsense", config={}, now=now)
    with pytest.raises(source_setup.BadSource, match="no setting 'colour'"):
        source_setup.add("a", connector="shopify", config={"colour": "red"}, now=now)


def test_a_short_secret_is_refused(now: datetime) -> None:
    with pytest.raises(source_secrets.WeakSecret):
        source_setup.add("a", connector="shopify", config={}, secret="short", now=now)
    assert not Source.objects.exists()


def test_a_slug_is_one_sources_alone(now: datetime) -> None:
    source_setup.add("a", connector="shopify", config={}, now=now)
    with pytest.raises(source_setup.BadSource, match="already"):
        source_setup.add("a", connector="easypost", config={}, now=now)


def test_secrets_are_sealed_and_open_only_under_their_key(
    now: datetime, settings: Settings
) -> None:
    made = source_setup.add("a", connector="shopify", config={}, secret=LONG, now=now)
    assert LONG not in made.source.sealed_secrets
    assert source_secrets.unseal(made.source.sealed_secrets) == [source_secrets.Secret(LONG)]
    settings.SECRET_KEY = "another key of more than thirty-two characters"
    with pytest.raises(source_secrets.Unreadable):
        source_secrets.unseal(made.source.sealed_secrets)


def test_the_old_secret_counts_for_a_day_after_a_rotation(now: datetime) -> None:
    source = source_setup.add("a", connector="shopify", config={}, secret=LONG, now=now).source
    fresh = source_setup.rotate(source, now=now)
    source.refresh_from_db()
    held = source_secrets.unseal(source.sealed_secrets)
    assert source_secrets.current(held, now) == [fresh.encode(), LONG.encode()]
    assert source_secrets.current(held, now + timedelta(hours=24, seconds=1)) == [fresh.encode()]
