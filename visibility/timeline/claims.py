"""The shape of what sources claim: of the order, of a line, against each other, and for when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from connectors.sdk.connector import Role
from connectors.sdk.events import Measure
from visibility.timeline.enums import Field, LineFlag, LineState


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source says of the order as a whole.

    `stands`: `open`, `shipped`, `cancelled`, or empty where it does not say. `promised`: the date
    it promises, as it wrote it.
    """

    source: str
    role: Role
    word: str
    at: datetime
    quantities: Mapping[Measure, Decimal]
    last_received_at: datetime
    stands: str = ""
    promised: str = ""


class Said(NamedTuple):
    """One source's claim about one field of a line.

    `value` is in the line's unit, None where nobody knows how to convert; `own` in the `unit` the
    source counts in. `counts`: the source is authoritative for the field.
    """

    source: str
    field: Field
    value: Decimal | None
    own: Decimal
    unit: str
    at: datetime
    counts: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One order line: the quantities that count, and each source's own.

    `short`: how much of the cancelled quantity we cancelled for want of stock. `filled`: how much
    of the shipped quantity left as which other article. `aside`: it can't be counted, see `flags`.
    """

    key: str
    sku: str
    description: str
    unit: str
    price: Decimal | None
    quantities: Mapping[Measure, Decimal]
    said: tuple[Said, ...]
    state: LineState
    flags: tuple[LineFlag, ...] = ()
    short: Decimal = Decimal(0)
    filled: tuple[tuple[str, Decimal], ...] = ()
    aside: bool = False
    # Not on the authoritative source's order: shown, not counted.
    extra: bool = False

    def get(self, measure: Measure) -> Decimal:
        """The quantity that counts, 0 where nobody said."""
        return self.quantities.get(measure, Decimal(0))

    @property
    def due(self) -> Decimal:
        """Ordered and not cancelled."""
        return max(self.get(Measure.ORDERED) - self.get(Measure.CANCELLED), Decimal(0))

    @property
    def counted(self) -> bool:
        """Whether it is one of the order's lines, and can be counted."""
        return not self.extra and not self.aside

    @property
    def by_source(self) -> dict[str, dict[Field, Decimal]]:
        """Each source's own figures, in its own unit."""
        found: dict[str, dict[Field, Decimal]] = {}
        for said in self.said:
            if said.field is not Field.PRICE:
                found.setdefault(said.source, {})[said.field] = said.own
        return found


@dataclass(frozen=True, slots=True)
class Contender:
    """One side of a conflict: who claims what, since when, and whether it is authoritative."""

    source: str
    role: Role
    value: str
    at: datetime
    authoritative: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """Sources that contradict each other about a field; `line_key` is empty for the whole order.

    `since`: when they began to differ; `opened_at`: when that had lasted longer than a word may
    take to arrive. `money`: the difference times the price, None where that is not known.
    """

    field: Field
    line_key: str
    claims: tuple[Contender, ...]
    since: datetime
    opened_at: datetime
    money: Decimal | None
    currency: str
    owner: str


@dataclass(frozen=True, slots=True)
class Promise:
    """One word about when the goods are to arrive; a bare date is midnight UTC.

    `kind`: `requested` by the customer, the `first` promise, `moved`: a promise changed by `source`
    from `old` to `date`.
    """

    kind: str
    source: str
    role: Role
    said_at: datetime
    date: datetime
    old: datetime | None = None
    reason: str = ""
