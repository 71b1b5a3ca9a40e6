"""A source is silent after its expected interval plus the grace period."""

from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sdk.connector import SourceRole
from visibility.sla.rule import SourceConditionEnd
from visibility.sla.rules.source_silent import SilenceGracePeriodParams, SourceSilent
from visibility.sla.source_snapshot import SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = SourceSilent()


def source(**fields: Any) -> SourceSnapshot:
    wanted: dict[str, Any] = {
        "slug": "wms",
        "title": "Dallas",
        "role": SourceRole.WMS,
        "as_of": NOON,
        "watched_since": NOON - 9 * HOUR,
        "expected_interval": HOUR,
    }
    return SourceSnapshot(**wanted | fields)


def test_source_is_silent_only_after_its_expected_interval() -> None:
    assert not list(
        RULE.conditions(source(last_message_at=NOON - HOUR), SilenceGracePeriodParams())
    )
    last = NOON - HOUR - timedelta(seconds=1)
    (condition,) = RULE.conditions(source(last_message_at=last), SilenceGracePeriodParams())
    assert (condition.started_at, condition.due_at) == (last, last + HOUR)
    assert RULE.alert_title(SilenceGracePeriodParams(), condition.subject) == "No data from Dallas"


def test_grace_period_extends_the_interval() -> None:
    late = source(last_message_at=NOON - 2 * HOUR)
    assert not list(RULE.conditions(late, SilenceGracePeriodParams(grace=HOUR)))
    assert list(RULE.conditions(late, SilenceGracePeriodParams(grace=HOUR - timedelta(seconds=1))))


def test_source_that_never_sent_anything_is_watched_since_it_was_added() -> None:
    (condition,) = RULE.conditions(source(), SilenceGracePeriodParams())
    assert condition.started_at == NOON - 9 * HOUR


def test_source_without_an_expected_interval_is_never_silent() -> None:
    assert not list(RULE.conditions(source(expected_interval=None), SilenceGracePeriodParams()))


def test_silence_ended_with_the_last_message() -> None:
    end = RULE.condition_end(source(last_message_at=NOON - HOUR), SilenceGracePeriodParams(), "")
    assert end == SourceConditionEnd(NOON - HOUR, "The source is sending data again.")
