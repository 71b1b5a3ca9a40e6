"""Snoozes until the next event of the order, its cut-off, or the start of working hours."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tests.builders.alerts import HOUR, alert, order, source_alert
from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from tests.builders.watched_source import send_and_process
from visibility.alerts.sweep_due_clocks_and_snoozes import end_expired_snoozes
from visibility.db.database_time import database_now
from visibility.models import Alert, ClockState, SlaClock, WorkCalendar
from visibility.sla.calendar import DAYS
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


def name_cutoff(at: datetime) -> None:
    times = dict.fromkeys(DAYS, f"{at:%H:%M}")
    cutoffs = [{"warehouse": "Dallas", "carrier": "", "times": times}]
    WorkCalendar.objects.create(code="cut", title="Cut-offs", cutoffs=cutoffs)


def snooze(client: Client, target: Alert, until: str) -> str:
    answer = client.post(f"/alerts/{target.pk}/snooze", {"until": until}, follow=True)
    target.refresh_from_db()
    return answer.content.decode()


def wake(target: Alert, *, now: datetime | None = None) -> str:
    """Run the sweep; the text of the history if the alert woke, else empty."""
    woken = end_expired_snoozes(now=now or database_now())
    target.refresh_from_db()
    assert (target.state == "open") == bool(woken)
    entry = target.entries.filter(action="woke").last()
    return entry.text if entry else ""


def test_next_event_of_the_order_ends_the_snooze_with_its_reason(ops: Client) -> None:
    create_rule(always_open(), params={"within": 4})
    source = create_source(title="Dallas", expect_every=None)
    send_and_process(source, "order.released", database_now() - 6 * HOUR)
    target = Alert.objects.get(kind="sla")
    assert "the next event, at the latest" in snooze(ops, target, "next_event")
    send_and_process(source, "order.released", database_now() - 6 * HOUR, order="SO-2")
    assert wake(target) == ""
    send_and_process(source, "pick.completed", database_now())
    target.refresh_from_db()
    sentence = target.entries.get(action="woke").text
    assert target.state == "open"
    assert sentence.startswith("The snooze ended: the order has a new event, last from ")
    assert sentence.endswith("The condition still holds.")


def test_event_that_ends_the_condition_closes_the_alert_without_waking_it(ops: Client) -> None:
    create_rule(always_open(), params={"within": 4})
    source = create_source(title="Dallas", expect_every=None)
    send_and_process(source, "order.released", database_now() - 6 * HOUR)
    target = Alert.objects.get()
    snooze(ops, target, "next_event")
    send_and_process(source, "shipment.confirmed", database_now())
    target.refresh_from_db()
    assert target.state == "resolved"
    assert not target.entries.filter(action="woke").exists()


def test_snooze_until_an_event_ends_after_90_days(ops: Client) -> None:
    target = alert(broken=True)
    snooze(ops, target, "next_event")
    later = database_now() + timedelta(days=91)
    assert wake(target, now=later).startswith("The snooze ended: the order had no event for 90")


def test_event_of_another_order_does_not_end_the_snooze(ops: Client) -> None:
    target = alert(broken=True)
    snooze(ops, target, "next_event")
    order("SO-2", event_count=7)
    assert wake(target) == ""


def test_cutoff_of_the_order_ends_the_snooze(ops: Client) -> None:
    now = database_now()
    name_cutoff(now + 2 * HOUR)
    target = alert(of=order("SO-1", warehouse="dallas", carrier="UPS"), broken=True)
    assert "Snoozed until the cut-off" in snooze(ops, target, "cut_off")
    at = (now + 2 * HOUR).replace(second=0, microsecond=0)
    assert target.snoozed_until == at
    assert wake(target, now=at - timedelta(seconds=1)) == ""
    sentence = wake(target, now=at)
    assert "the cut-off has passed (Dallas, any carrier," in sentence
    assert sentence.endswith("The condition still holds.")


def test_condition_that_ended_meanwhile_is_in_the_history(ops: Client) -> None:
    now = database_now()
    name_cutoff(now + 2 * HOUR)
    target = alert(of=order("SO-1", warehouse="Dallas"), broken=True)
    snooze(ops, target, "cut_off")
    SlaClock.objects.update(state=ClockState.RUNNING)
    assert wake(target, now=now + 3 * HOUR).endswith("The condition no longer holds.")


def test_start_of_working_hours_ends_the_snooze(ops: Client) -> None:
    now = database_now()
    opens = now + 2 * HOUR
    hours = {day: [[f"{opens:%H:%M}", "24:00"]] for day in DAYS}
    calendar = WorkCalendar.objects.create(code="late", title="Late shift", hours=hours)
    target = alert(rule=create_rule(calendar), broken=True)
    assert "Snoozed until working hours begin" in snooze(ops, target, "opening")
    at = opens.replace(second=0, microsecond=0)
    assert target.snoozed_until == at
    assert "working hours began (Late shift)" in wake(target, now=at)


@pytest.mark.parametrize(
    ("until", "sentence"),
    [
        ("cut_off", "No calendar names a cut-off for no warehouse and no carrier"),
        ("opening", "do not begin: it is always open, or always closed."),
    ],
)
def test_end_that_is_not_known_is_refused_in_words(ops: Client, until: str, sentence: str) -> None:
    target = alert(rule=create_rule(always_open()))
    assert sentence in snooze(ops, target, until)
    assert (target.state, target.snooze_end) == ("open", {})


@pytest.mark.parametrize("until", ["cut_off", "next_event"])
def test_alert_about_a_source_has_no_event_and_no_cutoff(ops: Client, until: str) -> None:
    target = source_alert(create_source(title="Dallas", expect_every=None))
    assert "This alert is not about an order." in snooze(ops, target, until)
    assert target.state == "open"


def test_bulk_snoozes_each_alert_until_its_own_end_and_names_the_others(ops: Client) -> None:
    now = database_now()
    name_cutoff(now + 2 * HOUR)
    targets = [alert(of=order(f"SO-{n}", warehouse=w)) for n, w in enumerate(("Dallas", "Reno"))]
    answer = ops.post(
        "/alerts/bulk",
        {"act": "snooze:cut_off", "ids": [target.pk for target in targets]},
        follow=True,
    )
    page = answer.content.decode()
    assert "Snoozed 1 alert." in page
    assert f"Alert #{targets[1].pk}: No calendar names a cut-off for Reno" in page
    assert [Alert.objects.get(pk=t.pk).state for t in targets] == ["snoozed", "open"]


def call(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def test_api_snoozes_one_and_many(ops: Client) -> None:
    first, second = alert("SO-1"), alert("SO-2")
    answer = call(ops, f"alerts/{first.pk}/snooze", {"until": "next_event"})
    assert (answer.json()["state"], answer.json()["snooze_end"]) == ("snoozed", "next_event")
    refused = call(ops, f"alerts/{second.pk}/snooze", {"until": "cut_off"})
    assert (refused.status_code, "No calendar names" in refused.json()["detail"]) == (409, True)
    assert call(ops, f"alerts/{second.pk}/snooze", {"until": "lunch"}).status_code == 400
    ids = [first.pk, second.pk]
    body = {"ids": ids, "action": "snooze", "until": "next_event"}
    results = call(ops, "alerts/bulk", body).json()["results"]
    assert [result["state"] for result in results] == ["snoozed", "snoozed"]


def test_undo_restores_the_end_of_the_snooze_before(ops: Client) -> None:
    target = alert()
    snooze(ops, target, "next_event")
    before = (target.snoozed_until, target.snooze_end)
    page = snooze(ops, target, "1h")
    assert target.snooze_end == {}
    token = page.partition('name="token" value="')[2].partition('"')[0]
    ops.post("/alerts/undo", {"token": token})
    target.refresh_from_db()
    assert (target.snoozed_until, target.snooze_end) == before


def test_choices_are_in_the_forms_of_one_and_of_many_alerts(ops: Client) -> None:
    target = alert()
    for address in ("/alerts", f"/alerts/{target.pk}"):
        page = ops.get(address).content.decode()
        for label in ("next event of the order", "cut-off of its warehouse", "working hours begin"):
            assert f"Until the {label}".replace("the working", "working") in page


def test_source_that_has_no_calendar_is_not_asked(ops: Client) -> None:
    target = source_alert(create_source(title="Dallas", expect_every=None))
    assert "This alert has no rule with working hours." in snooze(ops, target, "opening")
