"""A rule that raises: the failure is recorded, others go on, and it recovers when corrected."""

import logging
from datetime import datetime, timedelta

import orjson
import pytest
from django.contrib.auth.models import User

from tests.builders.sla_rules import create_rule
from tests.builders.watched_source import send_and_process, states
from visibility.alerts import sweep_due_clocks_and_snoozes as sweeping
from visibility.models import (
    Alert,
    FailedClock,
    Milestone,
    Notification,
    Order,
    SlaClock,
    SlaRule,
    Source,
    WorkCalendar,
)
from visibility.operations.canonical_dump import dump_lines
from visibility.pipeline import job_functions
from visibility.sla.rules.stuck_in_released import StuckInReleased

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def second(wms: Source) -> SlaRule:
    """A second rule with a calendar of its own."""
    first = WorkCalendar.objects.get()
    return create_rule(
        WorkCalendar.objects.create(code="dock", title="Dock", hours=first.hours),
        code="scan",
        kind="no_tracking_scan",
        title="Shipments are scanned",
        params={"within": 1},
        severity="low",
        team="Carrier desk",
    )


def closed_for_ever() -> None:
    WorkCalendar.objects.filter(code="always").update(hours={})


def sweep_and_refold() -> None:
    hours = WorkCalendar.objects.get(code="dock").hours
    WorkCalendar.objects.filter(code="always").update(hours=hours)


def swept() -> None:
    """Run a sweep and the refold that it requests."""
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    job_functions.refold_touched_orders_and_update_kpi_cells()
    job_functions.enqueue_due_refolds_and_update_due_alerts()


def test_failing_rule_stops_neither_its_order_nor_other_rules(
    wms: Source, second: SlaRule, now: datetime
) -> None:
    closed_for_ever()
    send_and_process(wms, "order.released", now - 10 * HOUR)
    send_and_process(wms, "shipment.confirmed", now - 8 * HOUR, shipment="S1")
    assert Order.objects.get().status == "shipped"
    assert Milestone.objects.filter(code="shipped", reached_at__isnull=False).exists()
    assert SlaClock.objects.get().rule == second
    assert [a.rule for a in Alert.objects.filter(kind="sla")] == [second]
    failed = FailedClock.objects.get()
    assert (failed.rule.code, failed.order.order.number) == ("stuck", "SO-1")
    assert failed.error.startswith(
        "The working calendar of this rule is invalid: no working hours after 20"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"params": {"withing": 4}},
            "The parameters of this rule are invalid: "
            "stuck_in_released has no parameter 'withing'.",
        ),
        (
            {"params": {"within": 1e300}},
            "The parameters of this rule are invalid: within must be a number of hours.",
        ),
        (
            {"params": ["within"]},
            "The parameters of this rule are invalid: stuck_in_released takes named parameters.",
        ),
        ({"kind": "stuck"}, "The kind of this rule is unknown: 'stuck'."),
        (
            {"scope": {"planet": "Mars"}},
            "The scope of this rule is invalid: orders have no field 'planet'.",
        ),
    ],
)
def test_invalid_rule_records_the_reason_on_every_order_in_scope(
    wms: Source, second: SlaRule, now: datetime, change: dict[str, object], reason: str
) -> None:
    SlaRule.objects.filter(code="stuck").update(**change)
    send_and_process(wms, "shipment.confirmed", now - 8 * HOUR, shipment="S1")
    assert FailedClock.objects.get().error == reason
    assert SlaClock.objects.get().rule == second


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"zone": "Mars/Olympus"}, "unknown time zone 'Mars/Olympus'"),
        ({"hours": {"mon": [["8", "25:00"]]}}, "the hours of 'mon' must be pairs of times"),
        ({"holidays": "XX"}, "no public holidays are known for 'XX'"),
    ],
)
def test_invalid_calendar_records_the_reason(
    wms: Source, now: datetime, change: dict[str, object], reason: str
) -> None:
    WorkCalendar.objects.update(**change)
    send_and_process(wms, "order.released", now - 10 * HOUR)
    assert (
        FailedClock.objects.get().error
        == f"The working calendar of this rule is invalid: {reason}."
    )


def test_corrected_rule_sets_its_clocks(wms: Source, second: SlaRule, now: datetime) -> None:
    closed_for_ever()
    for number in range(3):
        send_and_process(wms, "order.released", now - 10 * HOUR, order=f"SO-{number}")
    assert (FailedClock.objects.count(), states()) == (3, [])
    swept()
    assert FailedClock.objects.count() == 3
    sweep_and_refold()
    swept()
    assert FailedClock.objects.count() == 0
    assert states() == ["open"] * 3


