"""What the simulator never says: voids, corrections, tellings that change. Drawn by a seed."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.reference import past
from tests.reference.compare import differences
from tests.timeline.saying import (
    LATER,
    at,
    delivered,
    invoiced,
    lines,
    ordered,
    say,
    shipped,
)
from visibility.timeline import Spoken

STORIES = 2000 if past.WHOLE else 150
ARTICLES = ("A", "B", "C")


def figures(chance: random.Random, most: int) -> dict[str, int | str]:
    """So much of some of the articles."""
    chosen = chance.sample(ARTICLES, chance.randint(1, 3))
    return {sku: chance.randint(1, most) for sku in sorted(chosen)}


def story(chance: random.Random) -> list[Spoken]:
    """An order, shipments that are voided, told anew or withdrawn, deliveries, bills."""
    wanted: dict[str, int | str] = {sku: chance.randint(1, 9) for sku in ARTICLES}
    said = [ordered(wanted), say("erp", "order.released", at(2, 11))]
    for place in range(chance.randint(1, 4)):
        source = chance.choice(("wms", "north"))
        box, when = f"S{place}", at(chance.randint(3, 9), place)
        sent = shipped(figures(chance, 5), when, box, source=source, key=f"sent {box}")
        said += [sent, *afterwards(chance, sent, source, box)]
    if chance.random() < 0.5:
        said.append(invoiced(figures(chance, 9), at(chance.randint(10, 12)), key="bill"))
    return said


def afterwards(chance: random.Random, sent: Spoken, source: str, box: str) -> list[Spoken]:
    """What becomes of a shipment."""
    day, fate = sent.occurred_at, chance.randrange(6)
    later = day.replace(day=day.day + chance.randint(1, 8), hour=chance.randint(0, 23))
    if fate < 2:
        soon = day + timedelta(minutes=30)  # before anything else leaves
        return [say(source, "shipment.void", soon, shipment=box, part=None if fate else "")]
    if fate == 2:
        anew = shipped(
            figures(chance, 5), day, box, source=source, key=sent.event.key, revision="2"
        )
        return [anew]
    if fate == 3:
        right = lines("shipped", figures(chance, 5))
        return [
            say(
                source,
                "shipment.confirmed",
                later,
                right,
                shipment=box,
                key=f"right {box}",
                corrects=[sent.event.key],
            )
        ]
    if fate == 4:
        return [delivered(later, box)]
    return []


@pytest.mark.parametrize("part", range(5))
def test_voids_corrections_and_new_tellings_come_out_as_in_the_reference(part: int) -> None:
    for seed in range(part, STORIES, 5):
        chance = random.Random(seed)
        events = story(chance)
        chance.shuffle(events)
        again = [replace(one) for one in chance.sample(events, len(events) // 2)]
        for as_of in (LATER, at(chance.randint(2, 18))):
            found = differences([*events, *again], key="SO-1", as_of=as_of)
            assert found == [], (seed, as_of)
