"""Connecting a source: what is refused, how secrets rotate, that nobody reads them back."""

from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from visibility.models import Source
from visibility.receive import connecting, secrets

pytestmark = pytest.mark.django_db
LONG = "a-secret-of-at-least-24-bytes"


def test_an_unknown_connector_or_setting_is_named(now: datetime) -> None:
    with pytest.raises(connecting.BadSource, match="no connector 'nonsense'"):
        connecting.add("a", connector="nonsense", config={}, now=now)
    with pytest.raises(connecting.BadSource, match="no setting 'colour'"):
        connecting.add("a", connector="shopify", config={"colour": "red"}, now=now)


def test_a_short_secret_is_refused(now: datetime) -> None:
    with pytest.raises(secrets.WeakSecret):
        connecting.add("a", connector="shopify", config={}, secret="short", now=now)
    assert not Source.objects.exists()


def test_a_slug_is_one_sources_alone(now: datetime) -> None:
    connecting.add("a", connector="shopify", config={}, now=now)
    with pytest.raises(connecting.BadSource, match="already"):
        connecting.add("a", connector="easypost", config={}, now=now)


def test_secrets_are_sealed_and_open_only_under_their_key(
    now: datetime, settings: Settings
) -> None:
    made = connecting.add("a", connector="shopify", config={}, secret=LONG, now=now)
    assert LONG not in made.source.sealed_secrets
    assert secrets.unseal(made.source.sealed_secrets) == [secrets.Secret(LONG)]
    settings.SECRET_KEY = "another key of more than thirty-two characters"
    with pytest.raises(secrets.Unreadable):
        secrets.unseal(made.source.sealed_secrets)


def test_the_old_secret_counts_for_a_day_after_a_rotation(now: datetime) -> None:
    source = connecting.add("a", connector="shopify", config={}, secret=LONG, now=now).source
    fresh = connecting.rotate(source, now=now)
    source.refresh_from_db()
    held = secrets.unseal(source.sealed_secrets)
    assert secrets.current(held, now) == [fresh.encode(), LONG.encode()]
    assert secrets.current(held, now + timedelta(hours=24, seconds=1)) == [fresh.encode()]
