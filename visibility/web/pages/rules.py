"""Pages of the SLA rules: the list, and one rule with its form."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods

from visibility.alerts.change_sla_rules import (
    CLOCK_FIELDS,
    ArchivedRule,
    OutdatedRuleVersion,
    RuleChangeResult,
    build_changed_rule,
    change_rule,
)
from visibility.alerts.rule_values import InvalidRuleChange
from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.formatting import count_with_noun
from visibility.models import AuditEntry, SlaRule
from visibility.models.rules_clocks_and_calendars import rule_definition_fingerprint
from visibility.pipeline import job_functions
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.rules import queries
from visibility.screens.rules.precedence import load_precedence_sentences, scope_text
from visibility.screens.rules.preview import preview_rule
from visibility.screens.rules.queries import ParameterInput, RuleSummary
from visibility.screens.rules.rule_activity import load_rule_activity
from visibility.screens.rules.rule_form import (
    RuleForm,
    entered_form,
    form_of_rule,
    values_by_label,
    values_of_form,
)
from visibility.screens.rules.starter_rules import load_starter_rules
from visibility.screens.save_conflicts import SaveConflict, conflict_with_latest_entry
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.rule_form_context import rule_form_context

MAX_CODE_LENGTH = 50


@require_GET
@require_permission(Permission.RULES_SEE)
def rule_list(request: HttpRequest) -> HttpResponse:
    """`/rules`: all rules as sentences, with what each watches now; `archived=yes`: the others."""
    after = request.GET.get("after", "")[:MAX_CODE_LENGTH].replace("\0", "")
    archived = request.GET.get("archived") == "yes"
    rules = queries.list_rule_summaries(after=after, limit=queries.PAGE_SIZE + 1, archived=archived)
    shown = rules[: queries.PAGE_SIZE]
    activity = load_rule_activity([summary.rule for summary in shown], database_now())
    context = {
        "rules": [(summary, activity[summary.rule.pk]) for summary in shown],
        "archived": archived,
        "starters": load_starter_rules() if not after and not archived else [],
        "may_edit": has_permission(request.user, Permission.RULES_EDIT),
        "next": shown[-1].rule.code if len(rules) > len(shown) else "",
        "is_first": not after,
    }
    return render(request, "rules/list.html", context)


@require_http_methods(["GET", "HEAD"])
@require_permission(Permission.RULES_SEE)
def rule_detail(request: HttpRequest, code: str) -> HttpResponse:
    """`/rules/<code>`: one rule, its form and its history."""
    summary = _rule_or_404(code)
    return _render_rule(request, summary, form_of_rule(summary.rule))


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.RULES_EDIT)
def save_rule(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /rules/<code>/save`: change the rule, or show the form again with the errors.

    A change of a live rule that moves timers or alerts is shown with its effect first, and saved
    when it is confirmed. A reload of that form is a GET: it leads to the rule.
    """
    summary = _rule_or_404(code)
    if request.method != "POST":
        return HttpResponseRedirect(f"/rules/{code}")
    form = form_of_rule(summary.rule)
    entered = request.POST.dict()
    version = parse_row_version(entered.get("version", ""))
    values = values_of_form(form, entered)
    try:
        if version == summary.rule.version:
            draft = build_changed_rule(summary.rule, values)
            is_confirmed = entered.get("confirmed") == rule_definition_fingerprint(draft)
            if not is_confirmed and _has_effect_on_live_rule(summary, draft):
                return _render_effect(request, summary, form, draft)
        result = change_rule(
            code, values, version=version, by=signed_in_user(request), now=database_now()
        )
    except ArchivedRule as error:
        messages.error(request, f"Not saved: {error}")
        return HttpResponseRedirect(f"/rules/{code}")
    except OutdatedRuleVersion:
        return _render_conflict(request, _rule_or_404(code), entered)
    except InvalidRuleChange as error:
        return _render_rule(request, summary, entered_form(form, entered, error.errors))
    if result.refolded_orders:
        job_functions.ask_worker_to_run_job_now("refold")
    messages.success(request, _success_message(result))
    return HttpResponseRedirect(f"/rules/{code}")


