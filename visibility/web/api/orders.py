"""Orders: found by any number, one in full, its timeline."""

from datetime import datetime

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.events import iso
from visibility.db.clock import database_now
from visibility.models import Milestone, Order, Shipment
from visibility.screens.orders.suppressed_conflicts import hold
from visibility.timeline import Timeline
from visibility.timeline.answer import answer
from visibility.timeline.enums import State
from visibility.timeline.model import MilestoneCode, Status
from visibility.web.api import order_queries as queries
from visibility.web.api.base import Call, allowed, sources_only
from visibility.web.api.order_serializers import (
    ClaimShape,
    ConflictShape,
    IdentifierShape,
    LineShape,
    MilestoneShape,
    OneOrderShape,
    OrderShape,
    PromiseShape,
    ShipmentShape,
)
from visibility.web.api.pagination import PAGING, Pages, at, paged
from visibility.web.api.problems import Invalid
from visibility.web.api.query_params import Parameter, asked, chosen, documented, moment
from visibility.web.api.requests import BIGGEST_ID
from visibility.web.api.serializers import write, write_all
from visibility.web.api.timeline_serializers import EventShape, TimelineShape
from visibility.web.permissions import Right

FILTERS = {
    "status": "status",
    "state": "states__contains",
    "channel": "channel",
    "warehouse": "warehouse",
    "customer": "customer_no",
}
LIST = (
    Parameter("q", "Any number of the order, of its shipments, packages, invoices or returns."),
    chosen("status", "Where it stands.", Status),
    chosen("state", "What it may be called, such as `conflict`.", State),
    Parameter("channel", "The channel it came by."),
    Parameter("warehouse", "The warehouse it leaves."),
    Parameter("customer", "The customer's number."),
    Parameter("since", "Whose latest event happened then or later.", moment, kind="date-time"),
    *PAGING,
)
KNOWN_AT = Parameter(
    "as_known_at", "Only what had been received by then.", moment, kind="date-time"
)
STEPS = list(MilestoneCode)


class Orders(Call):
    """`GET /orders`."""

    rights = (Right.ORDERS,)

    @extend_schema(
        operation_id="orders",
        parameters=documented(LIST),
        responses=paged("Orders", OrderShape(many=True)),
    )
    def get(self, request: Request) -> Response:
        """Find orders, the latest event first."""
        given = asked(request, LIST)
        if "q" not in given and sources_only(request):
            raise exceptions.PermissionDenied("Your role finds orders by number: give q.")
        pages = Pages("orders", given)
        after = pages.place
        rows = queries.page(
            {
                field: [given[name]] if name == "state" else given[name]
                for name, field in FILTERS.items()
                if name in given
            },
            since=given.get("since"),
            ids=_found(given["q"]) if "q" in given else None,
            after=(at(after[0]), after[1]) if after else None,
            limit=pages.size + 1,
        )
        shown = rows[: pages.size]
        following = None
        if len(rows) > pages.size:
            last = shown[-1]
            following = pages.after(
                last.last_event_at.isoformat() if last.last_event_at else None, last.object_id
            )
        written = write_all(OrderShape, shown, rights=allowed(request))
        return Response(pages.page(written, following))


