"""PagerDuty: one incident per alert, which follows the state of the alert."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders.sink import RecordingServer
from tests.unit.notify.channels.receivers import (
    ALERT,
    FACTS,
    MESSAGE,
    answer_as_pagerduty,
    documents,
    settings_of,
)
from visibility.notify.channel import AlertSummary, DeliveryFailed
from visibility.notify.channels.pagerduty import EVENTS_URL, PagerDuty
from visibility.notify.check_and_encrypt_channel_settings import parse_channel_settings_with_errors

KEY = "0123456789abcdef0123456789ABCDEF"


def send(server: RecordingServer, *alerts: AlertSummary, details: str = "yes") -> str:
    values = settings_of(
        PagerDuty(), place="Ops", routing_key=KEY, url=f"{server.url}/v2/enqueue", details=details
    )
    return PagerDuty().send(replace(MESSAGE, alerts=alerts), values)


def test_open_alert_triggers_an_incident_with_the_facts(server: RecordingServer) -> None:
    incidents: dict[str, str] = {}
    answer_as_pagerduty(server, incidents)
    assert send(server, ALERT).startswith("202 ")
    (event,) = documents(server)
    assert incidents == {"throughline-alert-17": "trigger"}
    payload = event["payload"]
    assert (payload["severity"], payload["component"]) == ("error", "SO-1")
    assert FACTS.items() <= payload["custom_details"].items()
    assert event["links"][0]["href"] == "http://localhost/alerts/17"
    send(server, ALERT, details="no")
    assert "Customer" not in documents(server)[1]["payload"]["custom_details"]


def test_incident_is_acknowledged_and_resolved_as_the_alert_is(server: RecordingServer) -> None:
    incidents: dict[str, str] = {}
    answer_as_pagerduty(server, incidents)
    acknowledged = replace(ALERT, state="acknowledged", transitions=("acknowledged",))
    send(server, ALERT)
    send(server, acknowledged)
    assert incidents == {"throughline-alert-17": "acknowledge"}
    send(server, replace(ALERT, state="withdrawn", transitions=("withdrawn",)))
    assert incidents == {"throughline-alert-17": "resolve"}
    send(server, replace(acknowledged, id=18, transitions=("opened", "acknowledged")))
    assert incidents["throughline-alert-18"] == "acknowledge"


def test_test_message_opens_and_resolves_an_incident(server: RecordingServer) -> None:
    incidents: dict[str, str] = {}
    answer_as_pagerduty(server, incidents)
    send(server)
    assert incidents == {"throughline-test-msg-1": "resolve"}
    assert len(server.posts) == 2


def test_refused_event_is_a_failed_delivery_without_the_key(server: RecordingServer) -> None:
    server.respond, server.body = (lambda _: (429, {"retry-after": "60"})), b""
    with pytest.raises(DeliveryFailed, match="status 429") as failed:
        send(server, ALERT)
    assert failed.value.retry_after == timedelta(minutes=1)
    assert KEY not in str(failed.value)


def test_the_address_is_that_of_the_vendor_unless_another_is_entered() -> None:
    values = settings_of(PagerDuty(), place="Ops", routing_key=KEY)
    assert values.text("url") == EVENTS_URL
    parsed = parse_channel_settings_with_errors(PagerDuty(), {"place": "Ops", "routing_key": "7"})
    (error,) = parsed.errors
    assert (error.name, "32 letters" in error.sentence) == ("routing_key", True)
