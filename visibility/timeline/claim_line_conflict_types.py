"""Values that sources report: claims, order lines, conflicts between sources, promise dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from connectors.sdk.connector import SourceRole
from connectors.sdk.events import Measure
from visibility.timeline.state_and_flag_enums import ComparedField, LineFlag, LineState


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source reports about the order as a whole.

    `order_state`: `open`, `shipped`, `cancelled`, or empty if none of them. `promised`: its
    promise date as written.
    """

    source: str
    role: SourceRole
    status_text: str
    at: datetime
    quantities: Mapping[Measure, Decimal]
    last_received_at: datetime
    order_state: str = ""
    promised: str = ""


class QuantityClaim(NamedTuple):
    """One source's claim about one field of a line.

    `value` is in the line's unit, None if it cannot be converted; `reported_value` is in the
    source's `unit`. `authoritative`: the source is authoritative for the field.
    """

    source: str
    field: ComparedField
    value: Decimal | None
    reported_value: Decimal
    unit: str
    at: datetime
    authoritative: bool


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One order line: the authoritative quantities and the claims of each source.

    `short_cancelled`: the part of the cancelled quantity that the seller cancelled.
    `substituted_by`: (SKU, quantity) of the substitutes or kit components that were shipped for
    it. `uncountable`: the line cannot be counted, see `flags`.
    """

    key: str
    sku: str
    description: str
    unit: str
    price: Decimal | None
    quantities: Mapping[Measure, Decimal]
    claims: tuple[QuantityClaim, ...]
    state: LineState
    flags: tuple[LineFlag, ...] = ()
    short_cancelled: Decimal = Decimal(0)
    substituted_by: tuple[tuple[str, Decimal], ...] = ()
    uncountable: bool = False
    # Missing from the order of the authoritative source: shown but not counted.
    unexpected: bool = False
    seller: str = ""
    ship_by: datetime | None = None
    requested_at: datetime | None = None
    promised_at: datetime | None = None
    serials: tuple[str, ...] = ()
    # False for what is never shipped, such as a service or a tip: shown but not counted.
    is_goods: bool = True

    def quantity(self, measure: Measure) -> Decimal:
        """The authoritative quantity, 0 if none was reported."""
        return self.quantities.get(measure, Decimal(0))

    @property
    def net_ordered_quantity(self) -> Decimal:
        """The quantity ordered and not cancelled."""
        return max(self.quantity(Measure.ORDERED) - self.quantity(Measure.CANCELLED), Decimal(0))

    @property
    def is_counted(self) -> bool:
        """Whether the line belongs to the order, is goods and can be counted."""
        return self.is_goods and not self.unexpected and not self.uncountable

    @property
    def quantities_by_source(self) -> dict[str, dict[ComparedField, Decimal]]:
        """The figures of each source, in that source's unit."""
        figures: dict[str, dict[ComparedField, Decimal]] = {}
        for claim in self.claims:
            if claim.field is not ComparedField.PRICE:
                figures.setdefault(claim.source, {})[claim.field] = claim.reported_value
        return figures


@dataclass(frozen=True, slots=True)
class ConflictClaim:
    """One side of a conflict."""

    source: str
    role: SourceRole
    value: str
    at: datetime
    authoritative: bool


@dataclass(frozen=True, slots=True)
class TimelineConflict:
    """Sources that contradict each other about a field; `line_key` is empty for the whole order.

    `since`: when they began to differ. `opened_at`: when the grace period for late messages ended.
    `money`: the difference times the price, None if the price is not known.
    """

    field: ComparedField
    line_key: str
    claims: tuple[ConflictClaim, ...]
    since: datetime
    opened_at: datetime
    money: Decimal | None
    currency: str
    owner: str


@dataclass(frozen=True, slots=True)
class Promise:
    """One entry of the promise date history; a date without a time is midnight UTC.

    `kind`: `requested` by the customer, the `first` promise, or `moved`: `source` changed the
    promise from `old` to `date`. `ship_by`: when a line must be shipped. `line_key`: the line that
    has the date, empty if it is the date of the order.
    """

    kind: str
    source: str
    role: SourceRole
    reported_at: datetime
    date: datetime
    old: datetime | None = None
    reason: str = ""
    line_key: str = ""
