"""The dimensions of KPI facts and cells, and the groupings that cells are stored for."""

from collections.abc import Collection, Mapping
from typing import Literal

from connectors.sdk.events import Attribute

Dimension = Literal["channel", "warehouse", "customer_group"]
# The column of facts and cells, and its title on pages.
DIMENSIONS: Mapping[Dimension, str] = {
    "channel": "Channel",
    "warehouse": "Warehouse",
    "customer_group": "Customer group",
}
# The attribute of the order that the column holds, and the length of the column.
ORDER_ATTRIBUTES: Mapping[Dimension, tuple[Attribute, int]] = {
    "channel": (Attribute.CHANNEL, 60),
    "warehouse": (Attribute.WAREHOUSE, 100),
    "customer_group": (Attribute.CUSTOMER_GROUP, 100),
}
# Cells are stored for the total, each dimension alone, the pair that the matrix shows, and for all
# dimensions together. Another combination is summed from the cells of all dimensions.
STORED_GROUPINGS: tuple[frozenset[Dimension], ...] = (
    frozenset(),
    *(frozenset({name}) for name in DIMENSIONS),
    frozenset({"channel", "warehouse"}),
    frozenset(DIMENSIONS),
)


def smallest_stored_grouping_bitmask(wanted: Collection[str]) -> int:
    """The bitmask of the smallest stored grouping that has these dimensions."""
    dimensions = frozenset(name for name in DIMENSIONS if name in wanted)
    return grouping_bitmask(min((g for g in STORED_GROUPINGS if dimensions <= g), key=len))


def grouping_bitmask(names: Collection[str]) -> int:
    """The value of GROUPING() for cells by these dimensions, which sum over the others."""
    return sum(2**bit for bit, name in enumerate(reversed(list(DIMENSIONS))) if name not in names)
