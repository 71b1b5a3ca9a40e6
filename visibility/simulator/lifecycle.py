"""The life of an order from entry to payment, including problems added on purpose."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from random import Random

from visibility.simulator import document_numbers
from visibility.simulator.master_data import NORTH
from visibility.simulator.simulated_order import (
    CarrierScan,
    InjectedFaultWithSlaDueTime,
    SalesChannel,
    SimulatedOrder,
    SimulatedPackage,
    SimulatedShipment,
    to_datetime,
)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
STUCK_AFTER = 4 * HOUR
NO_SCAN_AFTER = 24 * HOUR
SUNDAY = 6


def random_ship_time(random: Random, order: SimulatedOrder, start: float) -> float:
    """When the warehouse ships an order that it starts at `start`: always within four hours."""
    if order.warehouse == NORTH:
        return start + random.uniform(60, 205) * MINUTE
    return start + random.uniform(35, 205) * MINUTE


def create_shipment(
    random: Random, order: SimulatedOrder, at: float, quantities: tuple[int, ...], *, scanned: str
) -> SimulatedShipment:
    """The next shipment of the order, with packages, scans and invoice time.

    `scanned` is `normal`, `late` (first scan after a day), `never` (label only) or
    `delayed` (delivered after the promise date).
    """
    index = len(order.shipments)
    count = 2 if sum(1 for q in quantities if q) > 1 and random.random() < 0.07 else 1
    serial = (order.n * 2 + index) * 2
    packages = tuple(
        SimulatedPackage(
            document_numbers.tracking_number(order.carrier.name, serial + p),
            document_numbers.sscc(serial + p),
        )
        for p in range(count)
    )
    return SimulatedShipment(
        index,
        round(at, 3),
        quantities,
        packages,
        _generate_carrier_scans(random, order, at, scanned),
        at + random.uniform(0.1, 24) * HOUR,
    )


def _generate_carrier_scans(
    random: Random, order: SimulatedOrder, at: float, scanned: str
) -> tuple[CarrierScan, ...]:
    label = CarrierScan(at - random.uniform(1, 4) * MINUTE, "label")
    if scanned == "never":
        return (label,)
    first = at + random.uniform(1, 6) * HOUR
    if scanned == "late":
        first = at + NO_SCAN_AFTER + random.uniform(1, 20) * HOUR
    transit = first + random.uniform(6, 14) * HOUR
    scans = [label, CarrierScan(first, "picked_up"), CarrierScan(transit, "in_transit")]
    delivered = _next_delivery_time(
        random, max(at + random.uniform(1.2, 3.6) * DAY, transit + 8 * HOUR)
    )
    if scanned == "delayed":
        promise = datetime.combine(order.promised, time(), UTC).timestamp()
        delivered = _next_delivery_time(random, promise + random.uniform(1, 3) * DAY)
        scans.append(CarrierScan(transit + random.uniform(8, 20) * HOUR, "delayed"))
        delivered = max(delivered, scans[-1].at + 12 * HOUR)
    scans.append(CarrierScan(delivered - random.uniform(2, 6) * HOUR, "out_for_delivery"))
    scans.append(CarrierScan(delivered, "delivered"))
    return tuple(scans)


def _next_delivery_time(random: Random, at: float) -> float:
    """The next time between 14:00 and 23:00 UTC (daytime in the US) that is not a Sunday."""
    result = at - at % DAY + random.uniform(14, 23) * HOUR
    if result < at:
        result += DAY
    return result + DAY if to_datetime(result).weekday() == SUNDAY else result


def add_shipments_or_cancellation(
    random: Random, order: SimulatedOrder, *, stuck: bool, unscanned: bool, at: float | None = None
) -> SimulatedOrder:
    """Return the order with its shipments, cancellation and returns.

    `at` is when a stuck order ships; by default a random time.
    """
    full = tuple(line.quantity for line in order.lines)
    if stuck:
        return _ship_late_or_cancel(random, order, full, at)
    if unscanned:
        return _ship_scanned_late_or_never(random, order, full)
    draw = random.random()
    if draw < 0.02:
        return _cancel_order(random, order)
    scanned = "delayed" if random.random() < 0.05 else "normal"
    first = random_ship_time(random, order, order.released_at)
    if draw < 0.10 and sum(full) > 1:
        return _ship_short(random, order, first, scanned)
    order = replace(
        order, shipments=(create_shipment(random, order, first, full, scanned=scanned),)
    )
    if 0.10 <= draw < 0.12:
        index = random.randrange(len(full))
        returned_at = order.shipments[0].scans[-1].at + random.uniform(3, 12) * DAY
        returned = (index, random.randint(1, full[index]))
        return replace(order, returned=returned, returned_at=round(returned_at, 3))
    return order


def _ship_scanned_late_or_never(
    random: Random, order: SimulatedOrder, full: tuple[int, ...]
) -> SimulatedOrder:
    """Labeled and confirmed, but the carrier scans it a day late or never."""
    at = random_ship_time(random, order, order.released_at)
    shipment = create_shipment(
        random, order, at, full, scanned=random.choice(("late", "late", "never"))
    )
    ends = shipment.scans[1].at if len(shipment.scans) > 1 else None
    about = " ".join(package.tracking for package in shipment.packages)
    due = int(shipment.at) + NO_SCAN_AFTER
    fault = InjectedFaultWithSlaDueTime("no_scan", shipment.at, due, ends, about)
    return replace(order, shipments=(shipment,), faults=(fault,))


def _cancel_order(random: Random, order: SimulatedOrder) -> SimulatedOrder:
    """Canceled before or soon after the release; inside sales orders only after it."""
    start = order.released_at + random.uniform(2, 45) * MINUTE
    if order.channel is not SalesChannel.INSIDE and random.random() < 0.3:
        start = order.entered_at + (order.released_at - order.entered_at) * random.uniform(0.2, 0.9)
    return replace(order, cancelled_at=round(start, 3))


def _ship_late_or_cancel(
    random: Random, order: SimulatedOrder, full: tuple[int, ...], at: float | None
) -> SimulatedOrder:
    """Shipped after 5 to 30 hours, or canceled after two or three days."""
    due = order.released_at + STUCK_AFTER
    if at is None and random.random() < 0.25:
        end = round(order.released_at + random.uniform(48, 72) * HOUR, 3)
        order = replace(order, cancelled_at=end)
    else:
        end = at or order.released_at + random.uniform(5, 30) * HOUR
        order = replace(
            order, shipments=(create_shipment(random, order, end, full, scanned="normal"),)
        )
        end = order.shipments[0].at
    return replace(
        order, faults=(InjectedFaultWithSlaDueTime("stuck_order", order.released_at, due, end),)
    )


def _ship_short(random: Random, order: SimulatedOrder, at: float, scanned: str) -> SimulatedOrder:
    """One line ships short; the remainder ships one to three days later or is canceled."""
    ordered = [line.quantity for line in order.lines]
    index = max(range(len(ordered)), key=lambda i: (ordered[i] > 1, random.random()))
    available = 0 if ordered[index] == 1 else random.randint(0, ordered[index] - 1)
    if len(ordered) == 1:
        available = max(available, 1)
    quantities = tuple(available if i == index else q for i, q in enumerate(ordered))
    order = replace(
        order, shipments=(create_shipment(random, order, at, quantities, scanned=scanned),)
    )
    if random.random() < 0.4:
        return replace(order, dropped=(index, ordered[index] - available))
    remainder = tuple(ordered[index] - available if i == index else 0 for i in range(len(ordered)))
    later = at + random.uniform(1, 3) * DAY
    second = create_shipment(random, order, later, remainder, scanned="normal")
    promised = order.promised + timedelta(days=3)
    return replace(order, shipments=(*order.shipments, second), repromised=promised)


def omit_second_erp_shipment(order: SimulatedOrder) -> SimulatedOrder:
    """The ERP never posts the second shipment and keeps its quantity open."""
    second = order.shipments[1]
    fault = InjectedFaultWithSlaDueTime("erp_blind", second.at, detail="shipped")
    return replace(order, blind_from=1, faults=(*order.faults, fault))


def add_erp_price_difference(random: Random, order: SimulatedOrder) -> SimulatedOrder:
    """The ERP has a different price for one line than the customer was shown."""
    index = random.randrange(len(order.lines))
    cents = max(round(order.lines[index].item.price * random.uniform(0.05, 0.2)), 1)
    fault = InjectedFaultWithSlaDueTime("price_drift", order.entered_at, detail="price")
    return replace(order, drift=(index, cents), faults=(*order.faults, fault))
