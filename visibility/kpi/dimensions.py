"""The registry of KPI dimensions, and the groupings that cells are stored for."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from connectors.sdk.events import Attribute
from visibility.timeline import Timeline

Dimension = Literal[
    "channel",
    "warehouse",
    "customer_group",
    "customer",
    "carrier",
    "item",
    "supplier",
    "source",
]
# Dimensions of an order. The others are stated by the KPI: an order has several items and sources.
ORDER_DIMENSIONS: tuple[Dimension, ...] = (
    "channel",
    "warehouse",
    "customer_group",
    "customer",
    "carrier",
)
# Every KPI should have these, so that a page of several KPIs can be filtered by them.
SHARED_DIMENSIONS: tuple[Dimension, ...] = ("channel", "warehouse", "customer_group")


@dataclass(frozen=True, slots=True)
class DimensionDefinition:
    """One dimension: its title, the length of its column, its bit in `grouping`.

    `attribute`: the attribute of the order that it has by default.
    """

    title: str
    max_length: int
    bit: int
    attribute: Attribute | None = None


# By the column of facts, fact changes and cells. Another dimension needs a migration that adds the
# three columns, and its bit to the groupings of all cells.
DEFINITIONS: Mapping[Dimension, DimensionDefinition] = {
    "channel": DimensionDefinition("Channel", 60, 4, Attribute.CHANNEL),
    "warehouse": DimensionDefinition("Warehouse", 100, 2, Attribute.WAREHOUSE),
    "customer_group": DimensionDefinition("Customer group", 100, 1, Attribute.CUSTOMER_GROUP),
    "customer": DimensionDefinition("Customer", 100, 8, Attribute.CUSTOMER_NO),
    "carrier": DimensionDefinition("Carrier", 100, 16),
    "item": DimensionDefinition("Item", 250, 32),
    "supplier": DimensionDefinition("Supplier", 100, 64),
    "source": DimensionDefinition("Source", 100, 128),
}
DIMENSIONS: Mapping[Dimension, str] = {name: d.title for name, d in DEFINITIONS.items()}
# In the order of GROUPING(): the first has the highest bit.
COLUMNS: tuple[Dimension, ...] = tuple(sorted(DEFINITIONS, key=lambda name: -DEFINITIONS[name].bit))
# The pairs that cells are stored for, of the KPIs that have both dimensions.
PAIRS: tuple[frozenset[Dimension], ...] = (
    frozenset({"channel", "warehouse"}),
    frozenset({"channel", "customer_group"}),
    frozenset({"warehouse", "customer_group"}),
)
# Cells are stored for the total, each dimension alone, and these pairs. Another combination is
# summed from the facts, whose number is limited (`cells_or_facts`).
STORED_GROUPINGS: tuple[frozenset[Dimension], ...] = (
    frozenset(),
    *(frozenset({name}) for name in DEFINITIONS),
    *PAIRS,
)


def stored_grouping_bitmask(wanted: Collection[str]) -> int | None:
    """The bitmask of the stored grouping by exactly these dimensions; None if there is none."""
    dimensions = frozenset(name for name in DEFINITIONS if name in wanted)
    return bitmask_of_dimensions_not_grouped(dimensions) if dimensions in STORED_GROUPINGS else None


def bitmask_of_dimensions_not_grouped(names: Collection[str]) -> int:
    """The value of GROUPING() for cells by these dimensions: the bits of all others."""
    return sum(d.bit for name, d in DEFINITIONS.items() if name not in names)


# The grouping of the total.
TOTAL = bitmask_of_dimensions_not_grouped(())


def grouping_bitmasks_without_cells(dimensions: Iterable[Dimension]) -> Iterator[int]:
    """The groupings that a KPI with these dimensions has no cells for."""
    own = frozenset(dimensions)
    return (
        bitmask_of_dimensions_not_grouped(grouping)
        for grouping in STORED_GROUPINGS
        if not grouping <= own
    )


def order_dimension_values(timeline: Timeline) -> dict[Dimension, str]:
    """The value of each dimension of an order, "" if unknown. The carrier: that of its first
    shipment that names one."""
    values: dict[Dimension, str] = {
        name: timeline.attributes.get(d.attribute, "")
        for name, d in DEFINITIONS.items()
        if d.attribute
    }
    values["carrier"] = next((s.carrier for s in timeline.shipments if s.carrier), "")
    return values
