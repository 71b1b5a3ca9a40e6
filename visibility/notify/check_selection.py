"""Check what a subscription selects and when it sends: rules, team, scope, quiet hours, digest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from zoneinfo import available_timezones

from connectors.sdk.parse_setting_values import parse_storable_text
from connectors.sdk.settings import SettingError
from visibility.models.alerts import SCOPE_NAMES, DigestInterval, Subscription
from visibility.models.rules_clocks_and_calendars import Severity, SlaRule
from visibility.models.teams import Team

RULE, SEVERITIES, TEAM, ZONE = "rule", "severities", "team", "time_zone"
SCOPE = "scope."
TIMES = ("quiet_from", "quiet_until", "digest_at")
SCHEDULE_FIELDS = (ZONE, *TIMES, "digest", "critical_at_once")
MAX_RULES, MAX_SCOPE_LENGTH = 100, 100


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """The new values of a subscription; None leaves a field as it is.

    `settings` are texts by name: a blank one removes the setting, but a blank secret leaves it.
    `rules` are codes of rules, none means all; `rule` is one code or "", for older clients.
    Without `severities`, all are sent. `scope` has a text for each of `SCOPE_NAMES` that limits it.
    `team` is the slug of the team whose subscription it is, or "". Times are texts, `22:00` or "".
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    rule: str | None = None
    rules: Sequence[str] | None = None
    severities: Sequence[str] | None = None
    scope: Mapping[str, str] | None = None
    team: str | None = None
    time_zone: str | None = None
    quiet_from: str | None = None
    quiet_until: str | None = None
    digest: str | None = None
    digest_at: str | None = None
    critical_at_once: bool | None = None
    enabled: bool | None = None


def check_selection(
    subscription: Subscription, change: SubscriptionChange
) -> tuple[dict[str, Any], list[SettingError]]:
    """Return the new values of the fields of the model, and what is invalid."""
    wanted: dict[str, Any] = {}
    errors: list[SettingError] = []
    for name, check in (
        (RULE, _check_rules),
        (SEVERITIES, _check_severities),
        (TEAM, _check_team),
        (ZONE, _check_zone),
        ("digest", _check_digest),
    ):
        try:
            wanted |= check(change)
        except ValueError as error:
            errors.append(SettingError(name, str(error)))
    for values, invalid in (_check_scope(change), _check_times(subscription, change)):
        wanted |= values
        errors += invalid
    wanted |= {
        name: value
        for name in ("critical_at_once", "enabled")
        if (value := getattr(change, name)) is not None
    }
    return wanted, errors


def audited_value(value: Any) -> Any:
    """A value of a subscription for the audit log."""
    if isinstance(value, SlaRule):
        return value.code
    if isinstance(value, Team):
        return value.slug
    return f"{value:%H:%M}" if isinstance(value, time) else value


def _check_rules(change: SubscriptionChange) -> dict[str, Any]:
    codes = change.rules
    if codes is None:
        if change.rule is None:
            return {}
        codes = [change.rule]
    codes = list(dict.fromkeys(code for code in codes if code))[: MAX_RULES + 1]
    if len(codes) > MAX_RULES:
        raise ValueError(f"Choose at most {MAX_RULES} rules, or none for all.")
    rules = {rule.code: rule for rule in SlaRule.objects.filter(code__in=codes)}
    unknown = [code for code in codes if code not in rules]
    if unknown:
        raise ValueError(f"There is no rule {unknown[0][:60]!r}.")
    single = rules[codes[0]] if len(codes) == 1 else None
    return {"rule": single, "rules": codes if len(codes) > 1 else []}


def _check_severities(change: SubscriptionChange) -> dict[str, Any]:
    if change.severities is None:
        return {}
    known = ", ".join(Severity.values)
    for text in change.severities:
        if text not in Severity.values:
            raise ValueError(f"{str(text)[:40]!r} is not one of {known}.")
    return {SEVERITIES: [s for s in Severity.values if s in change.severities]}


def _check_team(change: SubscriptionChange) -> dict[str, Any]:
    if change.team is None:
        return {}
    team = Team.objects.filter(slug=change.team[:60]).first() if change.team else None
    if change.team and team is None:
        raise ValueError("There is no such team.")
    return {TEAM: team}


def _check_zone(change: SubscriptionChange) -> dict[str, Any]:
    if change.time_zone is None:
        return {}
    zone = change.time_zone.strip()
    if zone and zone not in available_timezones():
        raise ValueError("Enter the name of a time zone such as America/Chicago.")
    return {ZONE: zone}


def _check_digest(change: SubscriptionChange) -> dict[str, Any]:
    if change.digest is None:
        return {}
    if change.digest and change.digest not in DigestInterval.values:
        raise ValueError(f"Choose {', '.join(DigestInterval.values)}, or nothing.")
    return {"digest": change.digest}


def _check_scope(change: SubscriptionChange) -> tuple[dict[str, Any], list[SettingError]]:
    if change.scope is None:
        return {}, []
    scope: dict[str, str] = {}
    errors = []
    for name, raw in change.scope.items():
        try:
            text = parse_storable_text(raw.strip())
            if name not in SCOPE_NAMES:
                raise ValueError(f"The scope can have {', '.join(SCOPE_NAMES)}.")
            if len(text) > MAX_SCOPE_LENGTH:
                raise ValueError(f"Enter at most {MAX_SCOPE_LENGTH} characters.")
        except ValueError as error:
            errors.append(SettingError(f"{SCOPE}{name}", str(error)))
        else:
            scope |= {name: text} if text else {}
    return {"scope": scope}, errors


def _check_times(
    subscription: Subscription, change: SubscriptionChange
) -> tuple[dict[str, Any], list[SettingError]]:
    wanted: dict[str, Any] = {}
    errors = []
    for name in TIMES:
        text = getattr(change, name)
        if text is not None:
            try:
                wanted[name] = time.fromisoformat(text.strip()) if text.strip() else None
                if wanted[name] is not None and wanted[name].tzinfo is not None:
                    raise ValueError
            except ValueError:
                errors.append(SettingError(name, "Enter a time of day such as 22:00."))
    start = wanted.get("quiet_from", subscription.quiet_from)
    end = wanted.get("quiet_until", subscription.quiet_until)
    if not errors and (start is None) != (end is None):
        name = "quiet_until" if end is None else "quiet_from"
        errors.append(SettingError(name, "Quiet hours need a start and an end."))
    elif not errors and start is not None and start == end:
        errors.append(SettingError("quiet_until", "Quiet hours must end at another time."))
    return wanted, errors
