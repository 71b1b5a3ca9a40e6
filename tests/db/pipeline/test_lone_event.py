"""What one message costs that arrives alone: the number of statements, and prepared ones."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.bench.setup import AROUND_THE_CLOCK
from tests.builders.identity import (
    SourceMessage,
    create_sources,
    process_messages,
    source_message,
)
from tests.builders.sla_rules import create_rule
from visibility.kpi.dimensions import TOTAL
from visibility.models import Alert, KpiCell, Order, SlaClock, WorkCalendar
from visibility.pipeline import job_functions, process_message_batches

pytestmark = pytest.mark.django_db(transaction=True)
LINES = [{"line_id": "1", "sku": "A", "ordered": 5}]
PREPARED_RUNS = """
SELECT coalesce(sum(generic_plans + custom_plans), 0) FROM pg_prepared_statements
WHERE statement LIKE '%%INSERT INTO visibility_event %%'
    OR statement LIKE '%%FROM visibility_eventobjectlink%%'
"""


@pytest.fixture(autouse=True)
def shipped_order() -> None:
    """An order that is shipped with the tracking number 1Z001, and an SLA rule."""
    create_sources()
    calendar = WorkCalendar.objects.create(
        code="always", title="Always", zone="UTC", hours=AROUND_THE_CLOCK
    )
    create_rule(
        calendar, code="scan", kind="no_tracking_scan", title="No scan", params={"within": 8}
    )
    ship("1")
    # The fields of a first message are compared with those of earlier ones; this is not the first.
    process_messages([source_message("carrier", "shipment.delivered", 1, tracking="1Z009")])


def ship(number: str) -> None:
    """Ship an order with the tracking number 1Z00<number>."""
    order, shipped = f"SO-{number}", [{"line_id": "1", "sku": "A", "shipped": 5}]
    process_messages(
        [
            source_message("erp", "order.received", 0, order=order, lines=LINES),
            source_message("erp", "order.released", 0.1, order=order),
            source_message(
                "wms",
                "shipment.confirmed",
                1,
                order=order,
                shipment={"number": f"S{number}"},
                part=f"S{number}",
                tracking=f"1Z00{number}",
                lines=shipped,
            ),
        ]
    )


def _count_statements(message: SourceMessage) -> int:
    process_messages([message], fold=False)
    with CaptureQueriesContext(connection) as captured:
        job_functions.process_messages_and_refold()
    return len(captured)


def test_delivery_that_meets_a_clock_takes_at_most_24_statements() -> None:
    """From the inbox to committed KPI cells, with the checks that nothing else waits."""
    message = source_message("carrier", "shipment.delivered", 1.2, tracking="1Z001")
    assert _count_statements(message) <= 24
    assert Order.objects.get().status == "delivered"
    assert SlaClock.objects.get().state == "met"
    assert KpiCell.objects.filter(kpi="order_cycle_time", grouping=TOTAL, orders=1).exists()


def test_delivery_that_missed_a_clock_takes_at_most_25_statements() -> None:
    ship("2")  # else the order leaves an empty KPI cell, which takes one more statement
    message = source_message("carrier", "shipment.delivered", 2, tracking="1Z001")
    assert _count_statements(message) <= 25
    assert Alert.objects.get(order__order__number="SO-1").state == "resolved"


def test_new_order_takes_at_most_23_statements() -> None:
    message = source_message("erp", "order.received", 0, order="SO-2", lines=LINES)
    assert _count_statements(message) <= 23
    assert Order.objects.count() == 2


def test_empty_queues_take_at_most_3_statements() -> None:
    with CaptureQueriesContext(connection) as captured:
        job_functions.process_messages_and_refold()
    assert len(captured) <= 3


def _prepared_runs() -> int:
    with connection.cursor() as cursor:
        cursor.execute(PREPARED_RUNS.replace("%%", "%"))
        return int(cursor.fetchone()[0])


def test_only_small_batches_use_prepared_statements() -> None:
    before = _prepared_runs()
    assert before
    process_messages(
        source_message("erp", "order.received", 0, order=f"SO-{n}", lines=LINES)
        for n in range(10, 12 + process_message_batches.MAX_LIVE_MESSAGES)
    )
    assert _prepared_runs() == before
    process_messages([source_message("carrier", "shipment.delivered", 2, tracking="1Z001")])
    assert _prepared_runs() > before
