"""Check the values that people enter for a rule: each error names its field."""

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sdk.connector import SourceRole
from visibility.models.rules_clocks_and_calendars import Severity, SlaRule, WorkCalendar
from visibility.models.sources_and_messages import Source
from visibility.models.teams import MAX_TITLE_LENGTH
from visibility.sla.parameters import (
    InvalidParameters,
    parse_entered_parameters_within_bounds,
    serialize_parameters,
)
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import AlertRule, Rule, SourceRule

EDITABLE = (
    *("title", "params", "scope", "severity", "team", "enabled"),
    *("calendar", "response", "consequence"),
)
# What an enabled rule must say: who acts, what they do, and what happens otherwise.
REQUIRED_IF_ENABLED = ("team", "response", "consequence")
MAX_RULE_TITLE_LENGTH = 200
MAX_TEXT_LENGTH = 2_000
MAX_SCOPE_VALUE_LENGTH = 100


class InvalidRuleChange(ValueError):
    """Values are invalid: `errors` has a sentence per field.

    A parameter is `params.<name>`, a field of the scope `scope.<name>`.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(errors.values()))


def check_rule_values(rule: SlaRule, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked values of fields of EDITABLE; parameters may be partial.

    `rule`: the rule before the change, or a new one. Raises InvalidRuleChange with all errors.
    """
    errors = {
        name: f"{name} cannot be changed; the fields are: {', '.join(EDITABLE)}"
        for name in values
        if name not in EDITABLE
    }
    wanted: dict[str, Any] = {}
    for name, read in READERS.items():
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
    if "scope" in values:
        scope, scope_errors = _read_scope(rule_kinds().get(rule.kind), values["scope"])
        wanted["scope"] = scope
        errors |= scope_errors
    if wanted.get("enabled", rule.enabled):
        for name in REQUIRED_IF_ENABLED:
            if name not in errors and not wanted.get(name, getattr(rule, name)).strip():
                errors[name] = f"{name} must not be empty while the rule is enabled"
    if errors:
        raise InvalidRuleChange(errors)
    return wanted


def _read_rule_title(raw: object) -> str:
    text = _read_text(raw, MAX_RULE_TITLE_LENGTH)
    if not text or any(ord(character) < ord(" ") for character in text):
        raise ValueError("must be a text of one line")
    return text


def _read_long_text(raw: object) -> str:
    return _read_text(raw, MAX_TEXT_LENGTH)


def _read_text(raw: object, limit: int) -> str:
    if not isinstance(raw, str) or "\0" in raw:
        raise ValueError("must be a text")
    if len(raw.strip()) > limit:
        raise ValueError(f"must be at most {limit} characters long")
    return raw.strip()


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


READERS: Mapping[str, Callable[[object], Any]] = {
    "title": _read_rule_title,
    "severity": _read_severity,
    "team": _read_team_title,
    "enabled": _read_bool,
    "calendar": _read_calendar,
    "response": _read_long_text,
    "consequence": _read_long_text,
}


def _read_scope(kind: Rule | None, raw: object) -> tuple[dict[str, str], dict[str, str]]:
    """Return the scope without empty values, and the errors by field."""
    if kind is None or not isinstance(raw, Mapping):
        return {}, {"scope": "scope must be an object of names and values"}
    scope: dict[str, str] = {}
    errors: dict[str, str] = {}
    for name, value in raw.items():
        if name not in kind.scope_fields:
            fields = ", ".join(kind.scope_fields)
            errors[f"scope.{str(name)[:80]}"] = f"the fields of this scope are: {fields}"
            continue
        try:
            text = _read_text(value, MAX_SCOPE_VALUE_LENGTH)
            if text:
                _check_scope_value(kind, name, text)
                scope[name] = text
        except ValueError as error:
            errors[f"scope.{name}"] = f"{name.replace('_', ' ')} {error}"
    return scope, errors


def _check_scope_value(kind: Rule, name: str, text: str) -> None:
    """Raise ValueError if the value of a field with known values is unknown."""
    if any(ord(character) < ord(" ") for character in text):
        raise ValueError("must be a text of one line")
    if name == "severity":
        _read_severity(text)
    elif name == "role" and text not in {role.value for role in SourceRole}:
        raise ValueError(f"must be one of {', '.join(role.value for role in SourceRole)}")
    elif (
        name == "source"
        and isinstance(kind, SourceRule)
        and not Source.objects.filter(slug=text).exists()
    ):
        raise ValueError("must be the slug of a source")
    elif (
        name == "rule"
        and isinstance(kind, AlertRule)
        and not SlaRule.objects.filter(code=text).exists()
    ):
        raise ValueError("must be the code of a rule")


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
    if rule.pk is None:
        return serialize_parameters(entered)
    try:
        is_unchanged = kind.parse_params(rule.params) == entered
    except InvalidParameters:
        is_unchanged = False
    return rule.params if is_unchanged else serialize_parameters(entered)
