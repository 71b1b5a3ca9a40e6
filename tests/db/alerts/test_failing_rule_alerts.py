"""A rule that fails for many orders opens one alert, which closes itself when the rule works."""

from datetime import datetime, timedelta

import pytest

from tests.builders.rule_kinds import ReleasedAndWorthHalf, register
from tests.builders.sla_rules import create_rule
from tests.builders.watched_source import send_and_process
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.models import Alert, FailedClock, SlaClock, Source, Team, WorkCalendar
from visibility.models.teams import find_or_create_team
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def kind(wms: Source, monkeypatch: pytest.MonkeyPatch) -> ReleasedAndWorthHalf:
    registered = ReleasedAndWorthHalf()
    register(monkeypatch, registered)
    create_rule(
        WorkCalendar.objects.get(),
        code="half",
        kind=registered.code,
        title="Half",
        params={},
        owner_team=find_or_create_team("Warehouse"),
    )
    return registered


def failing() -> Alert:
    return Alert.objects.get(kind="rule_failed")


def test_failing_rule_opens_one_alert_with_its_first_error_and_count_and_heals(
    wms: Source, kind: ReleasedAndWorthHalf, now: datetime
) -> None:
    kind.is_broken = True
    for number in range(3):
        send_and_process(wms, "order.released", now, order=f"SO-{number}")
    sweep(now=now)
    error = "This rule failed with an internal error (ZeroDivisionError). See the worker log."
    assert failing().title == f"Rule “Half” fails for 3 orders: {error}"
    assert failing().owner_team == Team.objects.get(title="Warehouse")
    send_and_process(wms, "order.released", now, order="SO-4")
    sweep(now=now)
    assert sweep(now=now) == 0
    assert failing().title == f"Rule “Half” fails for 4 orders: {error}"
    assert failing().entries.count() == 1
    kind.is_broken = False
    FailedClock.objects.update(failed_at=now - 2 * HOUR)
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    job_functions.refold_touched_orders_and_update_kpi_cells()
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    assert SlaClock.objects.filter(rule__code="half").count() == 4
    assert (failing().state, failing().resolution) == ("resolved", "The rule works again.")


def test_rule_that_fails_again_reopens_its_alert(
    wms: Source, kind: ReleasedAndWorthHalf, now: datetime
) -> None:
    for expected_episode in (1, 2):
        kind.is_broken = True
        send_and_process(wms, "order.released", now - expected_episode * HOUR)
        sweep(now=now)
        assert (failing().state, failing().episode) == ("open", expected_episode)
        FailedClock.objects.all().delete()
        sweep(now=now)
        assert failing().state == "resolved"


def test_money_at_risk_and_subject_are_those_of_the_rule(
    wms: Source, kind: ReleasedAndWorthHalf, now: datetime
) -> None:
    total = {"total": "100.50", "currency": "USD"}
    send_and_process(wms, "order.released", now - 5 * HOUR, order="SO-1", attributes=total)
    sweep(now=now)
    half = Alert.objects.get(rule__code="half")
    total_at_risk = Alert.objects.get(rule__code="stuck")
    assert (str(half.money), half.currency, half.subject_kind) == ("50.2500", "USD", "document")
    assert (str(total_at_risk.money), total_at_risk.currency, total_at_risk.subject_kind) == (
        "100.5000",
        "USD",
        "order",
    )


def test_clock_of_an_older_release_has_the_total_of_its_order_at_risk(
    wms: Source, kind: ReleasedAndWorthHalf, now: datetime
) -> None:
    total = {"total": "100.50", "currency": "USD"}
    send_and_process(wms, "order.released", now, order="SO-1", attributes=total)
    SlaClock.objects.update(money=None, currency=None)
    sweep(now=now + 2 * HOUR)
    half = Alert.objects.get(rule__code="half")
    assert (str(half.money), half.currency) == ("100.5000", "USD")
