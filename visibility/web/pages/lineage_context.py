"""Template context of the data trail of orders and messages, limited by permission."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import EventType
from visibility.formatting import format_duration
from visibility.kpi.kpi import KpiFamily, KpiUnit
from visibility.kpi.registry import kpi_registry
from visibility.models import KpiFact
from visibility.screens.kpis.value_and_comparison_texts import (
    describe_how_order_counts_in_kpi,
    exclusion_reason,
)
from visibility.screens.messages import order_and_message_lineage
from visibility.screens.orders.event_labels import EVENT_LABELS
from visibility.screens.orders.number_and_customer_search import SCHEME_LABELS
from visibility.web.permissions import Permission, UserRole, has_permission, roles


def order_lineage_context(
    request: HttpRequest, order_id: int, names: Mapping[str, tuple[str, datetime]]
) -> dict[str, Any]:
    """The context of the tab *Data trail* of an order."""
    events = order_and_message_lineage.load_order_events_with_messages(
        order_id, limit=order_and_message_lineage.MAX_ROWS + 1
    )
    threads = order_and_message_lineage.add_objects_and_timer_effects_to_events(
        events[: order_and_message_lineage.MAX_ROWS], order_id=order_id
    )
    return {
        "threads": [
            (
                _visible_lineage(request, thread),
                EVENT_LABELS[EventType(thread.event.type)],
                names.get(thread.event.source, (thread.event.source,))[0],
                [_split_canonical_key(object_) for object_ in thread.objects],
            )
            for thread in threads
        ],
        "more": len(events) > order_and_message_lineage.MAX_ROWS,
        "facts": _visible_kpi_facts(request, [order_id]),
        "may_messages": has_permission(request.user, Permission.SOURCES_SEE),
    }


def message_lineage_context(request: HttpRequest, message_id: int) -> dict[str, Any]:
    """The context of the results of a message; empty if it is not stored."""
    message_lineage = order_and_message_lineage.message_lineage(message_id)
    if message_lineage is None:
        return {}
    return {
        "traces": message_lineage.traces,
        "effects": [
            effect
            for t in message_lineage.events
            for effect in _visible_lineage(request, t).effects
        ],
        "facts": _visible_kpi_facts(request, [order.object_id for order in message_lineage.orders]),
    }


def _split_canonical_key(
    named_object: order_and_message_lineage.BusinessObjectWithCanonicalKey,
) -> tuple[str, str, str]:
    """Split the canonical key of an object into (scheme label, number, issuer)."""
    scheme, _, remainder = named_object.name.partition(":")
    issuer, _, number = remainder.partition(":")
    if not number:
        return named_object.kind, named_object.name, ""
    return SCHEME_LABELS.get(scheme, scheme.replace("_", " ")), number, issuer


def _visible_lineage(
    request: HttpRequest, event_lineage: order_and_message_lineage.EventLineage
) -> order_and_message_lineage.EventLineage:
    """Remove effects and alerts if the user may not see the alerts of orders."""
    may_see_alerts = has_permission(request.user, Permission.ALERTS_SEE) and roles(
        request.user
    ) != {UserRole.INTEGRATOR}
    return (
        event_lineage
        if may_see_alerts
        else order_and_message_lineage.EventLineage(event_lineage.event, event_lineage.objects, ())
    )


def _visible_kpi_facts(
    request: HttpRequest, order_ids: Collection[int]
) -> list[tuple[KpiFact, str, str]]:
    """(fact, KPI title, how the order counts) for users who may see KPIs."""
    if not has_permission(request.user, Permission.KPIS):
        return []
    kpis = kpi_registry()
    return [
        (f, kpis[f.kpi].title, _exclusion_duration_or_fraction_text(f))
        for f in order_and_message_lineage.load_kpi_facts_of_orders(order_ids)
        if f.kpi in kpis
    ]


def _exclusion_duration_or_fraction_text(fact: KpiFact) -> str:
    if fact.excluded:
        return f"excluded: {exclusion_reason(kpi_registry()[fact.kpi], fact.excluded)}"
    if kpi_registry()[fact.kpi].family is KpiFamily.STOCK:
        return describe_how_order_counts_in_kpi(
            kpi_registry()[fact.kpi],
            fact.numerator,
            fact.denominator,
            "",
            started_at=fact.started_at,
            ended_at=fact.ended_at,
        )
    if fact.numerator is None or not fact.denominator:
        return ""
    if kpi_registry()[fact.kpi].unit is KpiUnit.DURATION:
        return format_duration(timedelta(seconds=float(fact.numerator / fact.denominator)))
    return f"{format_decimal(fact.numerator)} of {format_decimal(fact.denominator)}"
