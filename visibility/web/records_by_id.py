"""Find alerts, messages, sources and rules for the search field by the ids that screens show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from visibility.models import InboundMessage, SlaRule, Source
from visibility.screens.alerts.inbox import visible_alerts
from visibility.screens.lists.list_definition import Viewer
from visibility.web.permissions import Permission

# As on the screens: "Alert #97", "Message 12", and either without its noun.
ID = re.compile(r"(?:(?P<noun>alert|message)\s*)?#?\s*(?P<id>\d{1,18})", re.IGNORECASE)
MIN_LENGTH_OF_TITLE = 2
MAX_HITS = 5


@dataclass(frozen=True, slots=True)
class RecordHit:
    """A record other than an order. `is_named`: the text names its kind, so that it is meant."""

    label: str
    why: str
    url: str
    is_named: bool = False


def find_records_by_id(text: str, viewer: Viewer, now: datetime) -> list[RecordHit]:
    """What the person may see of the alert and message with this id, sources and rules."""
    hits: list[RecordHit] = []
    match = ID.fullmatch(text.strip())
    if match:
        noun, record_id = (match["noun"] or "").lower(), int(match["id"])
        if noun != "message":
            hits += _alerts(record_id, viewer, now, is_named=bool(noun))
        if noun != "alert":
            hits += _messages(record_id, viewer, is_named=bool(noun))
    if len(text) >= MIN_LENGTH_OF_TITLE:
        hits += [*_sources(text, viewer), *_rules(text, viewer)]
    return hits


def _alerts(
    record_id: int, viewer: Viewer, now: datetime, *, is_named: bool
) -> Sequence[RecordHit]:
    if not viewer.may(Permission.ALERTS_SEE):
        return ()
    alerts = visible_alerts(sources_only=viewer.sources_only).filter(pk=record_id)
    return [
        RecordHit(
            f"Alert #{alert.pk}: {alert.title_with_age(now)}",
            f"Alert, {alert.get_state_display().lower()}",
            f"/alerts/{alert.pk}",
            is_named,
        )
        for alert in alerts
    ]


def _messages(record_id: int, viewer: Viewer, *, is_named: bool) -> Sequence[RecordHit]:
    if not viewer.may(Permission.SOURCES_SEE):
        return ()
    messages = InboundMessage.objects.filter(pk=record_id).select_related("source")
    return [
        RecordHit(
            f"Message {message.pk}",
            f"Message of {message.source.title}",
            f"/messages/{message.pk}",
            is_named,
        )
        for message in messages.only("id", "source__title")
    ]


def _sources(text: str, viewer: Viewer) -> Sequence[RecordHit]:
    if not viewer.may(Permission.SOURCES_SEE):
        return ()
    sources = Source.objects.filter(Q(slug__iexact=text) | Q(title__icontains=text))
    return [
        RecordHit(source.title, f"Source {source.slug}", f"/sources/{source.slug}")
        for source in sources.order_by("title")[:MAX_HITS]
    ]


def _rules(text: str, viewer: Viewer) -> Sequence[RecordHit]:
    if not viewer.may(Permission.RULES_SEE):
        return ()
    rules = SlaRule.objects.filter(Q(code__iexact=text) | Q(title__icontains=text))
    return [
        RecordHit(rule.title, f"SLA rule {rule.code}", f"/rules/{rule.code}")
        for rule in rules.order_by("title")[:MAX_HITS]
    ]
