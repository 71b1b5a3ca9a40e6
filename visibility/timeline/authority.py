"""Who is believed about what: a table of roles by field, the time a word may take, the owner.

The first tier that has said anything is authoritative. Warehouses of one tier add up (each ships
its own part); of the other tiers the largest figure counts.
"""

from collections.abc import Mapping
from datetime import timedelta

from connectors.sdk.connector import Role
from connectors.sdk.events import Measure
from visibility.timeline.enums import Field

Tier = frozenset[Role]
WAREHOUSES: Tier = frozenset({Role.WMS, Role.THIRD_PARTY_LOGISTICS})
FINANCE: Tier = frozenset({Role.FINANCE})
CARRIERS: Tier = frozenset({Role.CARRIER})
REST: tuple[Tier, ...] = (
    frozenset({Role.ERP}),
    frozenset({Role.SHOP}),
    frozenset({Role.EDI}),
    frozenset({Role.CRM}),
    frozenset({Role.OTHER}),
    FINANCE,
    CARRIERS,
)
AUTHORITY: Mapping[Field, tuple[Tier, ...]] = {
    Field.STATUS: (WAREHOUSES, *REST),
    Field.PROMISED_AT: (*REST, WAREHOUSES),
    Field.PRICE: (*REST, WAREHOUSES),
    Field.ORDERED: (*REST, WAREHOUSES),
    Field.CANCELLED: (*REST, WAREHOUSES),
    Field.ALLOCATED: (WAREHOUSES, *REST),
    Field.BACKORDERED: (WAREHOUSES, *REST),
    Field.PICKED: (WAREHOUSES, *REST),
    Field.PACKED: (WAREHOUSES, *REST),
    Field.SHIPPED: (WAREHOUSES, *REST),
    Field.DELIVERED: (CARRIERS, WAREHOUSES, *REST),
    Field.INVOICED: (FINANCE, *REST, WAREHOUSES),
    Field.CREDITED: (FINANCE, *REST, WAREHOUSES),
    Field.RETURNED: (WAREHOUSES, *REST),
}
# How long two sources may differ before it is a contradiction: the time a word takes to arrive.
GRACE: Mapping[Field, timedelta] = {
    Field.STATUS: timedelta(hours=4),
    Field.PROMISED_AT: timedelta(hours=4),
    Field.PRICE: timedelta(hours=4),
    Field.ORDERED: timedelta(hours=4),
    Field.CANCELLED: timedelta(hours=4),
    Field.SHIPPED: timedelta(hours=4),
    Field.INVOICED: timedelta(hours=24),
}
# The team that settles it.
OWNER: Mapping[Field, str] = {
    Field.STATUS: "Order desk",
    Field.PROMISED_AT: "Customer service",
    Field.PRICE: "Pricing",
    Field.ORDERED: "Order desk",
    Field.CANCELLED: "Order desk",
    Field.SHIPPED: "Warehouse",
    Field.INVOICED: "Finance",
}


def ranks(field: Field) -> dict[Role, int]:
    """Each role's rank for a field: that of the first tier it stands in, 0 the highest."""
    tiers = reversed(list(enumerate(AUTHORITY[field])))
    return {role: rank for rank, tier in tiers for role in tier}


RANKS: Mapping[Field, Mapping[Role, int]] = {field: ranks(field) for field in AUTHORITY}
TIERS: Mapping[Measure, Mapping[Role, int]] = {m: RANKS[Field(m.value)] for m in Measure}
# From the least to the most believed, for what describes the order as a whole.
BELIEVED: tuple[Role, ...] = tuple(
    role for tier in (WAREHOUSES, *reversed(REST)) for role in sorted(tier)
)
