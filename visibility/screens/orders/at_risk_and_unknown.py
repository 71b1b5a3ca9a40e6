"""Which open orders are at risk, and of which the status is unknown.

At risk: not delivered, not past the promise date, and one of these facts is stored:

- alert: an SLA alert is open.
- timer: an SLA timer that ends today has used 80% of its time.
- cut-off: of those that must leave by a cut-off, the stage of the order is *at risk*.
- hold: on hold or back-ordered, and promised for today or tomorrow.

Unknown: a source that the order waits for, or that reported last, sends no data.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from visibility.formatting import start_of_day
from visibility.screens.orders.cutoff_orders import classified_orders_sql
from visibility.screens.orders.promise_time import past_promise_condition
from visibility.screens.sources.current_states import SourceChip, load_source_chips
from visibility.screens.sources.role_and_state_labels import SourceState
from visibility.sla.cutoff_times import CutOff, load_current_cutoffs
from visibility.storage.organization import organization_time_zone

# States in which the absence of a report proves nothing.
NOT_REPORTING = frozenset(
    {SourceState.FAILING, SourceState.PARKED, SourceState.SILENT, SourceState.MAINTENANCE}
)
# The share of its time after which a timer is close to its limit.
CLOSE_TO_LIMIT = "%s - clock.started_at >= 0.8 * (clock.due_at - clock.started_at)"
AT_RISK_FACTS = f"""
SELECT alert.order_id, 'alert' AS reason, coalesce(rule.title, alert.title) AS subject,
    alert.due_at AS at, '' AS progress
FROM visibility_alert alert LEFT JOIN visibility_slarule rule ON rule.id = alert.rule_id
WHERE alert.order_id IS NOT NULL AND alert.state IN ('open', 'acknowledged', 'snoozed')
UNION ALL
SELECT clock.order_id, 'timer', rule.title, clock.due_at, ''
FROM visibility_slaclock clock JOIN visibility_slarule rule ON rule.id = clock.rule_id
WHERE clock.state = 'running' AND clock.stopped_at IS NULL AND clock.due_at > %s
    AND clock.due_at < %s AND {CLOSE_TO_LIMIT}
UNION ALL
SELECT held.object_id, 'hold', '', held.promised_at, held.status
FROM visibility_order held
WHERE held.is_open AND held.status IN ('on_hold', 'backordered')
    AND held.promised_at < %s AND held.promised_at <> %s
"""  # noqa: S608  # constant SQL
AT_RISK_BY_CUTOFF = """
UNION ALL
SELECT classified.object_id, 'cutoff', classified.number::text, NULL::timestamptz,
    classified.progress
FROM ({}) AS classified WHERE classified.stage = 'at_risk'
"""
UNKNOWN = """
{order}.last_source = ANY(%s::varchar[])
OR EXISTS (SELECT FROM visibility_alert alert
    WHERE alert.order_id = {order}.object_id AND alert.state = 'suppressed')
OR EXISTS (SELECT FROM visibility_slaclock clock
    WHERE clock.order_id = {order}.object_id AND clock.state IN ('running', 'breached')
        AND clock.stopped_at IS NULL AND clock.expected_sources <> '{{}}'
        AND CASE WHEN clock.sources_are_known THEN clock.expected_sources && %s::varchar[]
            ELSE clock.expected_sources <@ %s::varchar[] END)
"""


def end_of_today(now: datetime, *, days: int = 0) -> datetime:
    """Midnight at the end of the current day of the organization, or so many days later."""
    noon = start_of_day(now, organization_time_zone()) + timedelta(days=1 + days, hours=12)
    return noon.replace(hour=0)


def at_risk_condition(now: datetime) -> Q:
    """The condition for orders that are at risk. Runs a statement that reads the cut-offs."""
    sql, values = at_risk_facts_sql(load_current_cutoffs(now), now)
    is_at_risk = RawSQL(  # noqa: S611  # constant SQL
        f"visibility_order.object_id IN (SELECT fact.order_id FROM ({sql}) AS fact)",  # noqa: S608
        values,
        output_field=BooleanField(),
    )
    return may_be_at_risk_condition(now) & Q(is_at_risk)


def may_be_at_risk_condition(now: datetime) -> Q:
    """Orders that are at risk if there is a fact that says so: neither delivered nor late."""
    return Q(is_open=True, delivered_at=None) & ~past_promise_condition(now)


def at_risk_facts_sql(cutoffs: Sequence[CutOff], now: datetime) -> tuple[str, list[Any]]:
    """The SQL of the facts: `order_id`, `reason`, `subject`, `at`, `progress`.

    `subject`: the title of a rule, or the position of a cut-off in `cutoffs`.
    """
    end = end_of_today(now, days=1)
    # The promise of the day after tomorrow without a time: midnight UTC, which may be before `end`.
    following = datetime.combine(end.date(), time(), UTC)
    sql, values = AT_RISK_FACTS, [now, end_of_today(now), now, end, following]
    if not cutoffs:
        return sql, values
    classified, cutoff_values = classified_orders_sql(cutoffs, now)
    return sql + AT_RISK_BY_CUTOFF.format(classified), [*values, *cutoff_values]


def unknown_status_condition(chips: Iterable[SourceChip]) -> Q:
    """The condition for open orders of which the status is unknown."""
    sql, parameters = unknown_status_sql("visibility_order", silent_slugs(chips))
    return Q(is_open=True) & Q(RawSQL(sql, parameters, output_field=BooleanField()))  # noqa: S611  # constant SQL


def unknown_status_sql(alias: str, slugs: list[str]) -> tuple[str, list[list[str]]]:
    """The same as SQL, for the table of orders with this alias."""
    return f"({UNKNOWN.format(order=alias)})", [slugs, slugs, slugs]


def silent_slugs(chips: Iterable[SourceChip]) -> list[str]:
    """The slugs of the sources that send no data that can be used."""
    return [chip.slug for chip in chips if chip.state in NOT_REPORTING]


def load_unknown_status_condition(now: datetime) -> Q:
    """The condition for orders of unknown status, as of now; runs three statements."""
    return unknown_status_condition(load_source_chips(now))
