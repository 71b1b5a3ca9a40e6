"""The form of a rule: a new one, a copy, or a stored one, with what was entered and its errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.sdk.connector import SourceRole
from visibility.models import Severity, SlaRule, Source, WorkCalendar
from visibility.screens.orders.order_filter_values import load_filter_values
from visibility.screens.orders.order_filters import ORDER_FILTERS
from visibility.screens.rules.precedence import scope_label
from visibility.screens.rules.queries import ParameterInput, parameter_inputs, summarize_rule
from visibility.sla.create_default_source_rules import ALWAYS_OPEN_CODE
from visibility.sla.parameters import InvalidParameters
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import AlertRule, KpiRule, Rule, SourceRule
from visibility.storage.organization import load_organization

TEXT_FIELDS = ("title", "severity", "team", "calendar", "response", "consequence")
TEXT_LABELS = {
    "title": "Title",
    "severity": "Severity of new alerts",
    "team": "Owner team of new alerts",
    "calendar": "Calendar",
    "response": "Expected response of the team",
    "consequence": "Impact if ignored",
}
MAX_CHOICES = 200
# Fields of scopes: the filter of the order list that suggests their values.
ORDER_FILTER_OF_SCOPE = {
    "channel": "channel",
    "warehouse": "warehouse",
    "customer_no": "customer",
    "carrier": "carrier",
    "customer_group": "group",
    "item": "item",
}


@dataclass(frozen=True, slots=True)
class ScopeInput:
    """A field of the scope with its suggested values."""

    name: str
    label: str
    text: str
    choices: Sequence[tuple[str, str]] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class RuleForm:
    """What the form shows. `code` and `version`: of the stored rule that it changes."""

    kind: Rule | None
    texts: Mapping[str, str]
    is_enabled: bool
    inputs: Sequence[ParameterInput]
    scope: Sequence[ScopeInput]
    code: str = ""
    version: int = 1
    copy_of: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


def form_of_rule(rule: SlaRule) -> RuleForm:
    """The form with the values of a rule, which may not be stored."""
    kind = rule_kinds().get(rule.kind)
    scope = rule.scope if isinstance(rule.scope, dict) else {}
    texts = {name: getattr(rule, name) for name in TEXT_FIELDS if name != "calendar"}
    texts["calendar"] = rule.calendar.code if rule.calendar_id else ALWAYS_OPEN_CODE
    return RuleForm(
        kind=kind,
        texts=texts,
        is_enabled=rule.enabled,
        inputs=parameter_inputs(summarize_rule(rule)),
        scope=_scope_inputs(kind, {str(k): str(v) for k, v in scope.items()}),
        code=rule.code,
        version=rule.version,
    )


def form_of_kind(kind: Rule) -> RuleForm:
    """The form of a new rule of a kind, without an owner.

    Time limits of orders count in the working hours of the organization, if it has a calendar.
    """
    rule = SlaRule(
        kind=kind.code,
        title=kind.title,
        severity=kind.severity,
        response=kind.response,
        consequence=kind.meaning,
    )
    if not isinstance(kind, SourceRule | KpiRule | AlertRule):
        organization = load_organization()
        number = (organization and organization.calendar_id) or 0
        if calendar := WorkCalendar.objects.filter(pk=number).first():
            rule.calendar = calendar
    return form_of_rule(rule)


def form_of_copy(rule: SlaRule) -> RuleForm:
    """The form of a new rule with the values of another."""
    form = form_of_rule(rule)
    texts = {**form.texts, "title": f"{rule.title} (copy)"[:200]}
    return replace(form, texts=texts, code="", version=1, copy_of=rule.code, is_enabled=True)


def values_of_form(form: RuleForm, entered: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that were entered. A box that is not checked is not sent: it is false."""
    values: dict[str, Any] = {name: entered[name] for name in TEXT_FIELDS if name in entered}
    values["enabled"] = entered.get("enabled") == "on"
    if form.inputs:
        values["params"] = {
            i.field.name: entered.get(f"param.{i.field.name}", "") for i in form.inputs
        }
    scope = {s.name: entered[f"scope.{s.name}"] for s in form.scope if f"scope.{s.name}" in entered}
    if scope:
        values["scope"] = scope
    return values


def entered_form(form: RuleForm, entered: Mapping[str, str], errors: Mapping[str, str]) -> RuleForm:
    """The form with what was entered; `errors` have the labels of their fields."""
    labeled = {name: _sentence_with_label(form, name, text) for name, text in errors.items()}
    return replace(
        form,
        texts={name: entered.get(name, text) for name, text in form.texts.items()},
        is_enabled=entered.get("enabled") == "on",
        inputs=[
            ParameterInput(
                i.field,
                entered.get(f"param.{i.field.name}", ""),
                labeled.get(f"params.{i.field.name}", ""),
            )
            for i in form.inputs
        ],
        scope=[
            replace(
                s,
                text=entered.get(f"scope.{s.name}", s.text),
                error=labeled.get(f"scope.{s.name}", ""),
            )
            for s in form.scope
        ],
        errors=labeled,
    )


def values_by_label(form: RuleForm) -> dict[str, str]:
    """The values of the form, as people read them."""
    return {
        **{i.field.text.label: i.text for i in form.inputs},
        **{f"Applies to {s.label}": s.text for s in form.scope},
        **{TEXT_LABELS[name]: text for name, text in form.texts.items()},
        "Rule is enabled": "yes" if form.is_enabled else "no",
    }


def sentence_of_form(form: RuleForm) -> str:
    """The sentence of the values that the form begins with; empty if they are invalid."""
    assert form.kind is not None
    try:
        return form.kind.sentence(
            form.kind.parse_params({i.field.name: i.text for i in form.inputs})
        )
    except InvalidParameters:
        return ""


def _sentence_with_label(form: RuleForm, name: str, sentence: str) -> str:
    """Return the sentence about a parameter with its label instead of its name."""
    for parameter in (i.field for i in form.inputs):
        if name == f"params.{parameter.name}":
            return parameter.text.label + sentence.removeprefix(parameter.name)
    return sentence


def _scope_inputs(kind: Rule | None, scope: Mapping[str, str]) -> list[ScopeInput]:
    if kind is None:
        return []
    names = kind.scope_fields
    choices = _scope_choices(kind)
    return [
        ScopeInput(
            name,
            scope_label(name).capitalize(),
            scope.get(name, ""),
            choices.get(name, ())[:MAX_CHOICES],
        )
        for name in names
    ]


def _scope_choices(kind: Rule) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The values that are suggested for the fields of a scope."""
    if isinstance(kind, AlertRule):
        rules = SlaRule.objects.filter(archived_at=None).order_by("code")
        return {
            "severity": Severity.choices,
            "rule": list(rules.values_list("code", "title")[:MAX_CHOICES]),
        }
    sources = list(Source.objects.order_by("title").values_list("slug", "title")[:MAX_CHOICES])
    if isinstance(kind, SourceRule):
        roles = [(role.value, role.value.replace("_", " ")) for role in SourceRole]
        return {"source": sources, "role": roles}
    values = load_filter_values(ORDER_FILTERS, viewer_sees_names=False)
    of_orders = {
        name: list(values.get(filter_name, ()))
        for name, filter_name in ORDER_FILTER_OF_SCOPE.items()
    }
    return {**of_orders, "source": sources} if isinstance(kind, KpiRule) else of_orders
