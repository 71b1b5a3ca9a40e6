"""Why orders are at risk, in sentences: the facts of `at_risk_and_unknown` in words."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import connection

from visibility.formatting import format_date_in_zone, format_relative_time, in_zone
from visibility.models import Order
from visibility.screens.orders.at_risk_and_unknown import (
    at_risk_facts_sql,
    may_be_at_risk_condition,
)
from visibility.screens.orders.expected_steps import is_date_only
from visibility.sla.cutoff_times import load_current_cutoffs
from visibility.storage.organization import organization_time_zone

FACTS_OF_ORDERS = """
WITH candidate AS ({candidates})
SELECT DISTINCT fact.order_id, fact.reason, fact.subject, fact.at, fact.progress
FROM ({facts}) AS fact JOIN candidate ON candidate.object_id = fact.order_id
"""
PROGRESS_TEXTS: Mapping[str, str] = {
    "on_hold": "on hold",
    "backordered": "back-ordered",
    "not_picked": "not picked yet",
    "ready": "not shipped yet",
}


def load_at_risk_sentences(
    order_ids: Iterable[int], now: datetime
) -> Mapping[int, tuple[str, ...]]:
    """Those of the orders that are at risk, and why, the most urgent fact first; two statements.

    They are the orders that `at_risk_condition` finds.
    """
    ids = list(order_ids)
    if not ids:
        return {}
    cutoffs = load_current_cutoffs(now)
    orders = Order.objects.filter(may_be_at_risk_condition(now), pk__in=ids)
    candidates, candidate_values = orders.order_by().values("object_id").query.sql_with_params()
    facts, values = at_risk_facts_sql(cutoffs, now)
    by_order: dict[int, list[tuple[datetime, str]]] = {}
    with connection.cursor() as cursor:
        sql = FACTS_OF_ORDERS.format(candidates=candidates, facts=facts)
        cursor.execute(sql, [*candidate_values, *values])
        for order_id, reason, subject, at, progress in cursor.fetchall():
            cut = cutoffs[int(subject)] if reason == "cutoff" else None
            due = (cut.at if cut else at) or now
            progress_text = PROGRESS_TEXTS.get(progress, "")
            text = _sentence(reason, cut.title if cut else subject, due, progress_text, now)
            by_order.setdefault(order_id, []).append((due, text))
    return {order_id: tuple(text for _, text in sorted(of)) for order_id, of in by_order.items()}


def _sentence(reason: str, subject: str, due: datetime, progress: str, now: datetime) -> str:
    if reason == "cutoff":
        return f"Cut-off for {subject} {format_relative_time(due, now)}; {progress}"
    if reason == "hold":
        return f"{progress.capitalize()}, and promised for {_promise_text(due)}"
    if reason == "timer":
        return f"SLA timer “{subject}” is due {format_relative_time(due, now)}"
    return f"SLA alert “{subject}” is open, due {format_relative_time(due, now)}"


def _promise_text(at: datetime) -> str:
    zone = organization_time_zone()
    day = format_date_in_zone(at, zone)
    return day if is_date_only(at) else f"{day}, {in_zone(at, zone):%H:%M}"
