"""Where each fact came from, and what followed from each message."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.events import EventType, ObjectKind
from visibility.models import Alert, AlertState, ClockState, MessageState
from visibility.screens.messages import lineage
from visibility.timeline.model import Status
from visibility.web.api.base import Call, allowed, sources_only
from visibility.web.api.orders import order_or_404
from visibility.web.api.pagination import PAGING, Pages, paged
from visibility.web.api.query_params import asked, documented
from visibility.web.api.requests import BIGGEST_ID
from visibility.web.api.serializers import AlertShape, Exact, Moment, Shape, Word, write_all
from visibility.web.permissions import Right, may

MOST_ALERTS = 500


class TraceShape(Shape):
    """A W3C trace that the message is part of."""

    trace_id = serializers.CharField()
    url = serializers.CharField(help_text="Where it can be looked at; empty if none is set up.")


class ToldMessageShape(Shape):
    """The message an event came in; `state` is null once retention has removed it."""

    id = serializers.CharField(source="message_id")
    state = Word(MessageState, allow_null=True)
    reason = serializers.CharField(allow_null=True)
    attempts = serializers.IntegerField(allow_null=True)
    processed_at = Moment(allow_null=True)
    traces = TraceShape(many=True)


class NamedObjectShape(Shape):
    """An object that an event names."""

    id = serializers.IntegerField()
    kind = Word(ObjectKind)
    name = serializers.CharField(help_text="The strongest number it goes by.")


class EffectShape(Shape):
    """A clock that an event started or stopped, and the alert that came of it."""

    did = Word(("started", "stopped"))
    rule = serializers.CharField()
    obligation = serializers.CharField()
    due_at = Moment()
    state = Word(ClockState)
    alert = serializers.IntegerField(source="alert_id", allow_null=True)
    alert_state = Word(AlertState, allow_null=True)
    alert_did = Word(("", "opened", "closed"))


class ToldShape(Shape):
    """One event: where it came from, what it names, what it did."""

    id = serializers.IntegerField(source="told.id")
    type = Word(EventType, source="told.type")
    key = serializers.CharField(source="told.key")
    source = serializers.CharField(source="told.source")  # type: ignore[assignment]  # not DRF's `source`
    occurred_at = Moment(source="told.occurred_at")
    received_at = Moment(source="told.received_at")
    recorded_at = Moment(source="told.recorded_at")
    withdrawn = serializers.BooleanField(
        source="told.withdrawn", help_text="Another version of its message counts."
    )
    message = ToldMessageShape(source="told")
    objects = NamedObjectShape(many=True)
    effects = EffectShape(
        many=True, help_text="For those who see the alerts of orders; empty for others."
    )


class FactShape(Shape):
    """How an order counts in a number."""

    kpi = serializers.CharField()
    version = serializers.IntegerField()
    order = serializers.IntegerField(source="order_id")
    day = serializers.DateField()
    channel = serializers.CharField()
    warehouse = serializers.CharField()
    customer_group = serializers.CharField()
    numerator = Exact(allow_null=True)
    denominator = Exact(allow_null=True)
    excluded = serializers.CharField(help_text="Why it does not count; empty if it does.")


class LineageShape(Shape):
    """Message, event, alert, number."""

    order = serializers.IntegerField()
    number = serializers.CharField()
    events = paged("LineageEvents", ToldShape(many=True))
    alerts = AlertShape(many=True)
    kpis = FactShape(many=True, help_text="For those who see numbers; empty for others.")


class FedOrderShape(Shape):
    """An order that a message told of."""

    id = serializers.IntegerField(source="object_id")
    number = serializers.CharField()
    status = Word(Status)


class MessageLineageShape(Shape):
    """What a message fed."""

    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    received_at = Moment()
    state = Word(MessageState)
    reason = serializers.CharField()
    traces = TraceShape(many=True)
    events = ToldShape(many=True)
    orders = FedOrderShape(many=True)
    alerts = AlertShape(many=True)
    kpis = FactShape(many=True)


class OrderLineage(Call):
    """`GET /orders/<id>/lineage`."""

    rights = (Right.ORDERS,)

    @extend_schema(
        operation_id="order_lineage", parameters=documented(PAGING), responses=LineageShape
    )
    def get(self, request: Request, order_id: int) -> Response:
        """Where each fact came from, and the clocks, alerts and numbers that followed."""
        pages = Pages(f"lineage {order_id}", asked(request, PAGING))
        order, after = order_or_404(order_id), pages.place
        rows = lineage.of_order(
            order.object_id, after=(after[0], after[1]) if after else None, limit=pages.size + 1
        )
        shown = rows[: pages.size]
        following = None
        if len(rows) > pages.size:
            following = pages.after(shown[-1].occurred_at.isoformat(), shown[-1].id)
        threads = lineage.threads(shown, order_id=order.object_id)
        return Response(
            {
                "order": order.object_id,
                "number": order.number,
                "events": pages.page(_threads(request, threads), following),
                "alerts": _alerts(request, Q(order=order.object_id)),
                "kpis": _facts(request, [order.object_id]),
            }
        )


class MessageLineage(Call):
    """`GET /messages/<id>/lineage`."""

    rights = (Right.PARKED_SEE,)

    @extend_schema(operation_id="message_lineage", responses=MessageLineageShape)
    def get(self, request: Request, message_id: int) -> Response:
        """What a message fed: events, objects, orders, alerts, and the days of numbers."""
        asked(request, ())
        fed = lineage.of_message(message_id) if message_id <= BIGGEST_ID else None
        if fed is None:
            raise Http404
        message, ids = fed.message, [order.object_id for order in fed.orders]
        return Response(
            {
                "id": str(message.id),
                "source": message.source.slug,
                "received_at": Moment().to_representation(message.received_at),
                "state": message.state,
                "reason": message.reason,
                "traces": write_all(TraceShape, fed.traces),
                "events": _threads(request, fed.threads),
                "orders": write_all(FedOrderShape, fed.orders),
                "alerts": _alerts(request, Q(order__in=ids)),
                "kpis": _facts(request, ids),
            }
        )


def _sees_alerts(request: Request) -> bool:
    return may(request.user, Right.ALERTS_SEE) and not sources_only(request)


def _threads(request: Request, threads: Iterable[lineage.Thread]) -> list[dict[str, Any]]:
    written = write_all(ToldShape, threads)
    return written if _sees_alerts(request) else [{**one, "effects": []} for one in written]


def _alerts(request: Request, about: Q) -> list[dict[str, Any]]:
    """Those that exist for these eyes."""
    if not _sees_alerts(request):
        return []
    alerts = Alert.objects.filter(about).select_related(*AlertShape.needs)
    newest = alerts.order_by("-opened_at", "-pk")[:MOST_ALERTS]
    return write_all(AlertShape, newest, rights=allowed(request))


def _facts(request: Request, order_ids: list[int]) -> list[dict[str, Any]]:
    if not may(request.user, Right.NUMBERS):
        return []
    return write_all(FactShape, lineage.facts(order_ids))