def test_unchanged_rule_is_retried_after_an_hour(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer release may be able to run it."""
    swept()
    with monkeypatch.context() as patched:
        patched.setattr(StuckInReleased, "clocks", lambda *_: 1 / 0)
        send_and_process(wms, "order.released", now - 10 * HOUR)
    swept()
    assert FailedClock.objects.count() == 1
    FailedClock.objects.update(failed_at=now - HOUR)
    swept()
    assert (FailedClock.objects.count(), states()) == (0, ["open"])


def test_disabled_rule_has_no_failures(wms: Source, now: datetime) -> None:
    closed_for_ever()
    send_and_process(wms, "order.released", now - 10 * HOUR)
    SlaRule.objects.update(enabled=False)
    swept()
    assert FailedClock.objects.count() == 0


def test_defect_is_reported_as_such_and_logged_once_with_a_traceback(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(StuckInReleased, "clocks", lambda *_: int("a bug"))
    with caplog.at_level(logging.WARNING):
        send_and_process(wms, "order.released", now - 10 * HOUR)
        send_and_process(wms, "order.changed", now - 9 * HOUR)
        send_and_process(wms, "order.picked", now - 8 * HOUR)
    assert FailedClock.objects.get().error == (
        "This rule failed with an internal error (ValueError). See the worker log."
    )
    (line,) = [r for r in caplog.records if "clock_failed" in r.getMessage()]
    assert isinstance(line.msg, dict)
    assert isinstance(line.msg["exc_info"], ValueError)


def test_active_alert_stays_while_its_rule_fails(
    wms: Source, second: SlaRule, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - 10 * HOUR)
    assert states() == ["open"]
    closed_for_ever()
    send_and_process(wms, "order.changed", now - 9 * HOUR)
    assert (states(), SlaClock.objects.count()) == (["open"], 0)
    sweep_and_refold()
    swept()
    assert (states(), SlaClock.objects.get().state) == (["open"], "breached")
    assert Alert.objects.get(kind="sla").episode == 1


def test_suppressed_alert_stays_suppressed_while_its_rule_fails(
    wms: Source, second: SlaRule, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - 10 * HOUR)
    Alert.objects.filter(kind="sla").update(state="suppressed")
    closed_for_ever()
    send_and_process(wms, "order.changed", now - 9 * HOUR)
    assert states() == ["suppressed"]


def test_alert_uses_the_rule_title_when_the_rule_cannot_compose_one(
    wms: Source, olga: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StuckInReleased, "alert_title", lambda *_: 1 / 0)
    send_and_process(wms, "order.released", now - 10 * HOUR)
    assert Alert.objects.get(kind="sla").title == "Released orders ship"
    assert Notification.objects.filter(alert__kind="sla").count() == 1
    assert "(ZeroDivisionError)" in FailedClock.objects.get().error


def test_clock_that_cannot_be_evaluated_stops_no_other(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    due = sweeping.reconcile_alerts_of_due_clocks

    def fail_for_an_order(clocks: list[SlaClock], *options: object) -> list[int]:
        if any(clock.order.order.number == "SO-1" for clock in clocks):
            raise ZeroDivisionError
        return due(clocks, *options)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeping, "reconcile_alerts_of_due_clocks", fail_for_an_order)
    for number in range(3):
        send_and_process(wms, "order.released", now - 10 * HOUR, order=f"SO-{number}")
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    assert {a.order.order.number for a in Alert.objects.all() if a.order} == {"SO-0", "SO-2"}
    assert FailedClock.objects.get().order.order.number == "SO-1"
    assert sum("clock_failed" in r.getMessage() for r in caplog.records) == 1
    monkeypatch.setattr(sweeping, "reconcile_alerts_of_due_clocks", due)
    FailedClock.objects.update(failed_at=now - HOUR)
    swept()
    assert states() == ["open"] * 3


def test_canonical_dump_names_the_failed_clock(wms: Source, second: SlaRule, now: datetime) -> None:
    closed_for_ever()
    send_and_process(wms, "order.released", now - 10 * HOUR)
    (order,) = [f for line in dump_lines(as_of=now) if (f := orjson.loads(line))["kind"] == "order"]
    (clock,) = order["clocks"]
    assert (clock["rule"], clock["verdict"]) == ("stuck", "failed")
