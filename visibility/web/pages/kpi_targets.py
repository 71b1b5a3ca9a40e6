"""The page of KPI targets: list them, add one and end one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from connectors.sdk.settings import SettingError
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_day, parse_row_id
from visibility.formatting import format_date, in_zone
from visibility.kpi.change_targets import (
    InvalidKpiTarget,
    KpiTargetValues,
    add_kpi_target,
    end_kpi_target,
    parse_target,
)
from visibility.kpi.kpi import Kpi
from visibility.kpi.targets import default_target
from visibility.models.kpi_targets import KpiTarget
from visibility.screens.kpis.target_list import (
    LAST_DAY,
    load_kpis_with_targets,
    load_scope_choices,
    load_stored_targets,
    scope_text,
    values_by_label,
)
from visibility.screens.kpis.value_and_comparison_texts import format_target
from visibility.screens.save_conflicts import (
    SEEN,
    SaveConflict,
    build_save_conflict,
    has_changed_since,
)
from visibility.storage.organization import organization_time_zone
from visibility.web.kpi_detail_page import kpi_or_404
from visibility.web.permissions import Permission, require_permission, signed_in_user

URL = "/kpi-targets"
INVALID_DATE = "Enter a date, such as 2026-03-04."


@dataclass(frozen=True, slots=True)
class KpiTargetForm:
    """The form of a new target as it is shown. `scope`: dimension and value, ":" between them."""

    value: str = ""
    first_day: str = ""
    scope: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefusedTargetEnd:
    """A target that was not ended: its number, the entered day, and why.

    `conflict`: somebody else ended it meanwhile.
    """

    number: int
    last_day: str
    error: str
    conflict: SaveConflict | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.KPIS)
@require_permission(Permission.ADMINISTER)
def kpi_targets(request: HttpRequest) -> HttpResponse:
    """`/kpi-targets`: every KPI, or with `kpi` the targets of one; POST adds one."""
    now = database_now()
    if request.method == "POST":
        return _add(request, kpi_or_404(_text(request.POST.get("kpi", ""))), now)
    code = _text(request.GET.get("kpi", ""))
    if code:
        return _render_kpi(request, kpi_or_404(code), now, _form_of_link(request, _today(now)))
    context = {"kpis": load_kpis_with_targets(_today(now))}
    return render(request, "kpi_targets/overview.html", context)


@require_POST
@require_permission(Permission.KPIS)
@require_permission(Permission.ADMINISTER)
@transaction.atomic
def end_target(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /kpi-targets/<id>/end`: end a target after a day."""
    targets = KpiTarget.objects.select_related("ended_by").select_for_update(of=("self",))
    target = targets.filter(pk=number).first()
    if target is None:
        raise Http404
    kpi, now = kpi_or_404(target.kpi), database_now()
    entered = _text(request.POST.get("last_day", ""))
    if target.last_day is not None and target.last_day < _today(now):
        # Its form is not shown any more.
        messages.error(request, f"Not saved: this target ended on {format_date(target.last_day)}.")
        return HttpResponseRedirect(f"{URL}?kpi={kpi.code}")
    if has_changed_since(request.POST.get(SEEN, ""), values_by_label(target)):
        conflict = build_save_conflict(
            values_by_label(target),
            {LAST_DAY: entered},
            by=target.ended_by,
            at=target.ended_at,
            now=now,
            form_id=f"end-target-{number}",
            reload_url=f"{URL}?kpi={kpi.code}",
        )
        refused = RefusedTargetEnd(number, entered, "", conflict)
        return _render_kpi(
            request, kpi, now, KpiTargetForm(first_day=_today(now).isoformat()), refused
        )
    try:
        end_kpi_target(number, _day(entered, "last_day"), user=signed_in_user(request), now=now)
    except InvalidKpiTarget as error:
        refused = RefusedTargetEnd(number, entered, str(error))
        form = KpiTargetForm(first_day=_today(now).isoformat())
        return _render_kpi(request, kpi, now, form, refused)
    messages.success(request, "Target ended.")
    return HttpResponseRedirect(f"{URL}?kpi={kpi.code}")


def _add(request: HttpRequest, kpi: Kpi, now: datetime) -> HttpResponse:
    form = KpiTargetForm(
        _text(request.POST.get("value", "")),
        _text(request.POST.get("first_day", "")),
        _text(request.POST.get("scope", "")),
    )
    try:
        values = _values(kpi, form)
        target = add_kpi_target(values, user=signed_in_user(request), now=now)
    except InvalidKpiTarget as error:
        errors = {e.name: e.sentence for e in error.errors}
        scope_error = errors.get("dimension") or errors.get("dimension_value")
        if scope_error:
            errors["scope"] = scope_error
        shown = KpiTargetForm(form.value, form.first_day, form.scope, errors)
        return _render_kpi(request, kpi, now, shown)
    scope = scope_text(target.dimension, target.dimension_value)
    messages.success(request, f"Target set: {format_target(kpi, target.value)}, {scope}.")
    return HttpResponseRedirect(f"{URL}?kpi={kpi.code}")


def _values(kpi: Kpi, form: KpiTargetForm) -> KpiTargetValues:
    """The fields of the form. Raises InvalidKpiTarget with all that cannot be parsed."""
    errors: list[SettingError] = []
    value = first_day = None
    try:
        value = parse_target(kpi, form.value)
    except ValueError as error:
        errors.append(SettingError("value", str(error)))
    try:
        first_day = _day(form.first_day, "first_day")
    except InvalidKpiTarget as error:
        errors += error.errors
    if value is None or first_day is None:
        raise InvalidKpiTarget(errors)
    dimension, _, dimension_value = form.scope.partition(":")
    return KpiTargetValues(kpi.code, value, first_day, dimension, dimension_value)


def _render_kpi(
    request: HttpRequest,
    kpi: Kpi,
    now: datetime,
    form: KpiTargetForm,
    refused: RefusedTargetEnd | None = None,
) -> HttpResponse:
    today, after = _today(now), parse_row_id(request.GET.get("after", ""))
    dimension, _, value = form.scope.partition(":")
    context = {
        "kpi": kpi,
        "default_target": format_target(kpi, default_target(kpi)),
        "stored": load_stored_targets(kpi, today, after),
        "is_first": after is None,
        "form": form,
        "refused": refused,
        "conflict": refused.conflict if refused else None,
        "scopes": load_scope_choices(kpi, today, (dimension, value)),
        "today": today.isoformat(),
    }
    status = 422 if form.errors or refused else 200
    if refused and refused.conflict:
        status = 409
    return render(request, "kpi_targets/kpi.html", context, status=status)


def _form_of_link(request: HttpRequest, today: date) -> KpiTargetForm:
    """The form as the link from the page of the KPI fills it."""
    scope = _text(request.GET.get("scope", ""))
    return KpiTargetForm(first_day=today.isoformat(), scope=scope)


def _day(text: str, name: str) -> date:
    day = parse_day(text)
    if day is None:
        raise InvalidKpiTarget([SettingError(name, INVALID_DATE)])
    return day


def _text(entered: str) -> str:
    return entered.replace("\0", "").strip()[:300]


def _today(now: datetime) -> date:
    return in_zone(now, organization_time_zone()).date()


urlpatterns = [
    path("kpi-targets", kpi_targets, name="kpi-targets"),
    path("kpi-targets/<int:number>/end", end_target, name="kpi-target-end"),
]
