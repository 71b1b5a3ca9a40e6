"""The page of one order."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import urlencode

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_page_number, parse_plausible_time
from visibility.models import BusinessObject, Order
from visibility.preferences.demo_tour import FIND
from visibility.screens.orders import (
    answer_links,
    at_risk_sentences,
    claims_and_discrepancies,
    expected_steps,
    invoices_and_credits,
    milestones,
    order_list,
    order_numbers,
    people_on_order,
    record_links,
    related_orders,
    source_reports,
    suppress_conflicts_if_silent,
    swimlane_closed_time,
)
from visibility.screens.setup.demo_tour import TOUR_PO
from visibility.screens.telemetry.order_calls import count_order_calls
from visibility.storage.organization import organization_time_zone
from visibility.timeline import Timeline
from visibility.timeline.status_answer import STATUS_LABELS, status_answer
from visibility.web.demo_tour_pages import note_tour_page
from visibility.web.list_page_context import viewer_of_request
from visibility.web.pages import exports
from visibility.web.pages.order_event import selected_event_context
from visibility.web.pages.order_tabs import LIST_VIEW, ORDER_UNIT, SHOWN, ReadOrder, tab_context
from visibility.web.pages.tracking_links import tracking_panel
from visibility.web.permissions import (
    Permission,
    granted_permissions,
    require_permission,
    signed_in_user,
)

TABS = (
    ("timeline", "Timeline"),
    ("lines", "Lines"),
    ("shipments", "Shipments"),
    ("money", "Billing"),
    ("discrepancies", "Discrepancies"),
    ("calls", "Calls and runs"),
    ("lineage", "Data trail"),
    ("notes", "Notes"),
)
# Parameters that links of the page pass on, if they have this value.
PASSED_ON = {"view": LIST_VIEW, "links": SHOWN, "unit": ORDER_UNIT}


@require_permission(Permission.ORDERS)
def order_view(request: HttpRequest, order_id: int) -> HttpResponseBase:
    """GET /orders/<id>: the order page with one tab. A merged order redirects."""
    orders = Order.objects.annotate(timer_calendar=swimlane_closed_time.calendar_of_timers())
    order = orders.filter(pk=order_id).first()
    if order is None:
        winner = BusinessObject.objects.filter(pk=order_id, kind="order").first()
        if winner and winner.merged_into_id:
            query = f"?{request.GET.urlencode()}" if request.GET else ""
            return redirect(f"/orders/{winner.merged_into_id}{query}")
        raise Http404
    if order.customer_po == TOUR_PO:
        note_tour_page(request, FIND)
    now = database_now()
    known_at = _parse_known_at(request)
    timeline = milestones.load_timeline(order.pk, as_of=known_at or now, known_at=known_at)
    timeline, suppressed = (
        (timeline, ())
        if known_at
        else suppress_conflicts_if_silent.split_suppressed_conflicts(timeline, now=now)
    )
    reports = source_reports.load_source_reports(now)
    names = {slug: (report.title, report.connected_at) for slug, report in reports.items()}
    granted = granted_permissions(request.user)
    prices, contacts = Permission.PRICES in granted, Permission.CONTACTS in granted
    tab = request.GET.get("tab", "timeline")
    tab = tab if tab in dict(TABS) else "timeline"
    back = _query_string_of_links(known_at, request.GET)
    answer = status_answer(timeline, zone=organization_time_zone())
    identifiers = order_numbers.order_identifiers(order.pk)
    links = record_links.record_links(timeline, identifiers, reports)
    conflicts = claims_and_discrepancies.discrepancies(timeline, names, prices=prices)
    number = parse_page_number(request.GET.get("page", "")) if tab == "notes" else 1
    note_page = people_on_order.load_note_page(order.pk, until=known_at or now, number=number)
    notes = note_page.notes if contacts else ()
    watchers = people_on_order.watchers(order.pk)
    steps = (
        ()
        if known_at
        else expected_steps.load_expected_steps(
            order.pk, timeline, reports, now=now, zone=organization_time_zone()
        )
    )
    read = ReadOrder(
        order,
        timeline,
        reports,
        names,
        steps,
        notes,
        links,
        known_at,
        now,
        back,
        order.timer_calendar,
    )
    context: dict[str, Any] = {
        "order": order,
        "timeline": timeline,
        "answer": answer,
        "clauses": list(answer_links.linked_clauses(answer, timeline, back=back)),
        "next": expected_steps.next_step(
            answer,
            timeline,
            {} if known_at else reports,
            now=known_at or now,
            zone=organization_time_zone(),
        ),
        "late": answer_links.lateness(timeline, now=known_at or now, zone=organization_time_zone()),
        "title": STATUS_LABELS[timeline.status],
        "tone": order_list.STATUS_TONES[timeline.status],
        "states": answer_links.further_states(timeline, answer),
        "now": now,
        "known_at": known_at,
        "known_steps": milestones.load_known_steps(order.pk, now=now, known_at=known_at)
        if known_at
        else None,
        "back": back,
        "steps": milestones.milestone_steps(timeline),
        "risks": ()
        if known_at
        else at_risk_sentences.load_at_risk_sentences([order.pk], now).get(order.pk, ()),
        "alerts": () if known_at else milestones.active_alerts(order.pk),
        "may_manage_alerts": Permission.ALERTS_MANAGE in granted,
        "failed_clocks": milestones.uncomputable_clocks_of_order(order.pk),
        "conflicts": conflicts,
        "suppressed": claims_and_discrepancies.suppressed_conflict_and_silent_source_texts(
            suppressed, names, prices=prices
        ),
        "promises": claims_and_discrepancies.promise_history(timeline, names),
        "numbers": order_numbers.order_numbers(timeline, identifiers, reports, links),
        "related_groups": related_orders.load_related_groups(
            order,
            identifiers,
            has_lists=not viewer_of_request(request).sources_only,
            wanted=request.GET.get("related", ""),
        ),
        "returns": related_orders.returns_of_order(timeline),
        "prices": prices,
        "contacts": contacts,
        "may_note": Permission.ORDERS_NOTE in granted and not known_at,
        "is_watched": people_on_order.is_watched_by(order.pk, signed_in_user(request)),
        "watchers": watchers,
        "notes": notes,
        "note_page": note_page,
        "max_shown": milestones.MAX_SHOWN,
        "tracking": tracking_panel(request, order, now),
        "may_see_raw": Permission.MESSAGE_BODIES in granted,
        "tab": tab,
        "tabs": _tabs(
            timeline,
            back,
            conflicts=len(conflicts),
            notes=note_page.total if contacts else 0,
            calls=count_order_calls(order.pk, until=known_at),
        ),
        "event": selected_event_context(request, read),
        "exports": exports.export_links(request, order=order.pk),
        **tab_context(request, tab, read),
    }
    return render(request, "orders/order.html", context)


def _parse_known_at(request: HttpRequest) -> datetime | None:
    """The time of `as_known_at` or `at`; the form sends a local time without a zone."""
    text = request.GET.get("as_known_at", "") or request.GET.get("at", "")
    if moment := parse_plausible_time(text):
        return moment
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(organization_time_zone()))
        return parse_plausible_time(local.astimezone(UTC).isoformat())
    except (ValueError, OverflowError):
        return None


def _tabs(
    timeline: Timeline, back: str, *, conflicts: int, notes: int, calls: int
) -> list[tuple[str, str, str, int]]:
    """(code, URL, title, count) of each tab; links keep the parameter `as_known_at`.

    Without calls and runs, their tab is not shown.
    """
    counts = (
        len(timeline.entries),
        len(timeline.lines),
        len(timeline.shipments),
        len(invoices_and_credits.list_invoices_and_credits(timeline, {}, prices=False)),
        conflicts,
        calls,
        len({entry.recorded.message_id for entry in timeline.entries}),
        notes,
    )
    return [
        (code, f"?tab={code}{back}", title, count)
        for (code, title), count in zip(TABS, counts, strict=True)
        if count or code != "calls"
    ]


def _query_string_of_links(known_at: datetime | None, query: QueryDict) -> str:
    """What links of the page pass on: an earlier point in time, and how the page is shown."""
    passed = {"as_known_at": known_at.isoformat()} if known_at else {}
    passed |= {name: value for name, value in PASSED_ON.items() if query.get(name, "") == value}
    return f"&{urlencode(passed)}" if passed else ""


urlpatterns = [path("orders/<int:order_id>", order_view, name="order")]
