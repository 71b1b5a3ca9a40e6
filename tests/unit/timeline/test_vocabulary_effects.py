"""The effect of each event type and member on the timeline is the one that is published."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.sdk.event_examples import EXAMPLES
from connectors.sdk.event_parser import SETTINGS, parse_event
from connectors.sdk.events import (
    Attribute,
    EventIdentifier,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import load_json
from connectors.sdk.required_and_ignored_event_members import ignored_members
from connectors.sdk.settings import parse_and_check_settings
from connectors.sdk.timestamps import ParsedTime
from tests.builders.recorded_events import (
    SO_1,
    SO_2,
    at,
    line,
    ordered,
    reported,
    shipped,
)
from tests.builders.timelines import folded, line_of
from visibility.timeline import MilestoneCode, RecordedEvent, Timeline


def naming(recorded: RecordedEvent, kind: ObjectKind, scheme: str, number: str) -> RecordedEvent:
    """The event with a reference to one more object."""
    ref = ObjectReference(kind, (EventIdentifier(IdentifierScheme(scheme), number),))
    event = replace(recorded.event, objects=(*recorded.event.objects, ref))
    keys = (*recorded.object_keys, f"{scheme}::{number}")
    return replace(recorded, event=event, object_keys=keys)


def with_figures(timeline: Timeline) -> Timeline:
    """Everything but the activity list and the claims, which repeat what sources sent."""
    return replace(timeline, entries=(), claims=())


# A value of each member that some event type ignores, and of those that all use.
FULL_LINE: dict[str, Any] = {
    "line_id": "1",
    "sku": "A",
    "package": 0,
    "seller": "Acme",
    "ship_by": "2026-03-04",
    "quantity_mode": "delta",
    **{measure.value: 1 for measure in Measure},
}
FULL_DATA: dict[str, Any] = {
    "order": SO_1,
    "shipment": "S1",
    "tracking": "T1",
    "part": "shipment S1",
    "quantity_mode": "delta",
    "lines": [FULL_LINE],
    "attributes": {"detail": "call Nora", "location": "Dallas", "reason": "short of stock"},
}


def without(data: dict[str, Any], members: frozenset[str]) -> dict[str, Any]:
    """The data without these members."""
    lines = [
        {name: v for name, v in entry.items() if f"lines.{name}" not in members}
        for entry in data["lines"]
    ]
    attributes = {
        name: v for name, v in data["attributes"].items() if f"attributes.{name}" not in members
    }
    others = {name: v for name, v in data.items() if name not in members}
    return {**others, "lines": lines, "attributes": attributes}


def recorded_event(event_type: EventType, data: dict[str, Any]) -> RecordedEvent:
    """The event with this data, as the warehouse sends it about the order."""
    event = parse_event(
        load_json(orjson.dumps(data)),
        type_name=event_type.value,
        path="type",
        key="k",
        at=ParsedTime(datetime(2026, 3, 5, tzinfo=UTC)),
        settings=parse_and_check_settings(SETTINGS, {"order_number": "sales_order@erp"}),
        source="wms",
    )
    template = shipped({"A": 1}, at(5))
    keys = tuple(
        ":".join((i.scheme.value, i.issuer, i.value))
        for i in (r.identifiers[0] for r in event.objects)
    )
    return replace(template, event=event, object_keys=keys, content_hash="h")


@pytest.mark.parametrize("event_type", [t for t in EXAMPLES if t is not EventType.UNMAPPED])
def test_ignored_members_change_nothing_on_the_timeline(event_type: EventType) -> None:
    extra: dict[str, Any] = {
        name: EXAMPLES[event_type][name]
        for name in ("quotation", "contract", "goods_movement", "return_delivery")
        if name in EXAMPLES[event_type]
    }
    extra |= {
        name: "9"
        for name in ("credit_memo_request", "debit_memo_request")
        if name in EXAMPLES[event_type]
    }
    data = {**FULL_DATA, **extra}
    base = [ordered({"A": 5}), shipped({"A": 2}, at(3))]
    full = folded(*base, recorded_event(event_type, data))
    reduced = recorded_event(event_type, without(data, ignored_members(event_type)))
    assert with_figures(folded(*base, reduced)) == with_figures(full)


@pytest.mark.parametrize("event_type", [EventType.ORDER_RECEIVED, EventType.SHIPMENT_CONFIRMED])
def test_used_line_members_change_the_timeline(event_type: EventType) -> None:
    base = [ordered({"A": 5}), shipped({"A": 2}, at(3))]
    full = folded(*base, recorded_event(event_type, FULL_DATA))
    for name in set(FULL_LINE) - {"line_id", "sku", "quantity_mode"}:
        member = frozenset({f"lines.{name}"})
        reduced = folded(*base, recorded_event(event_type, without(FULL_DATA, member)))
        is_equal = with_figures(reduced) == with_figures(full)
        assert is_equal is (f"lines.{name}" in ignored_members(event_type)), name


@pytest.mark.parametrize(
    "event_type",
    [
        "line.reordered",
        "quotation.issued",
        "contract.signed",
        "goods_movement.posted",
        "payment.reminder_sent",
        "inventory.adjusted",
        "shipment.tendered",
        "invoice.partly_paid",
        "freight.invoiced",
        "credit.requested",
        "debit.requested",
        "return.delivery_created",
    ],
)
def test_event_without_an_effect_is_only_listed(event_type: str) -> None:
    base = [ordered({"A": 5}), shipped({"A": 5}, at(3))]
    timeline, more = folded(*base), folded(*base, reported("erp", event_type, at(4)))
    assert len(more.entries) == len(timeline.entries) + 1
    assert with_figures(more) == with_figures(timeline)


def test_payment_approval_is_a_milestone_and_no_status() -> None:
    timeline = folded(ordered({"A": 5}), reported("shop", "payment.approved", at(3)))
    assert timeline.milestone_completed_at(MilestoneCode.PAYMENT_APPROVED) == at(3)
    assert timeline.status is folded(ordered({"A": 5})).status


def test_ship_by_of_lines_plans_the_shipment_and_is_in_the_promise_history() -> None:
    lines = [
        replace(line("A", ordered=1), ship_by="2026-03-06", seller="Acme"),
        replace(line("B", ordered=1), ship_by="2026-03-05"),
    ]
    first = reported("erp", "order.received", at(2), lines)
    moved = reported("erp", "order.changed", at(3), [replace(lines[1], ship_by="2026-03-07")])
    timeline = folded(first)
    assert timeline.milestones[MilestoneCode.SHIPPED].planned_at == datetime(2026, 3, 5, tzinfo=UTC)
    assert line_of(timeline, "A").seller == "Acme"
    timeline = folded(moved, first)
    assert timeline.milestones[MilestoneCode.SHIPPED].planned_at == datetime(2026, 3, 6, tzinfo=UTC)
    changes = [(p.line_key, p.date.day, p.old.day if p.old else 0) for p in timeline.promises]
    assert changes == [("A", 6, 0), ("B", 5, 0), ("B", 7, 5)]
    with_own = reported("erp", "order.changed", at(4), ship_by="2026-03-01")
    timeline = folded(first, with_own)
    assert timeline.milestones[MilestoneCode.SHIPPED].planned_at == datetime(2026, 3, 1, tzinfo=UTC)


def test_contract_and_transport_are_related_to_the_order() -> None:
    order = naming(ordered({"A": 5}), ObjectKind.CONTRACT, "contract", "K-9")
    shipment = naming(shipped({"A": 5}, at(3)), ObjectKind.VEHICLE, "vehicle", "TX-1")
    other = naming(
        shipped({"A": 5}, at(4), shipment="S2", orders=[SO_2]),
        ObjectKind.VEHICLE,
        "vehicle",
        "TX-2",
    )
    timeline = folded(order, shipment, other)
    numbers = [(r.kind, r.number) for r in timeline.related]
    assert numbers == [(ObjectKind.CONTRACT, "K-9"), (ObjectKind.VEHICLE, "TX-1")]
    assert [r.number for r in timeline.shipments[0].transport] == ["TX-1"]


def test_void_that_names_a_vehicle_takes_back_only_its_own_shipment() -> None:
    events = [
        ordered({"A": 5}),
        naming(shipped({"A": 2}, at(3), shipment="S1"), ObjectKind.VEHICLE, "vehicle", "TX-1"),
        naming(shipped({"A": 3}, at(3), shipment="S2"), ObjectKind.VEHICLE, "vehicle", "TX-1"),
        naming(
            reported("wms", "shipment.void", at(4), shipment="S1", scope=""),
            ObjectKind.VEHICLE,
            "vehicle",
            "TX-1",
        ),
    ]
    assert line_of(folded(*events), "A").quantity(Measure.SHIPPED) == 3


def test_lines_of_two_references_to_one_order_both_count() -> None:
    lines = [
        replace(line("A", shipped=1), order_index=0),
        replace(line("B", shipped=2), order_index=1),
    ]
    event = reported("wms", "shipment.confirmed", at(3), lines, orders=[SO_1, SO_2], scope="x")
    same = replace(event, object_keys=(event.object_keys[0],) * 2)
    timeline = folded(ordered({"A": 1, "B": 2}), same)
    assert line_of(timeline, "B").quantity(Measure.SHIPPED) == Decimal(2)
    assert Attribute.SHIP_BY not in timeline.attributes
