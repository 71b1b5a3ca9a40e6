"""What the template of each tab of the order page needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.utils.http import urlencode

from connectors.sdk.events import ObjectKind
from visibility.models import Order, OrderNote
from visibility.preferences.order_lanes import load_lane_choice
from visibility.screens.orders import (
    claims_and_discrepancies,
    invoices_and_credits,
    lines_and_billing,
    package_scans,
)
from visibility.screens.orders.activity import ActivityContents
from visibility.screens.orders.carrier_tracking_pages import public_tracking_page
from visibility.screens.orders.expected_steps import ExpectedStep
from visibility.screens.orders.people_on_order import team_entries
from visibility.screens.orders.record_links import RecordLinks
from visibility.screens.orders.source_reports import SourceReport
from visibility.screens.orders.swimlane_closed_time import order_calendar
from visibility.screens.orders.swimlane_links import MAX_LINKS, object_links
from visibility.screens.orders.swimlanes import (
    SCALES,
    LaneContents,
    SwimlaneChart,
    Zoom,
    layout_swimlanes,
)
from visibility.storage.organization import organization_time_zone
from visibility.timeline import Timeline
from visibility.timeline.quotations_contracts_and_transports import TRANSPORT_KINDS
from visibility.web.mentionable_users import mentionable_users, suggested_colleagues
from visibility.web.pages import lineage_context
from visibility.web.pages.activity_context import activity_context
from visibility.web.permissions import Permission, has_permission, signed_in_user
from visibility.web.telemetry_tabs import order_calls_context

# `?view=list`: the timeline without lanes.
LIST_VIEW = "list"
# `?links=1`: arrows between the objects on the lanes.
SHOWN = "1"
# `?unit=order`: the lines in the unit of the order instead of the base unit.
ORDER_UNIT = "order"


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """An order as the page read it. `back`: the query parameters that links pass on."""

    order: Order
    timeline: Timeline
    reports: Mapping[str, SourceReport]
    names: Mapping[str, tuple[str, datetime]]
    steps: tuple[ExpectedStep, ...]
    notes: tuple[OrderNote, ...]
    links: RecordLinks
    known_at: datetime | None
    now: datetime
    back: str
    timer_calendar: Mapping[str, Any] | None = None


def tab_context(request: HttpRequest, tab: str, read: ReadOrder) -> dict[str, Any]:
    """The template context of one tab."""
    timeline, names = read.timeline, read.names
    if tab == "lines":
        in_order_unit = request.GET.get("unit") == ORDER_UNIT
        return {
            "table": lines_and_billing.line_table(timeline, names, in_order_unit=in_order_unit),
            "in_order_unit": in_order_unit,
            "units": [
                (title, _unit_url(read, unit), in_order_unit is (unit == ORDER_UNIT))
                for title, unit in (("Base unit", ""), ("Order unit", ORDER_UNIT))
            ],
            "currency": lines_and_billing.order_currency(timeline),
        }
    if tab == "money":
        return {
            "matches": lines_and_billing.compare_shipped_with_invoiced_by_line(timeline),
            "invoices": invoices_and_credits.list_invoices_and_credits(
                timeline, names, prices=has_permission(request.user, Permission.PRICES)
            ),
            "currency": lines_and_billing.order_currency(timeline),
            "record_links": read.links.by_number(invoices_and_credits.BILLING_KINDS),
        }
    if tab == "discrepancies":
        prices = has_permission(request.user, Permission.PRICES)
        matrix = claims_and_discrepancies.system_comparison(timeline, names, prices=prices)
        return {"matrix": matrix}
    if tab == "shipments":
        return {
            "shipments": package_scans.shipments_with_scans(timeline, names),
            "record_links": read.links.by_number({ObjectKind.SHIPMENT, *TRANSPORT_KINDS}),
            "source_titles": {slug: title for slug, (title, _) in names.items()},
            "tracking_pages": {
                package.tracking: public_tracking_page(shipment.carrier, package.tracking)
                for shipment in timeline.shipments
                for package in shipment.packages
            },
        }
    if tab == "lineage":
        lineage = lineage_context.order_lineage_context(request, read.order.pk, names)
        return {"lineage": lineage}
    if tab == "calls":
        return order_calls_context(request, read.order.pk, now=read.now, known_at=read.known_at)
    if tab == "notes":
        return _mention_context(request)
    return _timeline_context(request, read) | _mention_context(request)


def _unit_url(read: ReadOrder, unit: str) -> str:
    shown = {name: text for name, text in parse_qsl(read.back) if name != "unit"}
    return f"?{urlencode({'tab': 'lines', **shown, **({'unit': unit} if unit else {})})}"


def _mention_context(request: HttpRequest) -> dict[str, Any]:
    """The colleagues whom a note can mention; one statement."""
    if not has_permission(request.user, Permission.ORDERS_NOTE):
        return {"colleagues": []}
    return {"colleagues": suggested_colleagues(mentionable_users(), request.user.pk or 0)}


def _timeline_context(request: HttpRequest, read: ReadOrder) -> dict[str, Any]:
    zone, query = organization_time_zone(), request.GET
    contacts = has_permission(request.user, Permission.CONTACTS)
    until = read.known_at or read.now
    team = team_entries(read.order.pk, read.notes, until=until, contacts=contacts)
    choice = load_lane_choice(signed_in_user(request).pk)
    zoom = query.get("zoom", "")
    scale = query.get("scale", "")
    is_list = query.get("view") == LIST_VIEW
    has_links = query.get("links") == SHOWN and not is_list
    links = object_links(read.timeline) if has_links else []
    chart = (
        None
        if is_list
        else layout_swimlanes(
            LaneContents(
                read.timeline,
                read.reports,
                read.steps,
                team,
                until,
                zone,
                choice,
                order_calendar(read.timer_calendar),
                links[:MAX_LINKS],
            ),
            zoom=Zoom(zoom) if zoom in set(Zoom) else Zoom.FIT,
            scale=int(scale) if scale in {str(each) for each in SCALES} else 1,
        )
    )
    contents = ActivityContents(read.timeline, read.reports, read.steps, team, zone, contacts)
    return {
        "lanes": chart,
        "other_view": _other_view(read, is_list=is_list) if is_list or chart else None,
        "has_links": has_links,
        "object_links": links[:MAX_LINKS],
        "more_links": max(len(links) - MAX_LINKS, 0),
        "links_switch": _links_switch(read, chart, has_links=has_links),
        "is_choosing_lanes": query.get("lanes") == "1",
        "zooms": [
            (title, _lanes_url(read.back, zoom=code, scale=1), chart and chart.zoom is code)
            for code, title in (
                (Zoom.FIT, "Fit"),
                (Zoom.LAST_DAY, "Last 24 h"),
                (Zoom.EXCEPTIONS, "Exceptions"),
            )
        ],
        "zoom_out": _next_scale_url(read.back, chart, -1),
        "zoom_in": _next_scale_url(read.back, chart, 1),
        **activity_context(query, contents, back=read.back, oldest_first=choice.oldest_first),
    }


def _other_view(read: ReadOrder, *, is_list: bool) -> tuple[str, str]:
    """The label and the address of the switch between lanes with the list, and the list alone."""
    known_at = {"as_known_at": read.known_at.isoformat()} if read.known_at else {}
    view = {} if is_list else {"view": LIST_VIEW}
    query = urlencode({"tab": "timeline", **known_at, **view})
    return "Show lanes" if is_list else "List only", f"?{query}"


def _links_switch(read: ReadOrder, chart: SwimlaneChart | None, *, has_links: bool) -> str:
    """The address with the links of the lanes switched, and the rest as it is."""
    if chart is None:
        return ""
    shown = {name: text for name, text in parse_qsl(read.back) if name != "links"}
    switched = {} if has_links else {"links": SHOWN}
    query = {"zoom": chart.zoom.value, "scale": chart.scale, **shown, **switched}
    return f"?{urlencode(query)}#order-lanes"


def _lanes_url(back: str, *, zoom: Zoom, scale: int) -> str:
    return f"?{urlencode({'zoom': zoom.value, 'scale': scale})}{back}#order-lanes"


def _next_scale_url(back: str, chart: Any, step: int) -> str:
    """The address of the next scale; empty at the last one."""
    if chart is None:
        return ""
    index = SCALES.index(chart.scale) + step
    if not 0 <= index < len(SCALES):
        return ""
    return _lanes_url(back, zoom=chart.zoom, scale=SCALES[index])
