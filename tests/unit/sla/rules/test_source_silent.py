"""A source is silent after its silence limit plus the grace period, and so is an event type."""

from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sdk.connector import SourceRole
from visibility.sla.rule import SourceConditionEnd
from visibility.sla.rules.source_silent import SilenceGracePeriodParams, SourceSilent
from visibility.sla.source_evidence import EventTypeActivity
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
    assert not list(RULE.conditions(source(last_data_at=NOON - HOUR), SilenceGracePeriodParams()))
    last = NOON - HOUR - timedelta(seconds=1)
    (condition,) = RULE.conditions(source(last_data_at=last), SilenceGracePeriodParams())
    assert (condition.started_at, condition.due_at) == (last, last + HOUR)
    assert RULE.alert_title(SilenceGracePeriodParams(), condition.subject) == "No data from Dallas"


def test_grace_period_extends_the_interval() -> None:
    late = source(last_data_at=NOON - 2 * HOUR)
    assert not list(RULE.conditions(late, SilenceGracePeriodParams(grace=HOUR)))
    assert list(RULE.conditions(late, SilenceGracePeriodParams(grace=HOUR - timedelta(seconds=1))))


def test_source_that_never_sent_anything_is_watched_since_it_was_added() -> None:
    (condition,) = RULE.conditions(source(), SilenceGracePeriodParams())
    assert condition.started_at == NOON - 9 * HOUR


def test_source_without_an_expected_interval_is_never_silent() -> None:
    assert not list(RULE.conditions(source(expected_interval=None), SilenceGracePeriodParams()))


def test_silence_ended_with_the_last_message() -> None:
    end = RULE.condition_end(source(last_data_at=NOON - HOUR), SilenceGracePeriodParams(), "")
    assert end == SourceConditionEnd(NOON - HOUR, "The source is sending data again.")


def test_source_of_which_all_messages_are_parked_has_a_reason_of_its_own() -> None:
    parked = source(last_data_at=NOON - 2 * HOUR, last_message_at=NOON)
    (condition,) = RULE.conditions(parked, SilenceGracePeriodParams())
    assert (condition.subject_key, condition.title) == (
        "parked",
        "All messages from Dallas are parked",
    )
    end = RULE.condition_end(source(last_data_at=NOON), SilenceGracePeriodParams(), "parked")
    assert end == SourceConditionEnd(NOON, "Messages of the source can be processed again.")


def test_event_type_is_silent_after_its_own_limit() -> None:
    packing = EventTypeActivity("pack.completed", NOON - 3 * HOUR, 2 * HOUR)
    stock = EventTypeActivity("inventory.snapshot", NOON - 20 * HOUR, 26 * HOUR)
    live = source(last_data_at=NOON, event_types=(packing, stock))
    (condition,) = RULE.conditions(live, SilenceGracePeriodParams())
    assert (condition.subject_key, condition.due_at, condition.title) == (
        "event:pack.completed",
        NOON - HOUR,
        "No pack.completed events from Dallas",
    )
    assert not list(RULE.conditions(live, SilenceGracePeriodParams(grace=HOUR)))
    end = RULE.condition_end(live, SilenceGracePeriodParams(), "event:pack.completed")
    assert end == SourceConditionEnd(packing.since, "The source is sending these events again.")
    removed = RULE.condition_end(source(), SilenceGracePeriodParams(), "event:pack.completed")
    assert removed == SourceConditionEnd(NOON, "The silence limit was removed.")


def test_silent_source_has_one_alert_and_none_for_its_event_types() -> None:
    packing = EventTypeActivity("pack.completed", NOON - 3 * HOUR, 2 * HOUR)
    silent = source(last_data_at=NOON - 3 * HOUR, event_types=(packing,))
    assert [c.subject_key for c in RULE.conditions(silent, SilenceGracePeriodParams())] == [""]


def test_nothing_is_decided_while_messages_wait() -> None:
    waiting = source(last_data_at=NOON - 2 * HOUR, last_message_at=NOON, pending_count=1)
    assert not list(RULE.conditions(waiting, SilenceGracePeriodParams()))
    assert RULE.condition_end(waiting, SilenceGracePeriodParams(), "") is None


def test_silence_that_turns_into_parked_messages_does_not_end_with_data() -> None:
    parked = source(last_data_at=NOON - 4 * HOUR, last_message_at=NOON)
    end = RULE.condition_end(parked, SilenceGracePeriodParams(), "")
    assert end == SourceConditionEnd(NOON, "All messages of the source are parked.")


def test_source_that_may_always_be_silent_is_not_when_all_its_messages_are_parked() -> None:
    never = {"expected_interval": None, "last_message_at": NOON}
    day_old = source(last_data_at=NOON - 25 * HOUR, **never)
    (condition,) = RULE.conditions(day_old, SilenceGracePeriodParams())
    assert condition.subject_key == "parked"
    recent = source(last_data_at=NOON - 23 * HOUR, **never)
    assert not list(RULE.conditions(recent, SilenceGracePeriodParams()))
