"""Measure KPIs: one fact for each event, from the message to the drill-down."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from tests.builders.identity import (
    START,
    create_sources,
    order_of,
    process_messages,
    source_message,
)
from tests.builders.kpi_facts import recompute_cells
from visibility.kpi import drilldown, facts_and_cells, query
from visibility.kpi.periods import PeriodLength
from visibility.kpi.query import DaySpan, KpiDimensionFilters
from visibility.kpi.registry import kpi_registry
from visibility.models import Event, KpiFact
from visibility.storage import refold_queue

pytestmark = pytest.mark.django_db(transaction=True)
KPI = kpi_registry()["event_delay"]
SPAN = DaySpan(START.date() - timedelta(days=1), START.date() + timedelta(days=30))
LINES = [{"line_id": "1", "sku": "A", "ordered": 5}]


@pytest.fixture(autouse=True)
def sources() -> None:
    create_sources()


def receive_late(delay_seconds: int) -> None:
    """State that the stored events were received so many seconds after they occurred."""
    for event in Event.objects.all():
        Event.objects.filter(pk=event.pk).update(
            received_at=event.occurred_at + timedelta(seconds=delay_seconds)
        )


def facts() -> list[KpiFact]:
    return list(KpiFact.objects.filter(kpi=KPI.code).order_by("started_at", "id"))


def rebuild() -> None:
    call_command("rebuild", verbosity=0)


def ship(order: str, day: float, shipment: str = "S1", tracking: str = "1Z001") -> None:
    process_messages(
        [
            source_message("erp", "order.received", 0, order=order, lines=LINES),
            source_message(
                "wms",
                "shipment.confirmed",
                day,
                order=order,
                shipment={"number": shipment},
                part=shipment,
                tracking=tracking,
                lines=[{"line_id": "1", "sku": "A", "shipped": 5}],
            ),
        ]
    )


def scan(day: float, tracking: str = "1Z001") -> None:
    process_messages([source_message("carrier", "shipment.in_transit", day, tracking=tracking)])


def test_each_event_has_one_fact_with_its_source_and_the_dimensions_of_its_order() -> None:
    process_messages(
        [
            source_message(
                "erp",
                "order.received",
                0,
                order="SO-1",
                lines=LINES,
                attributes={"channel": "Web", "warehouse": "Dallas"},
            ),
            source_message("wms", "order.picked", 1, order="SO-1"),
        ]
    )
    receive_late(90)
    rebuild()
    assert [(f.source, f.numerator, f.denominator, f.day) for f in facts()] == [
        ("erp", Decimal(90), Decimal(1), START.date()),
        ("wms", Decimal(90), Decimal(1), START.date() + timedelta(days=1)),
    ]
    assert [int(f.subject_key) for f in facts()] == list(
        Event.objects.order_by("occurred_at").values_list("id", flat=True)
    )
    by_source = query.summaries_by_dimensions(KPI, SPAN, ("source",))
    assert [(s.names, s.summary.orders) for s in by_source] == [(("erp",), 1), (("wms",), 1)]
    assert by_source[0].summary.median == pytest.approx(90, rel=0.01)


def test_processing_again_replaces_the_facts() -> None:
    ship("SO-1", 1)
    scan(2)
    before = [(f.id, f.subject_key) for f in facts()]
    assert len(before) == 3
    ship("SO-1", 1)
    scan(2)
    rebuild()
    assert [(f.id, f.subject_key) for f in facts()] == before
    assert query.summary(KPI, SPAN).orders == 3
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []


def test_event_that_no_longer_counts_loses_its_fact() -> None:
    ship("SO-1", 1)
    Event.objects.filter(type="shipment.confirmed").update(superseded=True)
    refold_queue.enqueue_refolds([order_of("SO-1").object_id])
    rebuild()
    assert [f.source for f in facts()] == ["erp"]
    assert query.summary(KPI, SPAN).orders == 1


def test_event_of_a_shared_shipment_counts_once() -> None:
    ship("SO-1", 1)
    ship("SO-2", 1.5)
    scan(2)
    assert len({order_of("SO-1").pk, order_of("SO-2").pk}) == 2
    events = Event.objects.count()
    assert events == 5
    assert len(facts()) == len({f.subject_key for f in facts()}) == events
    scanned = next(f for f in facts() if f.source == "carrier")
    assert scanned.order_id == order_of("SO-1").object_id
    before = [(f.order_id, f.subject_key) for f in facts()]
    rebuild()
    assert [(f.order_id, f.subject_key) for f in facts()] == before


def test_drilldown_lists_the_events_of_the_value() -> None:
    ship("SO-1", 1)
    scan(2)
    receive_late(120)
    rebuild()
    rows = drilldown.load_order_page(KPI, SPAN, KpiDimensionFilters(), group="counted")
    assert [(row.event_type, row.source, int(row.numerator or 0)) for row in rows] == [
        ("shipment.in_transit", "carrier", 120),
        ("shipment.confirmed", "wms", 120),
        ("order.received", "erp", 120),
    ]
    assert {row.message_id for row in rows} == set(
        Event.objects.values_list("message_id", flat=True)
    )
    assert len(rows) == query.summary(KPI, SPAN).orders
    only = drilldown.load_order_page(KPI, SPAN, KpiDimensionFilters(source="wms"), group="counted")
    assert [row.event_type for row in only] == ["shipment.confirmed"]


def test_pages_of_events_of_one_order_have_no_gaps() -> None:
    ship("SO-1", 1)
    for hour in range(5):
        scan(2 + hour / 24)
    receive_late(1)
    rebuild()
    seen: list[int] = []
    after = ""
    while True:
        rows = drilldown.load_order_page(
            KPI, SPAN, KpiDimensionFilters(), group="counted", after=after, limit=2
        )
        if not rows:
            break
        seen += [row.fact_id for row in rows]
        after = rows[-1].cursor
    assert len(seen) == len(set(seen)) == 7


def test_cells_of_events_equal_a_recount() -> None:
    ship("SO-1", 1)
    scan(2)
    ship("SO-3", 3, "S3", "1Z003")
    recompute_cells()
    assert query.summary(KPI, SPAN).orders == 5
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []
    assert {
        day for day, _ in query.summaries_by_period([KPI], SPAN, PeriodLength.DAY)[KPI.code]
    } == {START.date() + timedelta(days=n) for n in (0, 1, 2, 3)}
