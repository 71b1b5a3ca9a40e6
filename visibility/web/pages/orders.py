"""The order page."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import urlencode

from connectors.sdk.event_term_descriptions import OBJECT_KINDS
from connectors.sdk.events import Attribute, IdentifierScheme
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_plausible_time, parse_row_id
from visibility.export.redaction import Redaction
from visibility.models import BusinessObject, Identifier, Order
from visibility.screens.orders import (
    claims_and_discrepancies,
    event_labels,
    lines_and_billing,
    number_and_customer_search,
    order_list,
    suppress_conflicts_if_silent,
    swimlanes,
)
from visibility.screens.orders import milestones_and_activity as timeline_page
from visibility.timeline import Timeline
from visibility.timeline.status_answer import STATE_LABELS, STATUS_LABELS, status_answer
from visibility.web.pages import exports, lineage_context
from visibility.web.permissions import Permission, has_permission, require_permission

# Issuers that are not the slug of a source but a role from the setting of its number ranges.
ISSUER_LABELS = {"3pl": "3PL", "edi": "EDI", "erp": "ERP", "oms": "OMS", "wms": "WMS"}
TABS = (
    ("timeline", "Timeline"),
    ("lines", "Lines"),
    ("shipments", "Shipments"),
    ("money", "Billing"),
    ("discrepancies", "Discrepancies"),
    ("lineage", "Data trail"),
)
# Event attributes that need a permission; free text can name a person.
ATTRIBUTE_PERMISSIONS = {
    Attribute.TOTAL: Permission.PRICES,
    Attribute.CUSTOMER_NAME: Permission.CONTACTS,
    Attribute.DETAIL: Permission.CONTACTS,
}


@require_permission(Permission.ORDERS)
def order_view(request: HttpRequest, order_id: int) -> HttpResponseBase:
    """GET /orders/<id>: the order page with one tab. A merged order redirects."""
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        winner = BusinessObject.objects.filter(pk=order_id, kind="order").first()
        if winner and winner.merged_into_id:
            query = f"?{request.GET.urlencode()}" if request.GET else ""
            return redirect(f"/orders/{winner.merged_into_id}{query}")
        raise Http404
    now = database_now()
    known_at = parse_plausible_time(request.GET.get("as_known_at", "") or request.GET.get("at", ""))
    timeline = timeline_page.load_timeline(order.pk, as_of=known_at or now, known_at=known_at)
    timeline, suppressed = (
        (timeline, ())
        if known_at
        else suppress_conflicts_if_silent.split_suppressed_conflicts(timeline, now=now)
    )
    names = timeline_page.source_titles_and_connect_times()
    tab = request.GET.get("tab", "timeline")
    tab = tab if tab in dict(TABS) else "timeline"
    prices = has_permission(request.user, Permission.PRICES)
    contacts = has_permission(request.user, Permission.CONTACTS)
    conflicts = claims_and_discrepancies.discrepancies(timeline, names, prices=prices)
    context: dict[str, Any] = {
        "order": order,
        "timeline": timeline,
        "answer": status_answer(timeline, zone=settings.TIME_ZONE),
        "title": STATUS_LABELS[timeline.status],
        "tone": order_list.STATUS_TONES[timeline.status],
        "states": [STATE_LABELS[s] for s in timeline.states if s.value != timeline.status.value],
        "now": now,
        "known_at": known_at,
        "back": _as_known_at_query_string_or_empty(known_at),
        "rail": timeline_page.milestone_steps(timeline),
        "alerts": timeline_page.active_alerts(order.pk),
        "failed_clocks": timeline_page.uncomputable_clocks_of_order(order.pk),
        "conflicts": conflicts,
        "suppressed": claims_and_discrepancies.suppressed_conflict_and_silent_source_texts(
            suppressed, names, prices=prices
        ),
        "promises": claims_and_discrepancies.promise_history(timeline, names),
        "identifiers": [
            (
                number_and_customer_search.SCHEME_LABELS.get(i.scheme, i.scheme),
                _issuer_label(i, names),
                i.raw,
            )
            for i in timeline_page.identifiers_except_source_ids(order.pk)
        ],
        "related": [(OBJECT_KINDS[r.kind].label, r.number) for r in timeline.related],
        "prices": prices,
        "contacts": contacts,
        "may_see_raw": has_permission(request.user, Permission.MESSAGE_BODIES),
        "tab": tab,
        "tabs": _tabs(timeline, known_at, conflicts=len(conflicts)),
        "event": _selected_event_context_or_none(request, timeline, names),
        **_tab_context(
            tab, timeline, names, allowed=Redaction(prices, contacts), now=known_at or now
        ),
        "exports": exports.export_links(request, order=order.pk),
        "lineage": lineage_context.order_lineage_context(request, order.pk, names)
        if tab == "lineage"
        else None,
    }
    return render(request, "orders/order.html", context)


def _tab_context(
    tab: str,
    timeline: Timeline,
    names: timeline_page.SourceTitles,
    *,
    allowed: Redaction,
    now: datetime,
) -> dict[str, Any]:
    """The template context of one tab."""
    zone = settings.TIME_ZONE
    if tab == "lines":
        return {"table": lines_and_billing.line_table(timeline, names)}
    if tab == "money":
        return {
            "matches": lines_and_billing.compare_shipped_with_invoiced_by_line(timeline),
            "invoices": lines_and_billing.list_billing_events(timeline, names),
            "currency": lines_and_billing.order_currency(timeline),
        }
    if tab == "discrepancies":
        return {
            "matrix": claims_and_discrepancies.system_comparison(
                timeline, names, prices=allowed.prices
            )
        }
    if tab == "shipments":
        return {"source_titles": {slug: title for slug, (title, _) in names.items()}}
    if tab == "lineage":
        return {}
    return {
        "days": timeline_page.activity_days(timeline, names, zone=zone, contacts=allowed.contacts),
        "lanes": swimlanes.layout_swimlanes(timeline, titles=names, now=now, zone=zone),
    }


def _issuer_label(identifier: Identifier, names: timeline_page.SourceTitles) -> str:
    """The system that issued a number; empty for customer POs, whose issuer is the customer."""
    issuer = identifier.issuer.rstrip("?")
    if identifier.scheme == IdentifierScheme.CUSTOMER_PO:
        return ""
    return names[issuer][0] if issuer in names else ISSUER_LABELS.get(issuer, issuer)


def _tabs(
    timeline: Timeline, known_at: datetime | None, *, conflicts: int
) -> list[tuple[str, str, str, int]]:
    """(code, URL, title, count) of each tab; links keep the parameter `as_known_at`."""
    counts = (
        len(timeline.entries),
        len(timeline.lines),
        len(timeline.shipments),
        sum(
            e.recorded.event.type in lines_and_billing.INVOICE_EVENT_LABELS
            for e in timeline.entries
        ),
        conflicts,
        len({entry.recorded.message_id for entry in timeline.entries}),
    )
    return [
        (code, f"?tab={code}{_as_known_at_query_string_or_empty(known_at)}", title, count)
        for (code, title), count in zip(TABS, counts, strict=True)
    ]


def _as_known_at_query_string_or_empty(known_at: datetime | None) -> str:
    """The query string that links carry while the page shows an earlier point in time."""
    return f"&{urlencode({'as_known_at': known_at.isoformat()})}" if known_at else ""


def _selected_event_context_or_none(
    request: HttpRequest, timeline: Timeline, names: timeline_page.SourceTitles
) -> dict[str, Any] | None:
    text = request.GET.get("event", "")
    event_id = parse_row_id(text)
    entry = timeline_page.find_timeline_entry_by_event_id(timeline, event_id) if event_id else None
    if entry is None:
        return None
    event = entry.recorded.event
    return {
        "item": timeline_page.activity_item(
            entry, names, contacts=has_permission(request.user, Permission.CONTACTS)
        ),
        "recorded": entry.recorded,
        "flags": [
            event_labels.FLAG_LABELS[flag]
            for flag in entry.recorded.flags_with_future_if_after_receipt
        ],
        "attributes": [
            (name.value.replace("_", " "), value)
            for name, value in event.attributes.items()
            if name not in ATTRIBUTE_PERMISSIONS
            or has_permission(request.user, ATTRIBUTE_PERMISSIONS[name])
        ],
        "objects": [
            (ref.kind.value, ", ".join(i.value for i in ref.identifiers)) for ref in event.objects
        ],
    }


urlpatterns = [
    path("orders/<int:order_id>", order_view, name="order"),
]