class OneOrder(Call):
    """`GET /orders/<id>`."""

    rights = (Right.ORDERS,)

    @extend_schema(operation_id="order", parameters=documented(PAGING), responses=OneOrderShape)
    def get(self, request: Request, order_id: int) -> Response:
        """One order: lines, what each system claims, shipments, numbers and milestones.

        `cursor` and `page_size` page its lines. An id that was merged answers with the order that
        it became.
        """
        pages = Pages(f"order {order_id}", asked(request, PAGING))
        order, rights = order_or_404(order_id), allowed(request)
        after = pages.place
        rows = queries.lines(order, after=after[0] if after else 0, limit=pages.size + 1)
        shown = rows[: pages.size]
        now = database_now()
        folded, held = hold(queries.timeline(order.object_id, as_of=now), now=now)
        shipments = Shipment.objects.filter(order=order).order_by("shipped_at", "key")
        milestones = sorted(
            Milestone.objects.filter(order=order), key=lambda m: STEPS.index(MilestoneCode(m.code))
        )
        lines = write_all(LineShape, shown, rights=rights)
        return Response(
            write(OrderShape, order, rights=rights)
            | (_without_held(folded) if held else {})
            | {
                "lines": pages.page(
                    lines, pages.after(shown[-1].position) if len(rows) > pages.size else None
                ),
                "claims": write_all(ClaimShape, folded.claims),
                "conflicts": ConflictShape.seen(folded, rights),
                "promises": write_all(PromiseShape, folded.promises),
                "shipments": write_all(ShipmentShape, shipments[: queries.MOST]),
                "identifiers": write_all(IdentifierShape, queries.identifiers(order.object_id)),
                "milestones": write_all(MilestoneShape, milestones),
            }
        )


class OrderTimeline(Call):
    """`GET /orders/<id>/timeline`."""

    rights = (Right.ORDERS,)

    @extend_schema(
        operation_id="order_timeline",
        parameters=documented((KNOWN_AT, *PAGING)),
        responses=TimelineShape,
    )
    def get(self, request: Request, order_id: int) -> Response:
        """What happened to an order, the earliest first; with `as_known_at` as it looked then."""
        given = asked(request, (KNOWN_AT, *PAGING))
        pages, now = Pages(f"timeline {order_id}", given), database_now()
        known_at: datetime | None = given.get(KNOWN_AT.name)
        if known_at and known_at > now:
            raise Invalid(KNOWN_AT.name, "a time that has passed")
        order, rights, after = order_or_404(order_id), allowed(request), pages.place
        # Later pages show what the first one saw.
        seen = at(after[1]) if after else None
        moment_ = known_at or seen or now
        folded = queries.timeline(order.object_id, as_of=moment_, known_at=moment_)
        if known_at is None:
            folded, _ = hold(folded, now=now)
        first = after[0] if after else 0
        entries = folded.entries[first : first + pages.size]
        more = first + pages.size < len(folded.entries)
        said = answer(folded, zone=settings.TIME_ZONE)
        milestones = sorted(folded.milestones.values(), key=lambda m: STEPS.index(m.code))
        return Response(
            {
                "order": order.object_id,
                "number": order.number,
                "as_known_at": iso(moment_),
                "status": folded.status.value,
                "status_since": iso(folded.status_since) if folded.status_since else None,
                "answer": said.text,
                "awaited": said.awaited,
                "awaited_since": iso(said.since) if said.since else None,
                "awaited_due": iso(said.due) if said.due else None,
                "answer_for_customer": said.customer,
                "states": [state.value for state in folded.states],
                "conflicts": ConflictShape.seen(folded, rights),
                "promises": write_all(PromiseShape, folded.promises),
                "milestones": write_all(MilestoneShape, milestones),
                "entries": pages.page(
                    [EventShape.of(entry, folded, rights) for entry in entries],
                    pages.after(first + pages.size, moment_.isoformat()) if more else None,
                ),
            }
        )


def _without_held(folded: Timeline) -> dict[str, object]:
    """What the row says otherwise while contradictions wait for a feed."""
    return {
        "conflict_count": len(folded.conflicts),
        "states": [state.value for state in folded.states],
        "answer": answer(folded, zone=settings.TIME_ZONE).text,
    }


def _found(number: str) -> list[int]:
    try:
        return queries.found(number)
    except queries.TooCommon:
        raise Invalid(
            "q", f"more than {queries.COMMON} things go by this number: give a longer one"
        ) from None


def order_or_404(order_id: int) -> Order:
    """The order, or the one it was merged into. Raises Http404."""
    order = queries.one(order_id) if order_id <= BIGGEST_ID else None
    if order is None:
        raise Http404
    return order