def _render_conflict(
    request: HttpRequest, summary: RuleSummary, entered: Mapping[str, str]
) -> HttpResponse:
    """The stored rule and the entered values, which were made from an older version."""
    stored = form_of_rule(summary.rule)
    mine = entered_form(stored, entered, {})
    latest = next(iter(queries.rule_history(summary.rule.code)), None)
    conflict = conflict_with_latest_entry(
        values_by_label(stored),
        values_by_label(mine),
        latest,
        now=database_now(),
        form_id="rule-form",
        reload_url=f"/rules/{summary.rule.code}",
    )
    return _render_rule(request, summary, mine, conflict=conflict)


def _has_effect_on_live_rule(summary: RuleSummary, draft: SlaRule) -> bool:
    """Whether the rule has timers or active alerts, and the change moves them."""
    rule = summary.rule
    if not rule.enabled or all(getattr(rule, f) == getattr(draft, f) for f in CLOCK_FIELDS):
        return False
    activity = load_rule_activity([rule], database_now())[rule.pk]
    return bool(activity.running or activity.active_alerts)


def _render_effect(
    request: HttpRequest, summary: RuleSummary, form: RuleForm, draft: SlaRule
) -> HttpResponse:
    """The entered values with what the change does to timers and alerts, to be confirmed."""
    now = database_now()
    shown = entered_form(form, request.POST.dict(), {})
    context = rule_form_context(shown) | {
        "now": now,
        "rule": summary.rule,
        "must_confirm": rule_definition_fingerprint(draft),
        "is_stored": True,
        "sentence": queries.summarize_rule(draft).sentence,
        "scope_text": scope_text(draft.scope),
        "precedence": load_precedence_sentences(draft),
        "save_url": f"/rules/{summary.rule.code}/save",
    }
    if draft.enabled:
        context["preview"] = preview_rule(draft, now=now)
    else:
        context["ending"] = load_rule_activity([summary.rule], now)[summary.rule.pk]
    return render(request, "rules/changed.html", context)


def _success_message(result: RuleChangeResult) -> str:
    if not result.changed:
        return "Nothing was changed."
    text = f"Saved as version {result.rule.version}."
    if result.refolded_orders:
        text += f" {count_with_noun(result.refolded_orders, 'order')} will be checked again."
    return text


def _values_after_change_as_text(
    detail: Mapping[str, Any], inputs: Sequence[ParameterInput]
) -> str:
    """`Time limit (working hours): 6, severity: high` of the values after a change."""
    labels = {i.field.name: i.field for i in inputs}
    texts = []
    for name, value in dict(detail.get("after") or {}).items():
        if name == "scope":
            texts.append(f"applies to {scope_text(value) or 'everything'}")
            continue
        if name != "params" or not isinstance(value, Mapping):
            shown = {True: "yes", False: "no"}.get(value, value) if name == "enabled" else value
            texts.append(f"{name.replace('_', ' ')}: {shown}")
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
    form: RuleForm,
    *,
    conflict: SaveConflict | None = None,
) -> HttpResponse:
    newest = latest_change_number()
    now = database_now()
    rule = summary.rule
    may_edit = has_permission(request.user, Permission.RULES_EDIT)
    context = {
        "live_head": newest,
        "now": now,
        "summary": summary,
        "rule": rule,
        "form": form,
        "conflict": conflict,
        "activity": load_rule_activity([rule], now)[rule.pk],
        "precedence": load_precedence_sentences(rule) if rule.enabled else [],
        "history": [
            (
                entry,
                displayed_time(entry.at, now),
                _change_text(entry, form.inputs),
            )
            for entry in queries.rule_history(rule.code)
        ],
        "may_edit": may_edit and rule.archived_at is None,
        "may_copy": may_edit,
    }
    if may_edit:
        context |= rule_form_context(form) | {
            "sentence": summary.sentence,
            "scope_text": summary.scope_text,
            "is_stored": True,
            "save_url": f"/rules/{rule.code}/save",
        }
    status = 409 if conflict else 400 if form.errors else 200
    return render(request, "rules/rule.html", context, status=status)


def _change_text(entry: AuditEntry, inputs: Sequence[ParameterInput]) -> str:
    if entry.action == "rule.archived":
        return "archived"
    text = _values_after_change_as_text(entry.detail, inputs)
    return f"created, {text}" if entry.action == "rule.created" else text


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
