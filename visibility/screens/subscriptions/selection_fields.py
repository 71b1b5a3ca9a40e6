"""What a subscription selects and when it sends: the fields of the form, and in words."""

from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any
from zoneinfo import available_timezones

from django.db.models import Q

from connectors.sdk.settings import SettingError
from visibility.models import SlaRule, Subscription, Team
from visibility.models.alerts import SCOPE_NAMES, DigestInterval
from visibility.notify.check_selection import RULE, SCOPE, TEAM, TIMES, ZONE, SubscriptionChange
from visibility.storage.organization import organization_time_zone

MAX_RULES = 500
MAX_TEAMS = 200
SCOPE_LABELS = {
    "team": "Team of the alert",
    "warehouse": "Warehouse",
    "channel": "Sales channel",
    "customer_group": "Customer group",
    "customer_no": "Customer number",
}
DIGESTS = (
    ("", "No digest: send at once"),
    (DigestInterval.HOURLY.value, "One message an hour"),
    (DigestInterval.DAILY.value, "One message a day"),
)
SELECTION_TEXTS = (ZONE, "quiet_from", "quiet_until", "digest", "digest_at")
SELECTION_LABELS = {
    "rule": "rule",
    "rules": "rules",
    "severities": "severities",
    "scope": "scope",
    "team": "team",
    "time_zone": "time zone",
    "quiet_from": "quiet hours from",
    "quiet_until": "quiet hours until",
    "critical_at_once": "critical alerts",
    "digest": "digest",
    "digest_at": "time of the digest",
}
FIELD_NAMES = {RULE, TEAM, *SELECTION_TEXTS, *(f"{SCOPE}{name}" for name in SCOPE_NAMES)}


def selection_context(
    stored: Subscription | None,
    entered: SubscriptionChange | None,
    errors: Sequence[SettingError],
) -> dict[str, Any]:
    """The context of the form, with stored or entered values."""
    row = stored or Subscription()
    scope: Mapping[str, str] = (entered.scope or {}) if entered else row.scope
    sentences = {error.name: error.sentence for error in errors}
    texts = {
        TEAM: row.team.slug if row.team else "",
        ZONE: row.time_zone,
        "digest": row.digest,
        **{name: _time_text(getattr(row, name)) for name in TIMES},
    }
    if entered:
        texts = {name: getattr(entered, name) or "" for name in (TEAM, *SELECTION_TEXTS)}
    return {
        "rules": _rule_choices(entered.rules or () if entered else _rule_codes(row)),
        "scopes": [
            (f"{SCOPE}{name}", SCOPE_LABELS[name], scope.get(name, ""), sentences.get(SCOPE + name))
            for name in SCOPE_NAMES
        ],
        "teams": list(Team.objects.order_by("title").values_list("slug", "title")[:MAX_TEAMS]),
        "texts": texts,
        "digests": DIGESTS,
        "critical_at_once": entered.critical_at_once if entered else row.critical_at_once,
        "zones": sorted(available_timezones()),
        "default_zone": organization_time_zone(),
        "sentences": sentences,
    }


def describe_scope(row: Subscription) -> str:
    """`, warehouse DAL`: the values that limit a subscription; empty if there are none."""
    return "".join(
        f", {SCOPE_LABELS[name].lower()} {row.scope[name]}"
        for name in SCOPE_NAMES
        if name in row.scope
    )


def describe_schedule(row: Subscription) -> str:
    """`Daily digest at 08:00; quiet hours 22:00 to 06:00`; empty if it sends at once."""
    clauses = []
    if row.digest == DigestInterval.HOURLY:
        clauses.append("hourly digest")
    elif row.digest:
        clauses.append(f"daily digest at {_time_text(row.digest_at) or '08:00'}")
    if row.quiet_from is not None:
        clauses.append(f"quiet hours {_time_text(row.quiet_from)} to {_time_text(row.quiet_until)}")
    text = "; ".join(clauses)
    zone = f" ({row.time_zone or organization_time_zone()})" if text else ""
    return f"{text[:1].upper()}{text[1:]}{zone}"


def _rule_codes(row: Subscription) -> list[str]:
    return [row.rule.code] if row.rule else list(row.rules)


def _rule_choices(chosen: Sequence[str]) -> list[tuple[str, str, bool]]:
    """Code, title and whether it is chosen of each rule that is not archived, by title."""
    rules = SlaRule.objects.filter(Q(archived_at=None) | Q(code__in=chosen))
    listed = rules.order_by("title", "code").values_list("code", "title")[:MAX_RULES]
    return [(code, title, code in chosen) for code, title in listed]


def _time_text(moment: time | None) -> str:
    return f"{moment:%H:%M}" if moment else ""


def selected_values_by_label(
    stored: Subscription, entered: SubscriptionChange | None
) -> dict[str, str]:
    """What the form selects, and when it sends, as people read it."""
    shown = selection_context(stored, entered, ())
    texts: Mapping[str, str] = shown["texts"]
    chosen = [title for _, title, is_chosen in shown["rules"] if is_chosen]
    return {
        "Rules": ", ".join(chosen),
        **{label: text for _, label, text, _ in shown["scopes"]},
        "Team": texts[TEAM],
        "Time zone": texts[ZONE],
        "Quiet from": texts["quiet_from"],
        "Quiet until": texts["quiet_until"],
        "Digest": texts["digest"],
        "Digest at": texts["digest_at"],
        "Critical alerts at once": "yes" if shown["critical_at_once"] else "no",
    }
