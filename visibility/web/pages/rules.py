"""Pages of the SLA rules: the list, and one rule with its form."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods

from visibility.alerts.change_sla_rules import (
    OutdatedRuleVersion,
    RuleChangeResult,
    change_rule,
)
from visibility.alerts.rule_values import InvalidRuleChange
from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.formatting import count_with_noun
from visibility.models import Severity
from visibility.pipeline import job_functions
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.rules import queries
from visibility.screens.rules.queries import ParameterInput, RuleSummary
from visibility.web.permissions import Permission, has_permission, require_permission

MAX_CODE_LENGTH = 50


@require_GET
@require_permission(Permission.RULES_SEE)
def rule_list(request: HttpRequest) -> HttpResponse:
    """`/rules`: all rules as sentences."""
    after = request.GET.get("after", "")[:MAX_CODE_LENGTH].replace("\0", "")
    rules = queries.list_rule_summaries(after=after, limit=queries.PAGE_SIZE + 1)
    shown = rules[: queries.PAGE_SIZE]
    context = {
        "rules": shown,
        "next": shown[-1].rule.code if len(rules) > len(shown) else "",
        "is_first": not after,
    }
    return render(request, "rules/list.html", context)


@require_http_methods(["GET", "HEAD"])
@require_permission(Permission.RULES_SEE)
def rule_detail(request: HttpRequest, code: str) -> HttpResponse:
    """`/rules/<code>`: one rule, its form and its history."""
    summary = _rule_or_404(code)
    return _render_rule(request, summary, queries.parameter_inputs(summary))


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.RULES_EDIT)
def save_rule(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /rules/<code>/save`: change the rule, or show the form again with the errors.

    A reload of that form is a GET: it leads to the rule.
    """
    summary = _rule_or_404(code)
    if request.method != "POST":
        return HttpResponseRedirect(f"/rules/{code}")
    inputs = queries.parameter_inputs(summary)
    version = request.POST.get("version", "")
    try:
        assert isinstance(request.user, User)
        result = change_rule(
            code,
            _form_values(request.POST, inputs),
            version=parse_row_version(version),
            by=request.user,
            now=database_now(),
        )
    except OutdatedRuleVersion as error:
        messages.error(request, f"Not saved: {error} Check the new values below.")
        return HttpResponseRedirect(f"/rules/{code}")
    except InvalidRuleChange as error:
        labeled = {
            name: _error_sentence_with_field_label(name, text, inputs)
            for name, text in error.errors.items()
        }
        return _render_rule(
            request, summary, _entered_inputs(inputs, request.POST, labeled), errors=labeled
        )
    if result.refolded_orders:
        job_functions.ask_worker_to_run_job_now("refold")
    messages.success(request, _success_message(result))
    return HttpResponseRedirect(f"/rules/{code}")


def _success_message(result: RuleChangeResult) -> str:
    if not result.changed:
        return "Nothing was changed."
    text = f"Saved as version {result.rule.version}."
    if result.refolded_orders:
        text += f" {count_with_noun(result.refolded_orders, 'order')} will be checked again."
    return text


def _form_values(form: QueryDict, inputs: list[ParameterInput]) -> dict[str, Any]:
    """Return the values of the form. A box that is not checked is not sent: it is false."""
    values: dict[str, Any] = {
        "severity": form.get("severity", ""),
        "team": form.get("team", ""),
        "enabled": form.get("enabled") == "on",
    }
    if "calendar" in form:
        values["calendar"] = form["calendar"]
    if inputs:
        values["params"] = {i.field.name: form.get(f"param.{i.field.name}", "") for i in inputs}
    return values


def _entered_inputs(
    inputs: list[ParameterInput], form: QueryDict, errors: Mapping[str, str]
) -> list[ParameterInput]:
    return [
        ParameterInput(
            i.field,
            form.get(f"param.{i.field.name}", ""),
            errors.get(f"params.{i.field.name}", ""),
        )
        for i in inputs
    ]


def _error_sentence_with_field_label(name: str, sentence: str, inputs: list[ParameterInput]) -> str:
    """Return the sentence about a parameter with its label instead of its name."""
    for field in (i.field for i in inputs):
        if name == f"params.{field.name}":
            return field.text.label + sentence.removeprefix(field.name)
    return sentence


def _values_after_change_as_text(detail: Mapping[str, Any], inputs: list[ParameterInput]) -> str:
    """`Time limit (working hours): 6, severity: high` of the values after a change."""
    labels = {i.field.name: i.field for i in inputs}
    texts = []
    for name, value in dict(detail.get("after") or {}).items():
        if name != "params" or not isinstance(value, Mapping):
            texts.append(f"{name.replace('_', ' ')}: {value}")
            continue
        for parameter_name, parameter_value in value.items():
            field = labels.get(parameter_name)
            label = field.text.label if field else parameter_name
            hint = f" ({field.form_unit_hint})" if field and field.form_unit_hint else ""
            texts.append(f"{label}{hint}: {parameter_value}")
    return ", ".join(texts)


def _render_rule(
    request: HttpRequest,
    summary: RuleSummary,
    inputs: list[ParameterInput],
    errors: dict[str, str] | None = None,
) -> HttpResponse:
    newest = latest_change_number()
    now = database_now()
    rule = summary.rule
    entered = request.POST if errors else None
    context = {
        "live_head": newest,
        "now": now,
        "summary": summary,
        "rule": rule,
        "inputs": inputs,
        "errors": errors or {},
        "severity": entered.get("severity", "") if entered else rule.severity,
        "team": entered.get("team", "") if entered else rule.team,
        "enabled": entered.get("enabled") == "on" if entered else rule.enabled,
        "severities": Severity.choices,
        "calendar": entered.get("calendar", "") if entered else rule.calendar.code,
        "calendars": queries.calendar_titles(),
        "teams": queries.team_titles(),
        "history": [
            (
                entry,
                displayed_time(entry.at, now),
                _values_after_change_as_text(entry.detail, inputs),
            )
            for entry in queries.rule_history(rule.code)
        ],
        "may_edit": has_permission(request.user, Permission.RULES_EDIT),
    }
    return render(request, "rules/rule.html", context, status=400 if errors else 200)


def _rule_or_404(code: str) -> RuleSummary:
    summary = queries.load_rule_summary(code)
    if summary is None:
        raise Http404(code)
    return summary


urlpatterns = [
    path("rules", rule_list),
    path("rules/<slug:code>", rule_detail),
    path("rules/<slug:code>/save", save_rule),
]
