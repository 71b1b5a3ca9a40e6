"""Which open orders are at risk today, and of which the status is unknown.

At risk: not past the promise date, and an SLA alert is open, or an SLA timer that ends today has
used 80% of its time. Unknown: a source that the order waits for, or that reported last, sends no
data.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from visibility.formatting import start_of_day
from visibility.screens.orders.promise_time import past_promise_condition
from visibility.screens.sources.current_states import SourceChip, load_source_chips
from visibility.screens.sources.role_and_state_labels import SourceState
from visibility.storage.organization import organization_time_zone

# States in which the absence of a report proves nothing.
NOT_REPORTING = frozenset(
    {SourceState.FAILING, SourceState.PARKED, SourceState.SILENT, SourceState.MAINTENANCE}
)
# The share of its time after which a timer is close to its limit.
CLOSE_TO_LIMIT = "%s - clock.started_at >= 0.8 * (clock.due_at - clock.started_at)"
AT_RISK = f"""
EXISTS (SELECT FROM visibility_alert alert
    WHERE alert.order_id = visibility_order.object_id
        AND alert.state IN ('open', 'acknowledged', 'snoozed'))
OR EXISTS (SELECT FROM visibility_slaclock clock
    WHERE clock.order_id = visibility_order.object_id AND clock.state = 'running'
        AND clock.stopped_at IS NULL AND clock.due_at > %s AND clock.due_at < %s
        AND {CLOSE_TO_LIMIT})
"""  # noqa: S608  # constant SQL
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


def end_of_today(now: datetime) -> datetime:
    """Midnight at the end of the current day of the organization."""
    noon_tomorrow = start_of_day(now, organization_time_zone()) + timedelta(days=1, hours=12)
    return noon_tomorrow.replace(hour=0)


def at_risk_today_condition(now: datetime) -> Q:
    """The condition for orders that are at risk today."""
    is_at_risk = RawSQL(AT_RISK, [now, end_of_today(now), now], output_field=BooleanField())  # noqa: S611  # constant SQL
    return Q(is_open=True, delivered_at=None) & ~past_promise_condition(now) & Q(is_at_risk)


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
