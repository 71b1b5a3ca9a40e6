"""Create, change and archive rules: validated, versioned, audited, and followed by a check."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from visibility.alerts.rule_values import (
    EDITABLE,
    InvalidRuleChange,
    check_rule_values,
)
from visibility.models.audit import append_audit_entry
from visibility.models.rules_clocks_and_calendars import SlaRule, WorkCalendar
from visibility.models.teams import find_or_create_team
from visibility.sla.create_default_source_rules import find_or_create_always_open_calendar
from visibility.sla.load_enabled_rules import rule_kind_codes_not_about_orders
from visibility.sla.recheck_orders import enqueue_next_batch, start_rechecks_of_changed_rules
from visibility.sla.registry import rule_kinds

# The fields that clocks depend on.
CLOCK_FIELDS = {"params", "scope", "enabled", "calendar"}
MAX_CODE_LENGTH = 50
# Words of addresses below /rules.
RESERVED_CODES = frozenset({"new", "draft", "preview", "starters"})


class OutdatedRuleVersion(ValueError):
    """Somebody changed the rule after it was read."""


class ArchivedRule(ValueError):
    """The rule is archived and cannot be changed."""


class UnknownRule(LookupError):
    """No rule has this code."""


@dataclass(frozen=True, slots=True)
class RuleChangeResult:
    """The rule after the change, the names of changed fields, and how many orders are checked."""

    rule: SlaRule
    changed: tuple[str, ...]
    refolded_orders: int = 0


def build_new_rule(values: Mapping[str, Any]) -> SlaRule:
    """Return a rule with these values that is not stored. Raises InvalidRuleChange.

    `kind` and `team` are required. Without a title, severity, response or consequence, it has
    those of its kind; without a calendar, every hour counts. `code`: made of the title if absent.
    """
    kind = rule_kinds().get(str(values.get("kind", "")))
    if kind is None:
        known = ", ".join(sorted(rule_kinds()))
        raise InvalidRuleChange({"kind": f"kind must be one of {known}"})
    rule = SlaRule(
        kind=kind.code,
        title=kind.title,
        severity=kind.severity,
        response=kind.response,
        consequence=kind.meaning,
    )
    fields = {name: value for name, value in values.items() if name not in {"kind", "code"}}
    errors: dict[str, str] = {}
    wanted: dict[str, Any] = {}
    try:
        wanted = check_rule_values(rule, {"params": {}, "team": "", **fields})
    except InvalidRuleChange as error:
        errors = error.errors
    for name, value in wanted.items():
        setattr(rule, name, value)
    code = str(values.get("code") or "")
    if code and (slugify(code) != code or len(code) > MAX_CODE_LENGTH or code in RESERVED_CODES):
        errors["code"] = "code must be lower-case letters, digits and hyphens, at most 50"
    elif code and SlaRule.objects.filter(code=code).exists():
        errors["code"] = "code is the code of another rule"
    if errors:
        raise InvalidRuleChange(errors)
    rule.code = code or _free_code(rule.title)
    if rule.calendar_id is None:
        rule.calendar = find_or_create_always_open_calendar()
    return rule


def create_rule(
    values: Mapping[str, Any], *, by: User | None, now: datetime, copy_of: str = ""
) -> RuleChangeResult:
    """Create a rule, and start to check all orders against it.

    `values`: as of `build_new_rule()`. `copy_of`: the code of the rule that it was copied from, for
    the audit log. Raises InvalidRuleChange.
    """
    with transaction.atomic():
        rule = build_new_rule(values)
        rule.owner_team = find_or_create_team(rule.team)
        try:
            with transaction.atomic():
                rule.save(force_insert=True)
        except IntegrityError as error:
            raise InvalidRuleChange({"code": "code is the code of another rule"}) from error
        after = {name: _audited(getattr(rule, name)) for name in ("kind", *EDITABLE)}
        detail = {"version": rule.version, "after": after}
        if copy_of:
            detail["copy_of"] = copy_of
        _audit("rule.created", rule, detail, by=by, now=now)
        return RuleChangeResult(rule, EDITABLE, _start_recheck(rule, now=now))


def change_rule(
    code: str, values: Mapping[str, Any], *, version: int | None, by: User | None, now: datetime
) -> RuleChangeResult:
    """Change fields of a rule. `values`: new values of EDITABLE fields; parameters may be partial.

    `version`: the version that the user saw; None skips the check. Nothing is written if nothing
    changes. Raises InvalidRuleChange, OutdatedRuleVersion, ArchivedRule, UnknownRule.
    """
    with transaction.atomic():
        rule = _lock_rule(code, version)
        wanted = check_rule_values(rule, values)
        before = {name: getattr(rule, name) for name in wanted}
        changed = tuple(name for name in wanted if wanted[name] != before[name])
        if not changed:
            return RuleChangeResult(rule, ())
        for name in changed:
            setattr(rule, name, wanted[name])
        rule.owner_team = find_or_create_team(rule.team)
        rule.version += 1
        rule.save(update_fields=[*changed, "owner_team", "version"])
        detail = {
            "version": rule.version,
            "before": {name: _audited(before[name]) for name in changed},
            "after": {name: _audited(wanted[name]) for name in changed},
        }
        _audit("rule.changed", rule, detail, by=by, now=now)
        checked = _start_recheck(rule, now=now) if CLOCK_FIELDS & set(changed) else 0
        return RuleChangeResult(rule, changed, checked)


def archive_rule(
    code: str, *, version: int | None, by: User | None, now: datetime
) -> RuleChangeResult:
    """Disable a rule for good and hide it from lists; its alerts close, and its history stays.

    Raises OutdatedRuleVersion, ArchivedRule, UnknownRule.
    """
    with transaction.atomic():
        rule = _lock_rule(code, version)
        was_enabled = rule.enabled
        rule.enabled, rule.archived_at = False, now
        rule.version += 1
        rule.save(update_fields=["enabled", "archived_at", "version"])
        detail = {"version": rule.version, "before": {"enabled": was_enabled}}
        _audit("rule.archived", rule, detail, by=by, now=now)
        return RuleChangeResult(rule, ("enabled", "archived_at"), _start_recheck(rule, now=now))


def _lock_rule(code: str, version: int | None) -> SlaRule:
    rule = SlaRule.objects.select_for_update().filter(code=code).first()
    if rule is None:
        raise UnknownRule(code)
    if version is not None and version != rule.version:
        raise OutdatedRuleVersion(
            f"This rule was changed meanwhile; its version is {rule.version} now."
        )
    if rule.archived_at is not None:
        raise ArchivedRule("This rule is archived. Copy it to use it again.")
    return rule


def _audit(
    action: str, rule: SlaRule, detail: Mapping[str, Any], *, by: User | None, now: datetime
) -> None:
    append_audit_entry(action, user=by, object=f"rule {rule.code}", detail=detail, now=now)


def _start_recheck(rule: SlaRule, *, now: datetime) -> int:
    """Start to check all orders, which may gain or lose clocks; return how many orders.

    The first batch goes into the refold queue at once. A rule about something else only records
    that its present definition is known: 0 orders.
    """
    started = start_rechecks_of_changed_rules(now=now, rule_ids=[rule.pk])
    if rule.kind not in rule_kind_codes_not_about_orders():
        enqueue_next_batch(now=now)
    return sum(recheck.open_total + recheck.closed_total for recheck in started)


def _free_code(title: str) -> str:
    """Return a code made of the title that no rule has."""
    base = slugify(title)[: MAX_CODE_LENGTH - 4].strip("-") or "rule"
    taken = {
        *RESERVED_CODES,
        *SlaRule.objects.filter(code__startswith=base).values_list("code", flat=True),
    }
    return next(code for code in _codes(base) if code not in taken)


def _codes(base: str) -> Iterable[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _audited(value: Any) -> Any:
    return value.code if isinstance(value, WorkCalendar) else value
