"""PagerDuty: one incident per alert, through the Events API v2.

developer.pagerduty.com, Events API v2: `trigger`, `acknowledge` and `resolve` events with the same
`dedup_key` are about the same incident.
"""

import re
from typing import Any, ClassVar

import orjson

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.settings import ParsedSettings, Setting, SettingType
from visibility.models.alerts import ACTIVE_ALERT_STATES, AlertState
from visibility.models.rules_clocks_and_calendars import Severity
from visibility.notify.channel import AlertSummary, Channel, OutgoingMessage
from visibility.notify.message_facts import list_alert_facts, title_with_order
from visibility.notify.post_to_receiver import (
    DETAILS,
    check_webhook_url,
    details_setting,
    post_json,
)

EVENTS_URL = "https://events.pagerduty.com/v2/enqueue"
ROUTING_KEY = re.compile(r"[0-9A-Za-z]{32}")
MAX_SUMMARY = 1_024
SEVERITIES = {
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "critical",
}
# Seconds for one event. Up to `max_alerts` events of a message are sent one after the other.
MAX_SECONDS = 5.0


def check_routing_key(text: str) -> None:
    """Check an integration key. Raises ValueError with a sentence that does not contain it."""
    if not ROUTING_KEY.fullmatch(text):
        raise ValueError("The integration key has 32 letters and digits.")


class PagerDuty(Channel):
    """Events that follow the state of each alert. PagerDuty accepted one if the status is 202.

    A repeated event changes nothing, because it has the same `dedup_key`.
    """

    code: ClassVar[str] = "pagerduty"
    title: ClassVar[str] = "PagerDuty"
    is_proper_name: ClassVar[bool] = True
    description: ClassVar[str] = (
        "An incident per alert. It is acknowledged and resolved as the alert is."
    )
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "place",
            "The service in PagerDuty. Shown in lists here.",
            required=True,
            label="PagerDuty service",
        ),
        Setting(
            "routing_key",
            "In PagerDuty: the service, Integrations, Events API V2.",
            SettingType.SECRET,
            required=True,
            check=check_routing_key,
            label="Integration key",
        ),
        Setting(
            "url",
            "Only for accounts in the EU: https://events.eu.pagerduty.com/v2/enqueue",
            SettingType.URL,
            default=EVENTS_URL,
            check=check_webhook_url,
            label="Address of the Events API",
        ),
        details_setting(default="yes"),
    )
    max_alerts: ClassVar[int] = 10
    follows_alerts: ClassVar[bool] = True

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> str:
        """Send the events of each alert. Raises DeliveryFailed unless all are accepted."""
        key, answer = settings.text("routing_key"), ""
        for event in build_pagerduty_events(message, is_personal=settings.is_on(DETAILS)):
            body = orjson.dumps({"routing_key": key, **event})
            answer = post_json(settings.text("url"), body, seconds=MAX_SECONDS)
        return answer


def build_pagerduty_events(message: OutgoingMessage, *, is_personal: bool) -> list[dict[str, Any]]:
    """Return the events without the routing key. A test opens an incident and resolves it."""
    if not message.alerts:
        trigger = {
            "event_action": "trigger",
            "dedup_key": f"throughline-test-{message.id}",
            "payload": {"summary": message.subject, "source": "Throughline", "severity": "info"},
        }
        resolve = {"event_action": "resolve", "dedup_key": trigger["dedup_key"]}
        return [trigger, resolve]
    return [
        event
        for alert in message.alerts
        for event in _events_of_alert(alert, is_personal=is_personal)
    ]


def incident_key(alert: AlertSummary) -> str:
    """Return the `dedup_key` of an alert: the same for each of its events."""
    return f"throughline-alert-{alert.id}"


def _events_of_alert(alert: AlertSummary, *, is_personal: bool) -> list[dict[str, Any]]:
    """Bring the incident to the present state of the alert.

    An acknowledgment of an incident that was never triggered would be lost.
    """
    if alert.state not in ACTIVE_ALERT_STATES:
        return [{"event_action": "resolve", "dedup_key": incident_key(alert)}]
    is_new = any(not t.startswith(AlertState.ACKNOWLEDGED.value) for t in alert.transitions)
    is_acknowledged = alert.state == AlertState.ACKNOWLEDGED
    events = []
    if is_new or not is_acknowledged:
        events.append(_trigger_event(alert, is_personal=is_personal))
    if is_acknowledged:
        events.append({"event_action": "acknowledge", "dedup_key": incident_key(alert)})
    return events


def _trigger_event(alert: AlertSummary, *, is_personal: bool) -> dict[str, Any]:
    return {
        "event_action": "trigger",
        "dedup_key": incident_key(alert),
        "client": "Throughline",
        "client_url": alert.url,
        "links": [{"href": alert.url, "text": "Alert in Throughline"}],
        "payload": {
            "summary": title_with_order(alert)[:MAX_SUMMARY],
            "source": alert.source or "Throughline",
            "severity": SEVERITIES[Severity(alert.severity)],
            "timestamp": format_rfc3339(alert.opened_at),
            "component": alert.order or alert.source or "Throughline",
            "group": alert.team,
            "class": alert.rule,
            "custom_details": dict(list_alert_facts(alert, is_personal=is_personal)),
        },
    }
