"""How long a source may send nothing, and how it reports: settings that every source has."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from connectors.sdk.events import EventType
from connectors.sdk.parse_setting_values import parse_boolean, parse_duration_or_never
from visibility.models.batches import BatchSchedule
from visibility.models.sources_and_messages import (
    DROP_FOLDER_SETTING,
    SFTP_HOST_SETTING,
    Source,
)

SILENCE_SETTING = "silent_after"
EVENT_TYPE_SETTING_PREFIX = "silent_after."
BATCH_SETTING = "reports_in_batches"
WAREHOUSES_SETTING = "warehouses"
# A source with one of these has a schedule.
SCHEDULE_TIME_SETTINGS = ("batch_at", "batch_every")
FOLDER_SETTINGS = (DROP_FOLDER_SETTING, SFTP_HOST_SETTING)
DEFAULT_LIMIT = timedelta(hours=1)
# A daily file may come two hours late.
DEFAULT_BATCH_LIMIT = timedelta(hours=26)
MIN_LIMIT, MAX_LIMIT = timedelta(minutes=1), timedelta(days=31)


class SilenceLimitOrigin(StrEnum):
    """Where the silence limit of a source comes from, as a page says it."""

    SETTING = "set for this source"
    DEFAULT = "default"
    BATCH_DEFAULT = "default for sources that report in batches"
    SCHEDULE = "default for sources with a schedule of batches"
    DATABASE = "set in the database"


def check_silence_limit(text: str) -> None:
    """Raise ValueError for a limit that is too short or too long."""
    limit = parse_duration_or_never(text)
    if limit is not None and not MIN_LIMIT <= limit <= MAX_LIMIT:
        raise ValueError(f"{text[:40]} is not between 1 min and {MAX_LIMIT.days} days.")


def check_event_type(text: str) -> None:
    """Raise ValueError for a type of events that does not exist."""
    if text not in set(EventType):
        raise ValueError(f"{text[:40]!r} is not an event type, such as shipment.confirmed.")


def silence_limit_of_settings(config: Mapping[str, Any]) -> timedelta | None:
    """Return the limit for the source as a whole; None: it is never silent."""
    text = _text(config, SILENCE_SETTING)
    return parse_duration_or_never(text) if text else _default_limit(config)


def silence_limit_origin(source: Source) -> SilenceLimitOrigin:
    """Return where the limit in force comes from."""
    config = source.config_or_empty_if_invalid
    if _text(config, SILENCE_SETTING):
        return SilenceLimitOrigin.SETTING
    if source.expect_every is None and BatchSchedule.objects.filter(source=source).exists():
        return SilenceLimitOrigin.SCHEDULE
    if source.expect_every != _default_limit(config):
        return SilenceLimitOrigin.DATABASE
    if _default_limit(config) is None:
        return SilenceLimitOrigin.SCHEDULE
    if does_report_in_batches(config):
        return SilenceLimitOrigin.BATCH_DEFAULT
    return SilenceLimitOrigin.DEFAULT


def silence_limits_by_event_type(config: Mapping[str, Any]) -> dict[str, timedelta]:
    """Return the event types with a limit of their own. Invalid stored values are left out."""
    limits = {}
    for name in config:
        if not name.startswith(EVENT_TYPE_SETTING_PREFIX):
            continue
        try:
            limit = parse_duration_or_never(_text(config, name))
        except ValueError:
            continue  # shown on the page of the source
        if limit is not None:
            limits[name.removeprefix(EVENT_TYPE_SETTING_PREFIX)] = limit
    return limits


def does_report_in_batches(config: Mapping[str, Any]) -> bool:
    """Return whether the source reports from time to time, such as with a daily file.

    Unless it is set, a source does if its files are read from a folder, or it has a schedule.
    """
    text = _text(config, BATCH_SETTING)
    names = (*FOLDER_SETTINGS, *SCHEDULE_TIME_SETTINGS)
    try:
        return parse_boolean(text) if text else any(_text(config, name) for name in names)
    except ValueError:
        return False  # shown on the page of the source


def warehouses_of_source(config: Mapping[str, Any]) -> frozenset[str]:
    """Return the warehouses that the source reports for, in lower case; empty: not set."""
    names = _text(config, WAREHOUSES_SETTING).casefold().split(",")
    return frozenset(name.strip() for name in names if name.strip())


def _default_limit(config: Mapping[str, Any]) -> timedelta | None:
    if any(_text(config, name) for name in SCHEDULE_TIME_SETTINGS):
        return None  # its schedule says when it is late, also over a weekend
    return DEFAULT_BATCH_LIMIT if does_report_in_batches(config) else DEFAULT_LIMIT


def _text(config: Mapping[str, Any], name: str) -> str:
    value = config.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value).strip()
