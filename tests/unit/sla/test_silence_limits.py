"""Silence limits of settings: of a source and of its event types, and the defaults."""

from datetime import timedelta
from typing import Any

import pytest

from connectors.catalog import connectors_by_slug
from visibility.ingest.check_source_settings import find_setting_errors
from visibility.models import Source
from visibility.sla import silence_limits
from visibility.sla.silence_limits import SilenceLimitOrigin

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("config", "limit", "in_batches"),
    [
        ({}, HOUR, False),
        ({"silent_after": "26 h"}, 26 * HOUR, False),
        ({"silent_after": "never"}, None, False),
        ({"drop": "/srv/north"}, 26 * HOUR, True),
        ({"drop": "/srv/north", "reports_in_batches": "no"}, HOUR, False),
        ({"reports_in_batches": "yes"}, 26 * HOUR, True),
        ({"drop": "/srv/north", "batch_at": "06:00"}, None, True),
        ({"batch_every": "4 h", "silent_after": "9 h"}, 9 * HOUR, True),
        ({"reports_in_batches": "yes", "silent_after": "4 h"}, 4 * HOUR, True),
    ],
)
def test_limit_of_a_source(
    config: dict[str, str], limit: timedelta | None, *, in_batches: bool
) -> None:
    assert silence_limits.silence_limit_of_settings(config) == limit
    assert silence_limits.does_report_in_batches(config) is in_batches


@pytest.mark.parametrize(
    ("limit", "config", "origin"),
    [
        (HOUR, {}, SilenceLimitOrigin.DEFAULT),
        (26 * HOUR, {"drop": "/srv/north"}, SilenceLimitOrigin.BATCH_DEFAULT),
        (2 * HOUR, {"silent_after": "2 h"}, SilenceLimitOrigin.SETTING),
        (None, {"silent_after": "never"}, SilenceLimitOrigin.SETTING),
        (2 * HOUR, {}, SilenceLimitOrigin.DATABASE),
    ],
)
def test_origin_of_the_limit(
    limit: timedelta | None, config: dict[str, str], origin: SilenceLimitOrigin
) -> None:
    assert silence_limits.silence_limit_origin(Source(expect_every=limit, config=config)) == origin


def test_limits_of_event_types() -> None:
    config: dict[str, Any] = {
        "silent_after": "never",
        "silent_after.pack.completed": "2 h",
        "silent_after.inventory.snapshot": "26 h",
        "silent_after.order.accepted": "never",
        "silent_after.invoice.issued": "soon",  # stored by hand
    }
    assert silence_limits.silence_limits_by_event_type(config) == {
        "pack.completed": 2 * HOUR,
        "inventory.snapshot": 26 * HOUR,
    }


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("silent_after", "soon", "is not a duration"),
        ("silent_after", "10 s", "is not between 1 min and 31 days"),
        ("silent_after", "32 days", "is not between 1 min and 31 days"),
        ("silent_after.packing", "2 h", "'packing' is not an event type"),
        ("silent_after.pack.completed", "two", "is not a duration"),
        ("reports_in_batches", "maybe", "neither yes nor no"),
    ],
)
def test_invalid_limits_are_refused(name: str, text: str, sentence: str) -> None:
    (error,) = find_setting_errors(connectors_by_slug()["cloudevents"], {name: text})
    assert error.name == name
    assert sentence in error.sentence
