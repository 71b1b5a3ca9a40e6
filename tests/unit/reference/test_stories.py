"""Compare random orders with events that the simulator never sends: voids and corrections."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders.recorded_events import (
    at,
    delivered,
    invoiced,
    lines,
    ordered,
    reported,
    shipped,
)
from tests.builders.timelines import LATER
from tests.effort import FULL
from tests.reference.compare import differences
from visibility.timeline import RecordedEvent

ORDERS = 2000 if FULL else 150
ITEMS = ("A", "B", "C")


def figures(chance: random.Random, most: int) -> dict[str, int | str]:
    """Random quantities of some items."""
    chosen = chance.sample(ITEMS, chance.randint(1, 3))
    return {sku: chance.randint(1, most) for sku in sorted(chosen)}


def random_order(chance: random.Random) -> list[RecordedEvent]:
    """An order with shipments that are voided, revised or withdrawn, deliveries and invoices."""
    wanted: dict[str, int | str] = {sku: chance.randint(1, 9) for sku in ITEMS}
    events = [ordered(wanted), reported("erp", "order.released", at(2, 11))]
    for index in range(chance.randint(1, 4)):
        source = chance.choice(("wms", "north"))
        box, when = f"S{index}", at(chance.randint(3, 9), index)
        sent = shipped(figures(chance, 5), when, box, source=source, key=f"sent {box}")
        events += [sent, *follow_up(chance, sent, source, box)]
    if chance.random() < 0.5:
        events.append(invoiced(figures(chance, 9), at(chance.randint(10, 12)), key="invoice"))
    return events


def follow_up(
    chance: random.Random, sent: RecordedEvent, source: str, box: str
) -> list[RecordedEvent]:
    """Random events after a shipment."""
    day, kind = sent.occurred_at, chance.randrange(6)
    later = day.replace(day=day.day + chance.randint(1, 8), hour=chance.randint(0, 23))
    if kind < 2:
        soon = day + timedelta(minutes=30)  # before any other shipment
        return [reported(source, "shipment.void", soon, shipment=box, scope=None if kind else "")]
    if kind == 2:
        revised = shipped(
            figures(chance, 5), day, box, source=source, key=sent.event.key, revision="2"
        )
        return [revised]
    if kind == 3:
        corrected = lines("shipped", figures(chance, 5))
        return [
            reported(
                source,
                "shipment.confirmed",
                later,
                corrected,
                shipment=box,
                key=f"corrected {box}",
                corrects=[sent.event.key],
            )
        ]
    if kind == 4:
        return [delivered(later, box)]
    return []


@pytest.mark.parametrize("group", range(5))
def test_voids_corrections_and_revisions_equal_the_reference(group: int) -> None:
    for seed in range(group, ORDERS, 5):
        chance = random.Random(seed)
        events = random_order(chance)
        chance.shuffle(events)
        repeats = [replace(event) for event in chance.sample(events, len(events) // 2)]
        for as_of in (LATER, at(chance.randint(2, 18))):
            texts = differences([*events, *repeats], key="SO-1", as_of=as_of)
            assert texts == [], (seed, as_of)
