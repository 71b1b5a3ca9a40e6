"""A new or changed rule is applied to the existing orders, and its alerts say that it changed."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from tests.builders.users import user_of_role
from tests.builders.watched_source import send_and_process, states
from visibility.db.database_time import database_now
from visibility.models import (
    Alert,
    AlertEntry,
    AuditEntry,
    RefoldRequest,
    RuleRecheck,
    SlaClock,
    SlaRule,
    Source,
    WorkCalendar,
)
from visibility.pipeline import job_functions
from visibility.pipeline.refold_orders import refold_batch
from visibility.sla import recheck_orders
from visibility.sla.calendar import DAYS
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def dallas() -> Source:
    """A warehouse without a rule."""
    return create_source(title="Dallas", expect_every=None)


@pytest.fixture
def ops() -> Client:
    """A signed-in browser, whose forms need the token of their page."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of_role(UserRole.OPERATIONS))
    return client


def page_of_rule(client: Client) -> str:
    return client.get("/rules/stuck").content.decode()


def save_form(client: Client, **changes: str) -> None:
    """Open the page of the rule and send its form, and confirm the change if it is live."""
    client.get("/rules/stuck")
    rule = SlaRule.objects.get(code="stuck")
    values = {
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
        "version": str(rule.version),
        "within": "4",
        "severity": "high",
        "team": "Warehouse",
        "enabled": "on",
    } | changes
    values["param.within"] = values.pop("within")
    sent = {name: value for name, value in values.items() if value != "off"}
    answer = client.post("/rules/stuck/save", sent)
    if confirmation := re.search(r'name="confirmed" value="(\w+)"', answer.content.decode()):
        answer = client.post("/rules/stuck/save", sent | {"confirmed": confirmation[1]})
    assert answer.status_code == 302


def recheck_of_api(client: Client) -> dict[str, Any]:
    recheck: dict[str, Any] = client.get("/api/v1/rules/stuck").json()["recheck"]
    return recheck


def run_jobs() -> None:
    """Run the jobs that the worker runs every two seconds."""
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    job_functions.refold_touched_orders_and_update_kpi_cells()
    job_functions.enqueue_due_refolds_and_update_due_alerts()


def test_new_rule_sets_clocks_on_the_orders_that_exist(dallas: Source, now: datetime) -> None:
    send_and_process(dallas, "order.released", now - 6 * HOUR)
    create_rule(always_open())
    run_jobs()
    assert SlaClock.objects.get().due_at == now - 2 * HOUR
    assert states() == ["open"]


