"""Calls of a service that fail more often than the limit are a condition."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.sdk.connector import SourceRole
from visibility.sla.observed_telemetry import HourOfCalls, ObservedCalls
from visibility.sla.parameter_type import Percent
from visibility.sla.rules.call_errors import CallErrors, CallErrorsParams
from visibility.sla.source_snapshot import SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE, PARAMS = CallErrors(), CallErrorsParams()


def source(*hours: tuple[datetime, int, int]) -> SourceSnapshot:
    calls = ObservedCalls("atp check", tuple(HourOfCalls(*hour) for hour in hours))
    now = NOON + timedelta(minutes=5)
    return SourceSnapshot("gw", "Gateway", SourceRole.OTHER, now, NOON, calls=(calls,))


def titles(snapshot: SourceSnapshot, params: CallErrorsParams = PARAMS) -> list[str]:
    return [condition.title for condition in RULE.conditions(snapshot, params)]


def test_a_share_above_the_limit_is_a_condition() -> None:
    snapshot = source((NOON - HOUR, 90, 4), (NOON, 10, 2))
    (condition,) = RULE.conditions(snapshot, PARAMS)
    assert condition.title == "6.0% of the calls of atp check fail"
    assert (condition.subject_key, condition.started_at) == ("atp check", NOON - HOUR)
    assert RULE.condition_end(snapshot, PARAMS, "atp check") is None


def test_a_share_at_the_limit_is_none() -> None:
    snapshot = source((NOON, 100, 5))
    assert titles(snapshot) == []
    end = RULE.condition_end(snapshot, PARAMS, "atp check")
    assert end is not None
    assert end.reason == "Fewer calls fail."


def test_a_share_of_few_calls_says_nothing() -> None:
    assert titles(source((NOON, 49, 49))) == []
    assert titles(source((NOON, 49, 49)), CallErrorsParams(least=49)) != []


def test_only_hours_that_reach_into_the_period_count() -> None:
    snapshot = source((NOON - 2 * HOUR, 100, 100), (NOON, 100, 0))
    assert titles(snapshot) == []
    assert titles(snapshot, CallErrorsParams(window=2 * HOUR)) != []
    assert titles(source((NOON, 100, 1)), CallErrorsParams(Percent(Decimal(0)))) != []
