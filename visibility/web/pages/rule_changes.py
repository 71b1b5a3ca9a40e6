"""New rules, previews of entered values, and what ends or pauses a rule."""

from collections.abc import Callable
from dataclasses import replace

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from visibility.alerts.change_sla_rules import (
    ArchivedRule,
    OutdatedRuleVersion,
    RuleChangeResult,
    archive_rule,
    build_changed_rule,
    build_new_rule,
    change_rule,
    create_rule,
)
from visibility.alerts.rule_values import InvalidRuleChange
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.formatting import count_with_noun
from visibility.models import SlaRule
from visibility.pipeline import job_functions
from visibility.screens.rules.precedence import load_precedence_sentences, scope_text
from visibility.screens.rules.preview import preview_rule
from visibility.screens.rules.queries import list_kinds, load_rule_summary, summarize_rule
from visibility.screens.rules.rule_form import (
    RuleForm,
    entered_form,
    form_of_copy,
    form_of_kind,
    form_of_rule,
    sentence_of_form,
    values_of_form,
)
from visibility.sla.registry import rule_kinds
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.rule_form_context import rule_form_context

LIST_URL = "/rules"
NEW_URL = "/rules/new"


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.RULES_EDIT)
def new_rule(request: HttpRequest) -> HttpResponse:
    """`/rules/new`: the kinds; `kind=` or `copy=`: the form; POST creates the rule."""
    entered = request.POST if request.method == "POST" else request.GET
    form = _empty_form(entered.get("kind", ""), entered.get("copy", ""))
    if form is None:
        return render(request, "rules/kinds.html", {"kinds": list_kinds()})
    if request.method != "POST":
        return _render_new(request, form)
    assert form.kind is not None
    try:
        result = create_rule(
            {"kind": form.kind.code, **values_of_form(form, request.POST.dict())},
            by=signed_in_user(request),
            now=database_now(),
            copy_of=form.copy_of,
        )
    except InvalidRuleChange as error:
        return _render_new(request, entered_form(form, request.POST.dict(), error.errors))
    report_change(request, result, "Rule created.")
    return HttpResponseRedirect(f"{LIST_URL}/{result.rule.code}")


@require_POST
@require_permission(Permission.RULES_EDIT)
def draft_rule(request: HttpRequest) -> HttpResponse:
    """`POST /rules/draft`: the sentence of the entered values, and with `preview` their effect.

    With `fragment`, only that part of the page; without, the form with it. Nothing is stored.
    """
    entered = request.POST.dict()
    stored = SlaRule.objects.filter(code=entered.get("code", "").replace("\0", "")).first()
    form = form_of_rule(stored) if stored else _empty_form(entered.get("kind", ""), "")
    if form is None or form.kind is None:
        raise Http404
    values = values_of_form(form, entered)
    context: dict[str, object] = {}
    errors: dict[str, str] = {}
    try:
        if stored:
            draft = build_changed_rule(stored, values)
        else:
            # Without an owner yet, the sentence is known all the same.
            team = values.get("team") or form.kind.team
            draft = build_new_rule({"kind": form.kind.code, **values, "team": team})
        context = {
            "sentence": summarize_rule(draft).sentence,
            "scope_text": scope_text(draft.scope),
            "precedence": load_precedence_sentences(draft),
        }
        if "preview" in entered:
            now = database_now()
            context |= {"now": now, "preview": preview_rule(draft, now=now)}
    except InvalidRuleChange as error:
        errors = error.errors
    shown = replace(
        entered_form(form, entered, errors),
        code=entered.get("code", "") if stored else "",
        copy_of=entered.get("copy", ""),
    )
    context |= {"form": shown, "is_stored": bool(stored)}
    if "fragment" in entered:
        return render(request, "rules/draft.html", context)
    page = "rules/changed.html" if stored else "rules/new.html"
    context |= rule_form_context(shown) | {
        "rule": stored,
        "draft_shown": True,
        "save_url": f"{LIST_URL}/{shown.code}/save",
    }
    return render(request, page, context, status=422 if errors else 200)


@require_POST
@require_permission(Permission.RULES_EDIT)
def archive(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /rules/<code>/archive`: end the rule; its alerts close, and its history stays."""
    version = parse_row_version(request.POST.get("version", ""))
    return _change(
        request,
        code,
        lambda: archive_rule(code, version=version, by=signed_in_user(request), now=database_now()),
        "Rule archived. Its history stays here.",
    )


@require_POST
@require_permission(Permission.RULES_EDIT)
def pause(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /rules/<code>/pause`: disable the rule."""
    return _set_enabled(request, code, "Rule paused.", is_enabled=False)


@require_POST
@require_permission(Permission.RULES_EDIT)
def resume(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /rules/<code>/resume`: enable the rule."""
    return _set_enabled(request, code, "Rule resumed.", is_enabled=True)


def _set_enabled(
    request: HttpRequest, code: str, success: str, *, is_enabled: bool
) -> HttpResponse:
    version = parse_row_version(request.POST.get("version", ""))
    return _change(
        request,
        code,
        lambda: change_rule(
            code,
            {"enabled": is_enabled},
            version=version,
            by=signed_in_user(request),
            now=database_now(),
        ),
        success,
    )


def _change(
    request: HttpRequest, code: str, change: Callable[[], RuleChangeResult], success: str
) -> HttpResponse:
    if load_rule_summary(code) is None:
        raise Http404(code)
    try:
        report_change(request, change(), success)
    except (OutdatedRuleVersion, ArchivedRule, InvalidRuleChange) as error:
        messages.error(request, f"Not changed: {error}")
    return HttpResponseRedirect(f"{LIST_URL}/{code}")


def report_change(request: HttpRequest, result: RuleChangeResult, success: str) -> None:
    """Say what was done, and how many orders are checked again; wake the worker for them."""
    if result.refolded_orders:
        job_functions.ask_worker_to_run_job_now("refold")
        orders = count_with_noun(result.refolded_orders, "order")
        success += f" {orders} will be checked."
    messages.success(request, success)


def _empty_form(kind_code: str, copy_of: str) -> RuleForm | None:
    """The form of a kind or of a copy; None without either."""
    if copy_of:
        summary = load_rule_summary(copy_of.replace("\0", ""))
        if summary is None or summary.kind is None:
            raise Http404(copy_of)
        return form_of_copy(summary.rule)
    if not kind_code:
        return None
    kind = rule_kinds().get(kind_code)
    if kind is None:
        raise Http404(kind_code)
    return form_of_kind(kind)


def _render_new(request: HttpRequest, form: RuleForm) -> HttpResponse:
    context: dict[str, object] = {"form": form, **rule_form_context(form)}
    if not form.errors:
        context["sentence"] = sentence_of_form(form)
    return render(request, "rules/new.html", context, status=422 if form.errors else 200)


urlpatterns = [
    path("rules/new", new_rule),
    path("rules/draft", draft_rule),
    path("rules/<slug:code>/archive", archive),
    path("rules/<slug:code>/pause", pause),
    path("rules/<slug:code>/resume", resume),
]