def test_rule_page_and_api_show_how_many_orders_are_checked(
    ops: Client, wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        send_and_process(wms, "order.released", now, order=f"SO-{number}")
    send_and_process(wms, "order.released", now - 2 * HOUR, order="SO-closed")
    send_and_process(wms, "order.cancelled", now - HOUR, order="SO-closed")
    assert recheck_of_api(ops)["state"] == "waiting"
    run_jobs()
    assert recheck_of_api(ops)["state"] == "done"
    monkeypatch.setattr(recheck_orders, "BATCH_SIZE", 2)
    monkeypatch.setattr(job_functions, "MAX_RECHECK_BATCHES", 1)
    save_form(ops, within="1")
    assert "0 of 3 open orders checked" in page_of_rule(ops)
    seen = []
    for _ in range(3):
        job_functions.refold_touched_orders_and_update_kpi_cells()
        recheck = recheck_of_api(ops)
        seen.append((recheck["state"], recheck["open_orders"], recheck["closed_orders"]))
        versions = SlaClock.objects.filter(rule_version=2).count()
        assert versions >= recheck["open_orders"]["done"] + recheck["closed_orders"]["done"]
    all_open, all_closed = {"done": 3, "total": 3}, {"done": 1, "total": 1}
    assert seen == [
        ("open_orders", {"done": 2, "total": 3}, {"done": 0, "total": 1}),
        ("closed_orders", all_open, {"done": 0, "total": 1}),
        ("done", all_open, all_closed),
    ]
    assert "All orders checked against this version: 3 open orders, 1 closed order." in (
        page_of_rule(ops)
    )
    assert not RefoldRequest.objects.exists()


def test_check_that_was_killed_goes_on_where_it_was(
    ops: Client, wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        send_and_process(wms, "order.released", now, order=f"SO-{number}")
    run_jobs()
    monkeypatch.setattr(recheck_orders, "BATCH_SIZE", 2)
    save_form(ops, within="8")
    batches = []

    def refold_four_orders_then_die(**values: Any) -> int:
        batches.append(refold(**values))
        if len(batches) > 1 and sum(batches) == 4:
            raise KeyboardInterrupt
        return batches[-1]

    refold = refold_batch
    monkeypatch.setattr(job_functions, "refold_batch", refold_four_orders_then_die)
    with pytest.raises(KeyboardInterrupt):
        job_functions.refold_touched_orders_and_update_kpi_cells()
    assert SlaClock.objects.filter(rule_version=2).count() == 4
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert SlaClock.objects.filter(rule_version=2).count() == 5
    assert sum(batches) == 5, "no order is checked twice"
    assert RuleRecheck.objects.get(rule__code="stuck").finished_at is not None


def test_check_waits_while_the_refold_queue_is_busy(
    ops: Client, wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        send_and_process(wms, "order.released", now, order=f"SO-{number}")
    run_jobs()
    monkeypatch.setattr(recheck_orders, "BATCH_SIZE", 2)
    last = SlaClock.objects.latest("order").order_id
    RefoldRequest.objects.bulk_create([RefoldRequest(object_id=last) for _ in range(2)])
    save_form(ops, within="8")
    assert RefoldRequest.objects.count() == 2
    RefoldRequest.objects.all().delete()
    assert recheck_orders.enqueue_next_batch(now=now).orders == 2
    assert recheck_orders.enqueue_next_batch(now=now).orders == 0, "the batch is still in the queue"


def test_waiting_recheck_broadcasts_nothing(
    ops: Client, wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_and_process(wms, "order.released", now, order="SO-1")
    run_jobs()
    save_form(ops, within="8")
    broadcasts: list[list[str]] = []
    monkeypatch.setattr(
        job_functions, "broadcast_change_number", lambda _, kinds: broadcasts.append(kinds)
    )
    # Nothing is claimed, so the batch stays in the queue.
    monkeypatch.setattr(job_functions, "refold_batch", lambda **_: 0)
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert ["rule"] not in broadcasts
    monkeypatch.undo()
    run_jobs()
    assert not RuleRecheck.objects.filter(finished_at=None).exists()


def test_rules_that_change_one_after_the_other_share_the_rest_of_the_orders(
    wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        send_and_process(wms, "order.released", now, order=f"SO-{number}")
    run_jobs()
    monkeypatch.setattr(recheck_orders, "BATCH_SIZE", 2)
    enqueued = []

    def enqueue() -> None:
        enqueued.append(recheck_orders.enqueue_next_batch(now=now).orders)
        RefoldRequest.objects.all().delete()

    SlaRule.objects.filter(code="stuck").update(params={"within": 8})
    recheck_orders.start_rechecks_of_changed_rules(now=now)
    enqueue()
    create_rule(code="other", kind="no_tracking_scan")
    recheck_orders.start_rechecks_of_changed_rules(now=now)
    for _ in range(4):
        enqueue()
    assert enqueued == [2, 2, 2, 2, 0]
    rechecks = RuleRecheck.objects.filter(rule__code__in=["stuck", "other"])
    assert list(rechecks.values_list("open_done", "open_total")) == [(6, 6), (6, 6)]


def test_edit_back_withdraws_the_alerts_with_the_words_rule_changed(
    ops: Client, wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - 2 * HOUR)
    run_jobs()
    assert states() == []
    save_form(ops, within="1")
    run_jobs()
    assert states() == ["open"]
    save_form(ops, within="8")
    run_jobs()
    alert = Alert.objects.get()
    sentence = "Rule changed: the due time is later now."
    assert (alert.state, alert.closing_reason, alert.resolution) == (
        "withdrawn",
        "rule_changed",
        sentence,
    )
    entry = AlertEntry.objects.get(alert=alert, action="withdrawn")
    assert entry.text == sentence
    page = ops.get(f"/alerts/{alert.pk}").content.decode()
    assert page.count(sentence) == 2, "in the answer and in the history"
    assert ops.get(f"/api/v1/alerts/{alert.pk}").json()["closing_reason"] == "rule_changed"


def test_disabled_rule_withdraws_its_alerts(ops: Client, wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - 6 * HOUR)
    run_jobs()
    save_form(ops, enabled="off")
    run_jobs()
    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == ("withdrawn", "Rule changed: the rule is disabled.")


def test_rule_with_a_narrower_scope_takes_over(wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - 6 * HOUR, attributes={"channel": "web"})
    run_jobs()
    calendar = WorkCalendar.objects.get(code="always")
    create_rule(calendar, code="web", scope={"channel": "web"}, params={"within": 900})
    run_jobs()
    alert = Alert.objects.get()
    assert (alert.state, alert.closing_reason) == ("withdrawn", "rule_changed")


def test_longer_limit_that_was_met_after_all_withdraws_a_resolved_alert(
    ops: Client, wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - 6 * HOUR)
    send_and_process(wms, "shipment.confirmed", now - HOUR, shipment="S1")
    assert Alert.objects.get().closing_reason == "completed_late"
    run_jobs()
    save_form(ops, within="8")
    run_jobs()
    alert = Alert.objects.get()
    assert alert.resolution == "Rule changed: it was completed on time."


def test_evidence_that_arrives_with_a_change_of_the_rule_is_not_called_a_change_of_the_rule(
    ops: Client, wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - 6 * HOUR)
    run_jobs()
    save_form(ops, within="5")
    send_and_process(wms, "shipment.confirmed", now - 3 * HOUR, shipment="S1")
    alert = Alert.objects.get()
    assert (alert.closing_reason, alert.resolution) == (
        "completed_on_time",
        "Late evidence: completed on time.",
    )


def test_alert_that_stays_open_follows_the_due_time_of_the_rule(
    ops: Client, wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - 6 * HOUR)
    run_jobs()
    save_form(ops, within="5")
    run_jobs()
    alert = Alert.objects.get()
    assert (alert.state, alert.episode, alert.due_at) == ("open", 1, now - HOUR)


def test_changed_calendar_is_a_change_of_its_rules(wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - 6 * HOUR)
    run_jobs()
    assert states() == ["open"]
    WorkCalendar.objects.update(hours={day: [["00:00", "00:30"]] for day in DAYS})
    run_jobs()
    alert = Alert.objects.get()
    assert (alert.state, alert.closing_reason) == ("withdrawn", "rule_changed")
    assert SlaRule.objects.get(code="stuck").version == 2
    assert AuditEntry.objects.filter(object="rule stuck", user=None).count() == 1


def test_source_rule_that_was_loosened_or_disabled_withdraws_its_alert(
    ops: Client, wms: Source
) -> None:
    Source.objects.update(expect_every=HOUR, created_at=database_now() - 2 * HOUR)
    run_jobs()
    silent = Alert.objects.get(kind="source_silent")
    assert silent.state == "open"
    rule = SlaRule.objects.get(kind="source_silent")
    for change, sentence in (
        ({"params": {"grace": 24}}, "the condition does not hold under the new rule."),
        ({"params": {"grace": 0}}, ""),
        ({"enabled": False}, "the rule no longer applies to this source."),
    ):
        SlaRule.objects.filter(pk=rule.pk).update(**change)
        run_jobs()
        silent.refresh_from_db()
        if sentence:
            assert (silent.state, silent.closing_reason, silent.resolution) == (
                "withdrawn",
                "rule_changed",
                f"Rule changed: {sentence}",
            )
        else:
            assert (silent.state, silent.closing_reason) == ("open", "")
