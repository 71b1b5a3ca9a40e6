"""What one order is and does: its lines, shipments and the steps that systems tell about."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import NamedTuple

from visibility.simulator.catalog import Carrier, Customer, Item


class Channel(StrEnum):
    """Where an order comes in."""

    WEB = "web"
    EDI = "edi"
    INSIDE = "inside"


class Kind(StrEnum):
    """What a step tells. The part before the dot is the source that tells it."""

    SHOP_CREATED = "shop.created"
    SHOP_FULFILLED = "shop.fulfilled"
    SHOP_EDITED = "shop.edited"
    SHOP_CANCELLED = "shop.cancelled"
    SHOP_REFUNDED = "shop.refunded"
    EDI_ORDER = "edi.850"
    EDI_ANSWER = "edi.855"
    EDI_NOTICE = "edi.856"
    EDI_INVOICE = "edi.810"
    EDI_CANCEL = "edi.860"
    ERP_DRAFT = "erp.draft"
    ERP_REVIEW = "erp.review"
    ERP_OPEN = "erp.open"
    ERP_SHIPPED = "erp.shipped"
    ERP_SHIPMENT = "erp.shipment"
    ERP_INVOICED = "erp.invoiced"
    ERP_INVOICE = "erp.invoice"
    WMS_ALLOCATED = "wms.allocated"
    WMS_PICKED = "wms.picked"
    WMS_PACKED = "wms.packed"
    WMS_SHIPPED = "wms.shipped"
    WMS_CANCELLED = "wms.cancelled"
    WMS_UNKNOWN = "wms.unknown"
    WMS_RETURN = "wms.return"
    NORTH_ORDER = "3pl.940"
    NORTH_SHIPPED = "3pl.945"
    NORTH_CANCEL = "3pl.cancel"
    NORTH_PULSE = "3pl.997"
    TRACKED = "carrier.tracked"
    INVOICED = "finance.invoiced"
    PAID = "finance.paid"
    CREDITED = "finance.credited"

    @property
    def source(self) -> str:
        """The slug of the source."""
        return self.value.partition(".")[0]


KINDS = tuple(Kind)
ERP = frozenset(kind for kind in Kind if kind.source == "erp")


class Step(NamedTuple):
    """One thing told: when it happened, when it is sent, and of which shipment or scan.

    `item` is the package times 8 plus the place of the scan. A `copy` is sent again as it was;
    a `torn` one arrives cut off.
    """

    send_at: float
    at: float
    kind: Kind
    shipment: int = 0
    item: int = 0
    copy: bool = False
    torn: bool = False


class Line(NamedTuple):
    """One order line, numbered from 1."""

    number: int
    item: Item
    quantity: int

    @property
    def sequence(self) -> int:
        """The ERP's number of the line."""
        return self.number * 10000


class Scan(NamedTuple):
    """What the carrier says of a parcel."""

    at: float
    word: str


class Package(NamedTuple):
    """One parcel."""

    tracking: str
    sscc: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """Goods that leave together. `quantities` go with the order's lines."""

    index: int
    at: float
    quantities: tuple[int, ...]
    packages: tuple[Package, ...]
    scans: tuple[Scan, ...]
    invoiced_at: float


class Fault(NamedTuple):
    """What was broken on purpose: name, when, when the promise is due, when it ends."""

    name: str
    at: float
    due_at: float | None = None
    ends_at: float | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that will ever be said of one order."""

    n: int
    channel: Channel
    customer: Customer
    po: str
    warehouse: str
    carrier: Carrier
    lines: tuple[Line, ...]
    created_at: float
    entered_at: float
    released_at: float
    requested: date
    promised: date
    shipments: tuple[Shipment, ...]
    # Since when credit looks at it; the release ends that.
    held_at: float | None = None
    # A second promise, given when the first shipment leaves goods behind.
    repromised: date | None = None
    # The ERP never posts shipments from this one on.
    blind_from: int | None = None
    # The ERP's price of one line is so many cents off: (line's place, cents).
    drift: tuple[int, int] | None = None
    cancelled_at: float | None = None
    # Lines that the seller cancelled when stock was short: (line's place, quantity).
    dropped: tuple[int, int] | None = None
    # Lines that come back: (line's place, quantity).
    returned: tuple[int, int] | None = None
    returned_at: float = 0.0
    steps: tuple[Step, ...] = ()
    faults: tuple[Fault, ...] = field(default=())

    @property
    def total(self) -> int:
        """Cents of all that was ordered."""
        return sum(line.item.price * line.quantity for line in self.lines)

    def price(self, place: int) -> int:
        """Cents of one unit of a line, as the ERP has it."""
        off = dict([self.drift]) if self.drift else {}
        return self.lines[place].item.price + off.get(place, 0)

    def billed(self, shipment: Shipment) -> int:
        """Cents of the invoice for a shipment."""
        return sum(self.price(place) * q for place, q in enumerate(shipment.quantities))


def when(at: float) -> datetime:
    """The aware UTC instant."""
    return datetime.fromtimestamp(at, UTC)


def rfc3339(at: float) -> str:
    """`2026-03-04T05:06:07Z`."""
    return when(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def money(cents: int) -> str:
    """`12.50`."""
    return f"{cents // 100}.{cents % 100:02}"
