"""A clock waits for the sources that report on its order, not for all with their role."""

import pytest

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import EventType
from tests.builders.recorded_events import at, reported
from tests.builders.timelines import folded
from visibility.alerts.expected_sources import expected_sources_of_clock
from visibility.models import Source
from visibility.sla.rule import Clock

CLOCK = Clock(at(1), at(2), expected_from=(SourceRole.WMS, SourceRole.THIRD_PARTY_LOGISTICS))


def source(slug: str, role: str, warehouses: str = "") -> Source:
    return Source(slug=slug, role=role, config={"warehouses": warehouses} if warehouses else {})


DALLAS, NORTH = source("wms", "wms", "Dallas, Austin"), source("north", "3pl", "North")
PLAIN = [source("wms", "wms"), source("north", "3pl"), source("erp", "erp")]


@pytest.mark.parametrize(
    ("sources", "reporting", "warehouse", "slugs", "are_known"),
    [
        (PLAIN, "erp", "", ["north", "wms"], False),
        (PLAIN, "north", "", ["north"], True),
        ([DALLAS, NORTH], "erp", "", ["north", "wms"], False),
        ([DALLAS, NORTH], "erp", "AUSTIN", ["wms"], True),
        ([DALLAS, NORTH], "erp", "north", ["north"], True),
        # Another warehouse has reported too, so the step may come from either.
        ([DALLAS, NORTH], "wms", "North", ["north", "wms"], True),
        ([DALLAS, source("south", "3pl")], "erp", "South", ["south"], False),
        ([DALLAS, NORTH], "erp", "Reno", ["north", "wms"], False),
    ],
)
def test_expected_sources(
    sources: list[Source], reporting: str, warehouse: str, slugs: list[str], *, are_known: bool
) -> None:
    released = reported(reporting, EventType.ORDER_RELEASED, at(1), warehouse=warehouse)
    expected = expected_sources_of_clock(CLOCK, folded(released), sources)
    assert (expected.slugs, expected.are_known) == (slugs, are_known)
