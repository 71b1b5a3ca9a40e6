"""Claims of a source that another one replaced."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import (
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from visibility.timeline import RecordedEvent, fold
from visibility.timeline.model import Timeline

KEY = "sales_order:old:1"
ORDER = ObjectReference(
    ObjectKind.ORDER, (EventIdentifier(IdentifierScheme.SALES_ORDER, "1", "old"),)
)
NOW = datetime(2026, 3, 20, tzinfo=UTC)


def report(
    source: str, day: int, *, ordered: int, shipped: int, role: SourceRole = SourceRole.ERP
) -> RecordedEvent:
    at = datetime(2026, 3, day, tzinfo=UTC)
    quantities = {Measure.ORDERED: Decimal(ordered), Measure.SHIPPED: Decimal(shipped)}
    line = EventLine(line_id=source, sku="A", unit="EA", price=Decimal(2), quantities=quantities)
    event = CanonicalEvent(
        type=EventType.ORDER_RELEASED,
        key=f"{source} {day}",
        occurred_at=at,
        objects=(ORDER,),
        lines=(line,),
        complete_measures=(Measure.ORDERED, Measure.SHIPPED),
    )
    return RecordedEvent(event, source, role, at, at, f"{source} {day}", (KEY,), 0)


def timeline(*events: RecordedEvent) -> Timeline:
    return fold(events, key=KEY, as_of=NOW)


def test_new_system_takes_over_what_the_old_one_reported() -> None:
    """Otherwise the old ERP contradicts the warehouse, and its larger order quantity counts."""
    old = report("old", 2, ordered=10, shipped=0)
    new = report("new", 5, ordered=8, shipped=8)
    wms = report("wms", 5, ordered=8, shipped=8, role=SourceRole.WMS)
    apart, replaced = timeline(old, new, wms), timeline(old, replace(new, replaces="old"), wms)
    assert apart.conflicts
    assert not replaced.conflicts
    (line,) = replaced.lines
    assert line.quantity(Measure.ORDERED) == 8
    assert line.quantities_by_source.keys() == {"new", "wms"}
    assert [entry.recorded.source for entry in replaced.entries] == ["old", "new", "wms"]


def test_order_that_only_the_old_system_reports_stays_with_it() -> None:
    (line,) = timeline(report("old", 2, ordered=10, shipped=4)).lines
    assert line.quantities_by_source.keys() == {"old"}


def test_sources_that_replace_each_other_end_the_search() -> None:
    first = replace(report("a", 2, ordered=10, shipped=0), replaces="b")
    second = replace(report("b", 3, ordered=9, shipped=0), replaces="a")
    assert timeline(first, second).lines[0].quantity(Measure.ORDERED) in {9, 10}
