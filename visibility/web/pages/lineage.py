"""The parts of the pages that say where a fact came from and what it fed, for these eyes."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from connectors.sdk.events import EventType, plain
from visibility.formatting import span
from visibility.kpi.kpi import Unit
from visibility.kpi.registry import shelf
from visibility.models import KpiFact
from visibility.screens.kpis.labels import reason
from visibility.screens.messages import lineage
from visibility.screens.orders.event_labels import TITLES
from visibility.screens.orders.search import SCHEMES
from visibility.web.permissions import Right, Role, may, roles


def of_order(
    request: HttpRequest, order_id: int, names: Mapping[str, tuple[str, datetime]]
) -> dict[str, Any]:
    """The tab of an order."""
    told = lineage.of_order(order_id, limit=lineage.MOST + 1)
    threads = lineage.threads(told[: lineage.MOST], order_id=order_id)
    return {
        "threads": [
            (
                _seen(request, thread),
                TITLES[EventType(thread.told.type)],
                names.get(thread.told.source, (thread.told.source,))[0],
                [_named(one) for one in thread.objects],
            )
            for thread in threads
        ],
        "more": len(told) > lineage.MOST,
        "facts": _facts(request, [order_id]),
        "may_messages": may(request.user, Right.SOURCES_SEE),
    }


def of_message(request: HttpRequest, message_id: int) -> dict[str, Any]:
    """The part of a message's page."""
    fed = lineage.of_message(message_id)
    if fed is None:
        return {}
    return {
        "traces": fed.traces,
        "effects": [effect for t in fed.threads for effect in _seen(request, t).effects],
        "facts": _facts(request, [order.object_id for order in fed.orders]),
    }


def _named(found: lineage.Object) -> tuple[str, str, str]:
    """An object's canonical key in words: the kind of number, the number, and whose it is."""
    scheme, _, rest = found.name.partition(":")
    issuer, _, number = rest.partition(":")
    if not number:
        return found.kind, found.name, ""
    return SCHEMES.get(scheme, scheme.replace("_", " ")), number, issuer


def _seen(request: HttpRequest, thread: lineage.Thread) -> lineage.Thread:
    """Alerts of orders are not for those who look after sources alone."""
    sees = may(request.user, Right.ALERTS_SEE) and roles(request.user) != {Role.INTEGRATOR}
    return thread if sees else lineage.Thread(thread.told, thread.objects, ())


def _facts(request: HttpRequest, order_ids: Collection[int]) -> list[tuple[KpiFact, str, str]]:
    """Each number with its title and how the order counts in it."""
    if not may(request.user, Right.NUMBERS):
        return []
    kpis = shelf()
    return [(f, kpis[f.kpi].title, _counts(f)) for f in lineage.facts(order_ids) if f.kpi in kpis]


def _counts(fact: KpiFact) -> str:
    if fact.excluded:
        return f"not counted: {reason(shelf()[fact.kpi], fact.excluded)}"
    if fact.numerator is None or not fact.denominator:
        return ""
    if shelf()[fact.kpi].unit is Unit.DURATION:
        return span(timedelta(seconds=float(fact.numerator / fact.denominator)))
    return f"{plain(fact.numerator)} of {plain(fact.denominator)}"
