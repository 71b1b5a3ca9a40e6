"""Migration 0018 turns limits in the database into settings, and begins the activity of sources."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection

from tests.builders.alerts import order
from tests.builders.sources import create_source, event, message
from visibility.db.database_time import database_now
from visibility.models import Source, SourceActivity
from visibility.sla.silence_limits import (
    SilenceLimitOrigin,
    silence_limit_of_settings,
    silence_limit_origin,
)

pytestmark = pytest.mark.django_db
MIGRATION = import_module("visibility.migrations.0018_source_silence")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("limit", "config", "setting", "new_limit", "origin"),
    [
        (HOUR, {}, None, HOUR, SilenceLimitOrigin.DEFAULT),
        (HOUR, {"drop": "/srv"}, None, 26 * HOUR, SilenceLimitOrigin.BATCH_DEFAULT),
        (4 * HOUR, {"drop": "/srv"}, "14400 s", 4 * HOUR, SilenceLimitOrigin.SETTING),
        (timedelta(minutes=4), {"own": "X"}, "240 s", HOUR / 15, SilenceLimitOrigin.SETTING),
        (None, {}, "never", None, SilenceLimitOrigin.SETTING),
        (20 * 24 * HOUR, {}, None, 20 * 24 * HOUR, SilenceLimitOrigin.DATABASE),
    ],
)
def test_limits_become_settings(
    limit: timedelta | None,
    config: dict[str, str],
    setting: str | None,
    new_limit: timedelta | None,
    origin: SilenceLimitOrigin,
) -> None:
    create_source(expect_every=limit, config=config)
    create_source("broken", config="not settings", expect_every=None)
    with connection.cursor() as cursor:
        cursor.execute(MIGRATION.LIMITS_TO_SETTINGS)
    source = Source.objects.get(slug="wms")
    assert source.config.get("silent_after") == setting
    assert source.expect_every == new_limit
    assert silence_limit_origin(source) == origin
    if setting:
        assert silence_limit_of_settings(source.config) == limit
    assert Source.objects.get(slug="broken").config == "not settings"


def test_activity_begins_with_the_newest_applied_message() -> None:
    wms, now = create_source(), database_now()
    create_source("new")
    older = message(wms, received_at=now - 3 * HOUR)
    newest = message(wms, received_at=now - 2 * HOUR)
    message(wms, state="parked", reason="schema", received_at=now - HOUR)
    about = order("SO-1").object
    event(older, wms, about, occurred_at=now - 3 * HOUR)
    event(newest, wms, about, occurred_at=now - 4 * HOUR)
    with connection.cursor() as cursor:
        cursor.execute(MIGRATION.NEWEST_APPLIED)
    activity = SourceActivity.objects.get()
    assert (activity.source, activity.event_type) == (wms, "")
    assert activity.last_received_at == now - 2 * HOUR
    assert activity.newest_event_at == now - 4 * HOUR
