"""One simulated order: its lines, shipments and the steps that the systems report.

Times are floats: seconds since 1970.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import NamedTuple

from visibility.simulator.master_data import SimulatedCarrier, SimulatedCustomer, SimulatedItem


class SalesChannel(StrEnum):
    """The sales channel of an order."""

    WEB = "web"
    EDI = "edi"
    INSIDE = "inside"


class StepKind(StrEnum):
    """What a step reports. The text before the dot is the source that reports it."""

    SHOP_CREATED = "shop.created"
    SHOP_FULFILLED = "shop.fulfilled"
    SHOP_EDITED = "shop.edited"
    SHOP_CANCELLED = "shop.cancelled"
    SHOP_REFUNDED = "shop.refunded"
    EDI_ORDER = "edi.850"
    EDI_ACKNOWLEDGMENT = "edi.855"
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
    NORTH_HEARTBEAT = "3pl.997"
    CARRIER_SCAN = "carrier.tracked"
    INVOICED = "finance.invoiced"
    PAID = "finance.paid"
    CREDITED = "finance.credited"

    @property
    def source(self) -> str:
        """The slug of the source."""
        return self.value.partition(".")[0]


STEP_KINDS = tuple(StepKind)
ERP_KINDS = frozenset(kind for kind in StepKind if kind.source == "erp")


class SimulatedStep(NamedTuple):
    """One report by a system: when it happened, when it is sent, which shipment or scan.

    `scan_index` is the index of the package times 8 plus the index of the scan. A step with
    `is_duplicate` repeats an earlier message; one with `truncated` arrives incomplete.
    """

    send_at: float
    at: float
    kind: StepKind
    shipment: int = 0
    scan_index: int = 0
    is_duplicate: bool = False
    truncated: bool = False


class SimulatedLine(NamedTuple):
    """One order line, numbered from 1."""

    number: int
    item: SimulatedItem
    quantity: int

    @property
    def erp_line_number(self) -> int:
        """The ERP's line number."""
        return self.number * 10000


class CarrierScan(NamedTuple):
    """One carrier scan of a package."""

    at: float
    status: str


class SimulatedPackage(NamedTuple):
    """One package with its tracking number and SSCC."""

    tracking: str
    sscc: str


@dataclass(frozen=True, slots=True)
class SimulatedShipment:
    """Items that leave together. `quantities` has one entry per order line."""

    index: int
    at: float
    quantities: tuple[int, ...]
    packages: tuple[SimulatedPackage, ...]
    scans: tuple[CarrierScan, ...]
    invoiced_at: float


class InjectedFaultWithSlaDueTime(NamedTuple):
    """A problem added on purpose: name, start, SLA due time, end, and what it concerns."""

    name: str
    at: float
    due_at: float | None = None
    ends_at: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SimulatedOrder:
    """One order with everything that the systems will ever report about it."""

    n: int
    channel: SalesChannel
    customer: SimulatedCustomer
    po: str
    warehouse: str
    carrier: SimulatedCarrier
    lines: tuple[SimulatedLine, ...]
    created_at: float
    entered_at: float
    released_at: float
    requested: date
    promised: date
    shipments: tuple[SimulatedShipment, ...]
    # When the order went on credit hold; the release ends the hold.
    credit_hold_at: float | None = None
    # A second promise date, given when the first shipment is short.
    repromised: date | None = None
    # The ERP never posts the shipments from this index on.
    blind_from: int | None = None
    # The ERP's price of one line differs: (line index, cents).
    drift: tuple[int, int] | None = None
    cancelled_at: float | None = None
    # Quantity that the seller canceled when stock was short: (line index, quantity).
    dropped: tuple[int, int] | None = None
    # Quantity that the customer returns: (line index, quantity).
    returned: tuple[int, int] | None = None
    returned_at: float = 0.0
    steps: tuple[SimulatedStep, ...] = ()
    faults: tuple[InjectedFaultWithSlaDueTime, ...] = field(default=())

    @property
    def total_price_cents(self) -> int:
        """The order value in cents."""
        return sum(line.item.price * line.quantity for line in self.lines)

    def erp_unit_price_cents(self, index: int) -> int:
        """The ERP's unit price of a line, in cents."""
        drift = dict([self.drift]) if self.drift else {}
        return self.lines[index].item.price + drift.get(index, 0)

    def shipment_invoice_cents(self, shipment: SimulatedShipment) -> int:
        """The invoice amount of a shipment, in cents."""
        return sum(
            self.erp_unit_price_cents(index) * q for index, q in enumerate(shipment.quantities)
        )


def to_datetime(at: float) -> datetime:
    """The timestamp as an aware UTC datetime."""
    return datetime.fromtimestamp(at, UTC)


def format_rfc3339(at: float) -> str:
    """`2026-03-04T05:06:07Z`."""
    return to_datetime(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_cents(cents: int) -> str:
    """`12.50`."""
    return f"{cents // 100}.{cents % 100:02}"
