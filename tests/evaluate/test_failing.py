"""A rule that raises: its clock says so, the order and the other rules go on, and it heals."""

import logging
from datetime import datetime, timedelta

import orjson
import pytest
from django.contrib.auth.models import User

from tests.evaluate.watched import states, tell
from tests.rules import promise
from visibility.alerts import sweep as sweeping
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
from visibility.operations.canonical_dump import facts
from visibility.pipeline import stages
from visibility.sla.rules.stuck_in_released import StuckInReleased

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def second(wms: Source) -> SlaRule:
    """A promise beside the one that will fail, with a calendar of its own."""
    first = WorkCalendar.objects.get()
    return promise(
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


def open_again() -> None:
    hours = WorkCalendar.objects.get(code="dock").hours
    WorkCalendar.objects.filter(code="always").update(hours=hours)


def swept() -> None:
    """What the scheduler does, and then the worker."""
    stages.sweep_once()
    stages.fold_all()
    stages.sweep_once()


def test_a_rule_that_raises_stops_neither_its_order_nor_the_other_rules(
    wms: Source, second: SlaRule, now: datetime
) -> None:
    closed_for_ever()
    tell(wms, "order.released", now - 10 * HOUR)
    tell(wms, "shipment.confirmed", now - 8 * HOUR, shipment="S1")
    assert Order.objects.get().status == "shipped"
    assert Milestone.objects.filter(code="shipped", reached_at__isnull=False).exists()
    assert SlaClock.objects.get().rule == second
    assert [a.rule for a in Alert.objects.all()] == [second]
    failed = FailedClock.objects.get()
    assert (failed.rule.code, failed.order.order.number) == ("stuck", "SO-1")
    assert failed.error.startswith("Its working calendar cannot be used: no working hours after 20")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"params": {"withing": 4}},
            "Its parameters cannot be used: stuck_in_released has no parameter 'withing'.",
        ),
        (
            {"params": {"within": 1e300}},
            "Its parameters cannot be used: within must be a number of hours.",
        ),
        (
            {"params": ["within"]},
            "Its parameters cannot be used: stuck_in_released takes parameters by name.",
        ),
        ({"kind": "stuck"}, "Its kind is not known: 'stuck'."),
        ({"scope": {"planet": "Mars"}}, "Its scope cannot be read: orders have no 'planet'."),
    ],
)
def test_a_rule_that_cannot_be_read_says_why_on_every_order_it_covers(
    wms: Source, second: SlaRule, now: datetime, change: dict[str, object], words: str
) -> None:
    SlaRule.objects.filter(code="stuck").update(**change)
    tell(wms, "shipment.confirmed", now - 8 * HOUR, shipment="S1")
    assert FailedClock.objects.get().error == words
    assert SlaClock.objects.get().rule == second


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"hours": {"mon": [["8", "25:00"]]}}, "the hours of 'mon' are no pairs of times"),
        ({"holidays": "XX"}, "no holidays are known of 'XX'"),
    ],
)
def test_a_calendar_that_cannot_be_read_says_why(
    wms: Source, now: datetime, change: dict[str, object], words: str
) -> None:
    WorkCalendar.objects.update(**change)
    tell(wms, "order.released", now - 10 * HOUR)
    assert FailedClock.objects.get().error == f"Its working calendar cannot be used: {words}."


def test_the_corrected_rule_sets_its_clocks_anew(
    wms: Source, second: SlaRule, now: datetime
) -> None:
    closed_for_ever()
    for number in range(3):
        tell(wms, "order.released", now - 10 * HOUR, order=f"SO-{number}")
    assert (FailedClock.objects.count(), states()) == (3, [])
    swept()
    assert FailedClock.objects.count() == 3
    open_again()
    swept()
    assert FailedClock.objects.count() == 0
    assert states() == ["open"] * 3


