"""A pager follows its alerts: incidents are acknowledged and resolved, and only those it got."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert
from tests.builders.sink import RecordingServer
from tests.builders.users import user_of_role
from tests.unit.notify.channels.receivers import answer_as_pagerduty
from visibility.alerts import actions
from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.db.database_time import database_now
from visibility.models import Notification, Subscription
from visibility.notify import change_and_test_subscriptions, outbox
from visibility.notify.check_selection import SubscriptionChange
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
KEY = "0123456789abcdef0123456789ABCDEF"


@pytest.fixture
def pager(settings: Settings) -> Iterator[RecordingServer]:
    server = RecordingServer()
    settings.OUTGOING_ALLOWED = [server.url.removeprefix("http://")]
    yield server
    server.close()


@pytest.fixture
def incidents(pager: RecordingServer) -> dict[str, str]:
    open_ones: dict[str, str] = {}
    answer_as_pagerduty(pager, open_ones)
    return open_ones


@pytest.fixture
def subscription(pager: RecordingServer) -> Subscription:
    values = {"place": "Ops", "routing_key": KEY, "url": f"{pager.url}/v2/enqueue"}
    return change_and_test_subscriptions.add_subscription(
        "pagerduty",
        SubscriptionChange(settings=values, severities=["high"]),
        by=user_of_role(UserRole.OPERATIONS),
        now=database_now(),
    )


def send(minutes: int) -> int:
    return outbox.send_due_notifications(now=database_now() + timedelta(minutes=minutes))


def test_incident_follows_the_alert(incidents: dict[str, str], subscription: Subscription) -> None:
    olga, now = user_of_role(UserRole.OPERATIONS), database_now()
    row = alert()
    key = f"throughline-alert-{row.pk}"
    queue_notifications_of_alert(row, "opened")
    assert send(1) == 1
    assert incidents == {key: "trigger"}
    acknowledged = actions.acknowledge(row.pk, by=olga, now=now)
    assert send(2) == 1
    assert incidents == {key: "acknowledge"}
    assert acknowledged.replaced is not None
    actions.undo(row.pk, replaced=acknowledged.replaced, by=olga, now=now)
    actions.acknowledge(row.pk, by=olga, now=now)
    resolved = actions.resolve(row.pk, by=olga, now=now, note="Shipped")
    send(3)
    assert incidents == {key: "resolve"}
    assert resolved.replaced is not None
    actions.undo(row.pk, replaced=resolved.replaced, by=olga, now=now)
    send(4)
    actions.resolve(row.pk, by=olga, now=now, note="Shipped")
    send(5)
    assert incidents == {key: "resolve"}
    assert not Notification.objects.exclude(state="sent").exists()


def test_alert_that_it_never_got_is_not_resolved_there(
    incidents: dict[str, str], pager: RecordingServer, subscription: Subscription
) -> None:
    row = alert(severity="low")
    queue_notifications_of_alert(row, "opened")
    actions.resolve(row.pk, by=subscription.user, now=database_now(), note="Shipped")
    assert send(1) == 0
    assert (incidents, pager.posts) == ({}, [])


def test_other_channels_do_not_report_the_end_of_an_alert(
    incidents: dict[str, str], subscription: Subscription
) -> None:
    Subscription.objects.update(follows_alerts=False)
    row = alert()
    queue_notifications_of_alert(row, "opened")
    send(1)
    actions.resolve(row.pk, by=subscription.user, now=database_now(), note="Shipped")
    assert send(2) == 0
    assert list(incidents.values()) == ["trigger"]
