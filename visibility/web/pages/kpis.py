"""KPI pages: the overview, one KPI, and the orders of a KPI."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from connectors.sdk.events import EventType
from visibility.db.database_time import database_now
from visibility.kpi import drilldown
from visibility.kpi import query as numbers
from visibility.kpi.kpi import Kpi
from visibility.kpi.measured_records import RecordKpi
from visibility.kpi.registry import kpi_registry
from visibility.preferences.demo_tour import MISSED
from visibility.screens.kpis import value_and_comparison_texts
from visibility.screens.kpis.kpi_error_sentences import kpi_failure_notes
from visibility.screens.kpis.overview import build_overview
from visibility.screens.kpis.value_and_comparison_texts import uncountable_codes_counts_and_texts
from visibility.screens.orders.event_labels import EVENT_LABELS
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS
from visibility.web.demo_tour_pages import note_tour_page
from visibility.web.kpi_detail_page import (
    kpi_or_404,
    render_kpi_page,
    show_page_if_too_many_facts,
)
from visibility.web.kpi_page_context import shared_kpi_context
from visibility.web.kpi_query_string import (
    KpiRequest,
    link_matrix_cells,
    parse_kpi_query_string,
    undelivered_orders_query_string,
)
from visibility.web.permissions import Permission, has_permission, require_permission


@require_permission(Permission.KPIS)
@show_page_if_too_many_facts
def kpi_overview(request: HttpRequest) -> HttpResponse:
    """All KPIs over a date range."""
    now = database_now()
    asked = parse_kpi_query_string(request, now)
    chosen = kpi_registry().get(request.GET.get("kpi", ""), kpi_registry()["fill_rate"])
    overview_page = build_overview(asked.selection, matrix=chosen, now=now)
    context = {
        "content": overview_page,
        "kpis": [
            (kpi, asked.query_string_with(kpi=code), kpi is chosen)
            for code, kpi in kpi_registry().items()
        ],
        "matrix": link_matrix_cells(asked, overview_page.matrix),
        "undelivered": undelivered_orders_query_string(asked),
        "failures": kpi_failure_notes(),
    }
    return render(
        request,
        "kpis/overview.html",
        shared_kpi_context(asked, now, overview_page.choices) | context,
    )


@require_permission(Permission.KPIS)
@show_page_if_too_many_facts
def kpi_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One KPI: trend, distribution, breakdowns, definition."""
    return render_kpi_page(request, code)


@require_permission(Permission.KPIS)
@show_page_if_too_many_facts
def kpi_orders(request: HttpRequest, code: str) -> HttpResponse:
    """The orders of a KPI; their totals equal its value."""
    kpi = kpi_or_404(code)
    now = database_now()
    asked = parse_kpi_query_string(request, now)
    groups: tuple[drilldown.OrderGroup | drilldown.Uncountable, ...] = (
        *drilldown.selectable_order_groups_of_kpi(kpi),
        drilldown.UNCOUNTABLE,
    )
    group = next((p for p in groups if p == request.GET.get("part")), groups[0])
    reason = asked.query.get("reason", "") if group in {"excluded", drilldown.UNCOUNTABLE} else ""
    after = request.GET.get("after", "").replace("\0", "")
    if code == "fill_rate" and group == "missed":
        note_tour_page(request, MISSED)
    tallies, reasons = drilldown.group_totals_and_exclusions(kpi, asked.span, asked.filters)
    rows = drilldown.load_order_page(
        kpi, asked.span, asked.filters, group=group, reason=reason, after=after
    )
    summary = numbers.summary(kpi, asked.span, asked.filters, now=now)
    titles, shown = drilldown.group_titles(kpi), rows[: drilldown.PAGE_SIZE]
    contacts = has_permission(request.user, Permission.CONTACTS)
    context = {
        "kpi": kpi,
        "part": group,
        "noun": kpi.subject,
        "is_record": isinstance(kpi, RecordKpi),
        "has_orders": not isinstance(kpi, RecordKpi) or kpi.record_kind.may_be_about_order,
        "may_messages": has_permission(request.user, Permission.SOURCES_SEE),
        "may_parked": has_permission(request.user, Permission.PARKED_SEE),
        "reason": value_and_comparison_texts.exclusion_reason(kpi, reason) if reason else "",
        "uncountable_reasons": [
            (text, asked.query_string_with(part=drilldown.UNCOUNTABLE, reason=code), code == reason)
            for code, _, text in value_and_comparison_texts.uncountable_codes_counts_and_texts(
                summary.uncountable
            )
        ],
        "uncountable": (
            drilldown.count_orders_with_uncountable_lines(kpi, asked.span, asked.filters),
            asked.query_string_with(part=drilldown.UNCOUNTABLE, reason=""),
        )
        if summary.uncountable or group == drilldown.UNCOUNTABLE
        else None,
        "summary": summary,
        "sentence": _kpi_value_and_population_sentence(kpi, asked, summary),
        "tabs": [
            (titles[p], tallies[p], asked.query_string_with(part=p, reason=""), p == group)
            for p in drilldown.selectable_order_groups_of_kpi(kpi)
        ],
        "reasons": [
            (
                value_and_comparison_texts.exclusion_reason(kpi, r),
                n,
                asked.query_string_with(part="excluded", reason=r),
                r == reason,
            )
            for r, n in reasons.items()
        ],
        "rows": [
            (
                row,
                (row.customer_name if contacts else "") or row.customer_no,
                STATUS_LABELS[Status(row.status)] if row.status else "",
                "; excluded: ".join(
                    [
                        value_and_comparison_texts.describe_how_order_counts_in_kpi(
                            kpi,
                            row.numerator,
                            row.denominator,
                            row.excluded,
                            started_at=row.started_at,
                            ended_at=row.ended_at,
                        ),
                        *(
                            text
                            for _, _, text in uncountable_codes_counts_and_texts(row.uncountable)
                        ),
                    ]
                ),
                EVENT_LABELS[EventType(row.event_type)] if row.event_type else row.event_type,
                value_and_comparison_texts.dimension_value_label(row.channel),
                value_and_comparison_texts.dimension_value_label(row.warehouse),
            )
            for row in shown
        ],
        "next": asked.query_string_with(part=group, reason=reason, after=shown[-1].cursor)
        if len(rows) > drilldown.PAGE_SIZE
        else "",
        "first": asked.query_string_with(part=group, reason=reason) if after else "",
    }
    choices = numbers.dimension_values_with_most_orders(asked.span, kpi.dimensions)
    return render(request, "kpis/orders.html", shared_kpi_context(asked, now, choices) | context)


def _kpi_value_and_population_sentence(
    kpi: Kpi, asked: KpiRequest, summary: numbers.KpiSummary
) -> str:
    value = value_and_comparison_texts.format_kpi_value(
        kpi, summary.median_seconds_or_fraction(kpi)
    )
    population = value_and_comparison_texts.describe_counts_behind_kpi_value(kpi, summary)
    return f"{asked.range_label}: {kpi.title.lower()} {value}, {population}"


urlpatterns = [
    path("numbers", kpi_overview, name="numbers"),
    path("numbers/<slug:code>", kpi_detail, name="number"),
    path("numbers/<slug:code>/orders", kpi_orders, name="number-orders"),
]
