"""The last run of a flow that failed is a condition until a later one ends well."""

from datetime import UTC, datetime
from typing import Any

from connectors.sdk.connector import SourceRole
from visibility.sla.observed_telemetry import FinishedRun
from visibility.sla.rules.run_failed import RunFailed, RunFailedParams
from visibility.sla.source_snapshot import SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
RULE, PARAMS = RunFailed(), RunFailedParams()


def source(**run: Any) -> SourceSnapshot:
    last = FinishedRun("orders", "4711", NOON, **run)
    return SourceSnapshot("ipaas", "iPaaS", SourceRole.OTHER, NOON, NOON, last_runs=(last,))


def titles(snapshot: SourceSnapshot, params: RunFailedParams = PARAMS) -> list[str]:
    return [condition.title for condition in RULE.conditions(snapshot, params)]


def test_a_failed_run_is_named_with_its_error() -> None:
    assert titles(source(has_failed=True, error="No route")) == [
        "Run 4711 of orders failed: No route"
    ]


def test_failed_records_count_from_the_limit() -> None:
    snapshot = source(has_failed=False, failed_records=3)
    assert titles(snapshot) == ["Run 4711 of orders has 3 failed records"]
    assert titles(snapshot, RunFailedParams(failed_records=4)) == []


def test_a_later_run_that_ended_well_closes_the_alert() -> None:
    assert RULE.condition_end(source(has_failed=True), PARAMS, "orders") is None
    end = RULE.condition_end(source(has_failed=False), PARAMS, "orders")
    assert end is not None
    assert (end.at, end.reason) == (NOON, "A later run ended well.")
