"""Change a rule: validated, versioned, audited, and followed by a check of the orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from visibility.models.audit import append_audit_entry
from visibility.models.rules_clocks_and_calendars import Severity, SlaRule, WorkCalendar
from visibility.models.teams import MAX_TITLE_LENGTH, find_or_create_team
from visibility.sla.load_enabled_rules import rule_kind_codes_not_about_orders
from visibility.sla.parameters import (
    InvalidParameters,
    parse_entered_parameters_within_bounds,
    serialize_parameters,
)
from visibility.sla.recheck_orders import enqueue_next_batch, start_rechecks_of_changed_rules
from visibility.sla.registry import rule_kinds

EDITABLE = ("params", "severity", "team", "enabled", "calendar")
# The fields that clocks depend on.
CLOCK_FIELDS = {"params", "enabled", "calendar"}


class InvalidRuleChange(ValueError):
    """Values are invalid: `errors` has a sentence per field; a parameter is `params.<name>`."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(errors.values()))


class OutdatedRuleVersion(ValueError):
    """Somebody changed the rule after it was read."""


class UnknownRule(LookupError):
    """No rule has this code."""


@dataclass(frozen=True, slots=True)
class RuleChangeResult:
    """The rule after the change, the names of changed fields, and how many orders are checked."""

    rule: SlaRule
    changed: tuple[str, ...]
    refolded_orders: int = 0


def change_rule(
    code: str, values: Mapping[str, Any], *, version: int | None, by: User, now: datetime
) -> RuleChangeResult:
    """Change fields of a rule. `values`: new values of EDITABLE fields; parameters may be partial.

    `version`: the version that the user saw; None skips the check. Nothing is written if nothing
    changes. Raises InvalidRuleChange, OutdatedRuleVersion, UnknownRule.
    """
    with transaction.atomic():
        rule = SlaRule.objects.select_for_update().filter(code=code).first()
        if rule is None:
            raise UnknownRule(code)
        if version is not None and version != rule.version:
            raise OutdatedRuleVersion(
                f"This rule was changed meanwhile; its version is {rule.version} now."
            )
        wanted = _validated_values_by_field(rule, values)
        before = {name: getattr(rule, name) for name in wanted}
        changed = tuple(name for name in wanted if wanted[name] != before[name])
        if not changed:
            return RuleChangeResult(rule, ())
        for name in changed:
            setattr(rule, name, wanted[name])
        rule.owner_team = find_or_create_team(rule.team)
        rule.version += 1
        rule.save(update_fields=[*changed, "owner_team", "version"])
        append_audit_entry(
            "rule.changed",
            user=by,
            object=f"rule {rule.code}",
            detail={
                "version": rule.version,
                "before": {name: _audited(before[name]) for name in changed},
                "after": {name: _audited(wanted[name]) for name in changed},
            },
            now=now,
        )
        checked = _start_recheck(rule, now=now) if CLOCK_FIELDS & set(changed) else 0
        return RuleChangeResult(rule, changed, checked)


def _start_recheck(rule: SlaRule, *, now: datetime) -> int:
    """Start to check all orders, which may gain or lose clocks; return how many orders.

    The first batch goes into the refold queue at once. A rule about something else only records
    that its present definition is known: 0 orders.
    """
    started = start_rechecks_of_changed_rules(now=now, rule_ids=[rule.pk])
    if rule.kind not in rule_kind_codes_not_about_orders():
        enqueue_next_batch(now=now)
    return sum(recheck.open_total + recheck.closed_total for recheck in started)


def _validated_values_by_field(rule: SlaRule, values: Mapping[str, Any]) -> dict[str, Any]:
    errors = {
        name: f"{name} cannot be changed; the fields are: {', '.join(EDITABLE)}"
        for name in values
        if name not in EDITABLE
    }
    wanted: dict[str, Any] = {}
    for name, read in (
        ("severity", _read_severity),
        ("team", _read_team_title),
        ("enabled", _read_bool),
        ("calendar", _read_calendar),
    ):
        if name in values:
            try:
                wanted[name] = read(values[name])
            except ValueError as error:
                errors[name] = f"{name} {error}"
    if "params" in values:
        try:
            wanted["params"] = _merge_and_validate_params(rule, values["params"])
        except InvalidParameters as error:
            errors |= {f"params.{name}": sentence for name, sentence in error.errors.items()}
    if errors:
        raise InvalidRuleChange(errors)
    return wanted


def _read_severity(raw: object) -> str:
    if raw not in Severity.values:
        raise ValueError(f"must be one of {', '.join(Severity.values)}")
    return str(raw)


def _read_team_title(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
        raise ValueError("must be the title of a team")
    if len(raw.strip()) > MAX_TITLE_LENGTH:
        raise ValueError(f"must be at most {MAX_TITLE_LENGTH} characters long")
    return raw.strip()


def _read_bool(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("must be true or false")
    return raw


def _read_calendar(raw: object) -> WorkCalendar:
    code = raw.replace("\0", "") if isinstance(raw, str) else ""
    calendar = WorkCalendar.objects.filter(code=code).first()
    if calendar is None:
        raise ValueError("must be the code of a calendar")
    return calendar


def _audited(value: Any) -> Any:
    return value.code if isinstance(value, WorkCalendar) else value


def _merge_and_validate_params(rule: SlaRule, raw: object) -> dict[str, Any]:
    kind = rule_kinds().get(rule.kind)
    if kind is None:
        raise InvalidParameters({"kind": f"no kind of rule is called {rule.kind!r}"})
    if not isinstance(raw, Mapping):
        raise InvalidParameters({"values": "params must be an object of names and values"})
    stored = rule.params if isinstance(rule.params, Mapping) else {}
    entered = parse_entered_parameters_within_bounds(
        kind.params_type, {**stored, **raw}, owner=kind.code
    )
    try:
        is_unchanged = kind.parse_params(rule.params) == entered
    except InvalidParameters:
        is_unchanged = False
    return rule.params if is_unchanged else serialize_parameters(entered)
