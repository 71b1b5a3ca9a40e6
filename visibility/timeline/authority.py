"""Which roles are authoritative for each field, how long sources may differ, and who resolves it.

The first tier with a reported value is authoritative. The figures of warehouses are added up,
because each ships its own part; of any other tier the largest figure counts.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Measure
from visibility.timeline.state_and_flag_enums import ComparedField

Tier = frozenset[SourceRole]
WAREHOUSES: Tier = frozenset({SourceRole.WMS, SourceRole.THIRD_PARTY_LOGISTICS})
FINANCE: Tier = frozenset({SourceRole.FINANCE})
CARRIERS: Tier = frozenset({SourceRole.CARRIER})
OTHER_TIERS: tuple[Tier, ...] = (
    frozenset({SourceRole.ERP}),
    frozenset({SourceRole.SHOP}),
    frozenset({SourceRole.EDI}),
    frozenset({SourceRole.CRM}),
    frozenset({SourceRole.OTHER}),
    FINANCE,
    CARRIERS,
)
AUTHORITY: Mapping[ComparedField, tuple[Tier, ...]] = {
    ComparedField.STATUS: (WAREHOUSES, *OTHER_TIERS),
    ComparedField.PROMISED_AT: (*OTHER_TIERS, WAREHOUSES),
    ComparedField.PRICE: (*OTHER_TIERS, WAREHOUSES),
    ComparedField.ORDERED: (*OTHER_TIERS, WAREHOUSES),
    ComparedField.CANCELLED: (*OTHER_TIERS, WAREHOUSES),
    ComparedField.ALLOCATED: (WAREHOUSES, *OTHER_TIERS),
    ComparedField.BACKORDERED: (WAREHOUSES, *OTHER_TIERS),
    ComparedField.PICKED: (WAREHOUSES, *OTHER_TIERS),
    ComparedField.PACKED: (WAREHOUSES, *OTHER_TIERS),
    ComparedField.SHIPPED: (WAREHOUSES, *OTHER_TIERS),
    ComparedField.DELIVERED: (CARRIERS, WAREHOUSES, *OTHER_TIERS),
    ComparedField.INVOICED: (FINANCE, *OTHER_TIERS, WAREHOUSES),
    ComparedField.CREDITED: (FINANCE, *OTHER_TIERS, WAREHOUSES),
    ComparedField.RETURNED: (WAREHOUSES, *OTHER_TIERS),
}
# How long two sources may differ before it is a conflict: messages take time to arrive.
GRACE_PERIODS: Mapping[ComparedField, timedelta] = {
    ComparedField.STATUS: timedelta(hours=4),
    ComparedField.PROMISED_AT: timedelta(hours=4),
    ComparedField.PRICE: timedelta(hours=4),
    ComparedField.ORDERED: timedelta(hours=4),
    ComparedField.CANCELLED: timedelta(hours=4),
    ComparedField.SHIPPED: timedelta(hours=4),
    ComparedField.INVOICED: timedelta(hours=24),
}
# The team that resolves a conflict.
OWNING_TEAMS: Mapping[ComparedField, str] = {
    ComparedField.STATUS: "Order desk",
    ComparedField.PROMISED_AT: "Customer service",
    ComparedField.PRICE: "Pricing",
    ComparedField.ORDERED: "Order desk",
    ComparedField.CANCELLED: "Order desk",
    ComparedField.SHIPPED: "Warehouse",
    ComparedField.INVOICED: "Finance",
}


def ranks_by_role(field: ComparedField) -> dict[SourceRole, int]:
    """The rank of each role for a field: the index of its first tier, 0 is the highest."""
    tiers = reversed(list(enumerate(AUTHORITY[field])))
    return {role: rank for rank, tier in tiers for role in tier}


def all_warehouses_or_largest_figure_source(
    figures: Mapping[str, Decimal],
    roles: Mapping[str, SourceRole],
    ranks: Mapping[SourceRole, int],
) -> tuple[str, ...]:
    """The sources whose figures count: all warehouses, or the source with the largest figure."""
    if len(figures) == 1:
        return tuple(figures)
    best = min(ranks[roles[source]] for source in figures)
    sources = sorted(s for s in figures if ranks[roles[s]] == best)
    if roles[sources[0]] in WAREHOUSES:
        return tuple(sources)
    return (max(sources, key=lambda s: (figures[s], s)),)


RANKS: Mapping[ComparedField, Mapping[SourceRole, int]] = {
    field: ranks_by_role(field) for field in AUTHORITY
}
MEASURE_RANKS: Mapping[Measure, Mapping[SourceRole, int]] = {
    m: RANKS[ComparedField(m.value)] for m in Measure
}
# From the least to the most authoritative, for attributes of the order as a whole.
ROLES_BY_AUTHORITY: tuple[SourceRole, ...] = tuple(
    role for tier in (WAREHOUSES, *reversed(OTHER_TIERS)) for role in sorted(tier)
)