def test_a_rule_nobody_changed_is_tried_again_after_an_hour(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer release may know better."""
    with monkeypatch.context() as patched:
        patched.setattr(StuckInReleased, "clocks", lambda *_: 1 / 0)
        tell(wms, "order.released", now - 10 * HOUR)
    swept()
    assert FailedClock.objects.count() == 1
    FailedClock.objects.update(failed_at=now - HOUR)
    swept()
    assert (FailedClock.objects.count(), states()) == (0, ["open"])


def test_a_rule_switched_off_fails_no_more(wms: Source, now: datetime) -> None:
    closed_for_ever()
    tell(wms, "order.released", now - 10 * HOUR)
    SlaRule.objects.update(enabled=False)
    swept()
    assert FailedClock.objects.count() == 0


def test_a_defect_is_told_as_one_and_logged_once_with_its_trace(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(StuckInReleased, "clocks", lambda *_: int("a bug"))
    with caplog.at_level(logging.WARNING):
        tell(wms, "order.released", now - 10 * HOUR)
        tell(wms, "order.changed", now - 9 * HOUR)
        tell(wms, "order.picked", now - 8 * HOUR)
    assert FailedClock.objects.get().error == (
        "It is a defect of the product (ValueError); the log of the worker says more."
    )
    (line,) = [r for r in caplog.records if "clock_failed" in r.getMessage()]
    assert line.exc_info
    assert line.exc_info[0] is ValueError


def test_what_stands_stays_while_its_rule_fails(
    wms: Source, second: SlaRule, now: datetime
) -> None:
    tell(wms, "order.released", now - 10 * HOUR)
    assert states() == ["open"]
    closed_for_ever()
    tell(wms, "order.changed", now - 9 * HOUR)
    assert (states(), SlaClock.objects.count()) == (["open"], 0)
    open_again()
    swept()
    assert (states(), SlaClock.objects.get().state) == (["open"], "breached")
    assert Alert.objects.get().episode == 1


def test_what_is_held_stays_held_while_its_rule_fails(
    wms: Source, second: SlaRule, now: datetime
) -> None:
    tell(wms, "order.released", now - 10 * HOUR)
    Alert.objects.update(state="held")
    closed_for_ever()
    tell(wms, "order.changed", now - 9 * HOUR)
    assert states() == ["held"]


def test_a_breach_that_its_rule_has_no_words_for_is_told_by_its_title(
    wms: Source, olga: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StuckInReleased, "sentence", lambda *_: 1 / 0)
    tell(wms, "order.released", now - 10 * HOUR)
    assert Alert.objects.get().title == "Released orders ship"
    assert Notification.objects.count() == 1
    assert "(ZeroDivisionError)" in FailedClock.objects.get().error


def test_a_clock_that_cannot_be_judged_stops_no_other(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    due = sweeping.judge_only

    def but_for_one(clocks: list[SlaClock], *rest: object) -> list[int]:
        if any(clock.order.order.number == "SO-1" for clock in clocks):
            raise ZeroDivisionError
        return due(clocks, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeping, "judge_only", but_for_one)
    for number in range(3):
        tell(wms, "order.released", now - 10 * HOUR, order=f"SO-{number}")
    stages.sweep_once()
    assert {a.order.order.number for a in Alert.objects.all() if a.order} == {"SO-0", "SO-2"}
    assert FailedClock.objects.get().order.order.number == "SO-1"
    assert sum("clock_failed" in r.getMessage() for r in caplog.records) == 1
    monkeypatch.setattr(sweeping, "judge_only", due)
    FailedClock.objects.update(failed_at=now - HOUR)
    swept()
    assert states() == ["open"] * 3


def test_the_facts_say_which_clock_failed(wms: Source, second: SlaRule, now: datetime) -> None:
    closed_for_ever()
    tell(wms, "order.released", now - 10 * HOUR)
    (order,) = [f for line in facts(as_of=now) if (f := orjson.loads(line))["kind"] == "order"]
    (clock,) = order["clocks"]
    assert (clock["rule"], clock["verdict"]) == ("stuck", "failed")
