"""How an order goes: from the first word to the payment, with what goes wrong on purpose."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from random import Random

from visibility.simulator import document_numbers
from visibility.simulator.catalog import NORTH
from visibility.simulator.model import (
    Channel,
    Fault,
    Kind,
    Order,
    Package,
    Scan,
    Shipment,
    Step,
    when,
)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
STUCK_AFTER = 4 * HOUR
NO_SCAN_AFTER = 24 * HOUR
SUNDAY = 6


def shipped_at(random: Random, order: Order, start: float) -> float:
    """When the warehouse is done; always within the four hours it has."""
    if order.warehouse == NORTH:
        return start + random.uniform(60, 205) * MINUTE
    return start + random.uniform(35, 205) * MINUTE


def ship(
    random: Random, order: Order, at: float, quantities: tuple[int, ...], *, scanned: str
) -> Shipment:
    """A shipment with its parcels, scans and invoice; `scanned`: well, late, missing, tardy."""
    index = len(order.shipments)
    count = 2 if sum(1 for q in quantities if q) > 1 and random.random() < 0.07 else 1
    serial = (order.n * 2 + index) * 2
    packages = tuple(
        Package(
            document_numbers.tracking(order.carrier.name, serial + p),
            document_numbers.sscc(serial + p),
        )
        for p in range(count)
    )
    return Shipment(
        index,
        round(at, 3),
        quantities,
        packages,
        _scans(random, order, at, scanned),
        at + random.uniform(0.1, 24) * HOUR,
    )


def _scans(random: Random, order: Order, at: float, scanned: str) -> tuple[Scan, ...]:
    label = Scan(at - random.uniform(1, 4) * MINUTE, "label")
    if scanned == "never":
        return (label,)
    first = at + random.uniform(1, 6) * HOUR
    if scanned == "late":
        first = at + NO_SCAN_AFTER + random.uniform(1, 20) * HOUR
    transit = first + random.uniform(6, 14) * HOUR
    scans = [label, Scan(first, "picked_up"), Scan(transit, "in_transit")]
    delivered = _daytime(random, max(at + random.uniform(1.2, 3.6) * DAY, transit + 8 * HOUR))
    if scanned == "tardy":
        promise = datetime.combine(order.promised, time(), UTC).timestamp()
        delivered = _daytime(random, promise + random.uniform(1, 3) * DAY)
        scans.append(Scan(transit + random.uniform(8, 20) * HOUR, "delayed"))
        delivered = max(delivered, scans[-1].at + 12 * HOUR)
    scans.append(Scan(delivered - random.uniform(2, 6) * HOUR, "out_for_delivery"))
    scans.append(Scan(delivered, "delivered"))
    return tuple(scans)


def _daytime(random: Random, at: float) -> float:
    """Then, or soon after, between 14:00 and 23:00 UTC (an American day), never on a Sunday."""
    found = at - at % DAY + random.uniform(14, 23) * HOUR
    if found < at:
        found += DAY
    return found + DAY if when(found).weekday() == SUNDAY else found


def steps(random: Random, order: Order) -> list[Step]:
    """What every system says of the order, in the order of time."""
    told = [_at(order.entered_at, Kind.ERP_DRAFT), *_opening(random, order)]
    cut = order.cancelled_at
    if cut is None or order.released_at < cut:
        told += _release(random, order)
    for shipment in order.shipments:
        told += _shipment(random, order, shipment)
    if cut is not None:
        told = [step for step in told if step.at < cut] + _cancellation(random, order, cut)
    if order.returned:
        told += _return(random, order)
    return sorted(told)


def _at(at: float, kind: Kind, shipment: int = 0, item: int = 0) -> Step:
    at = round(at, 3)
    return Step(at, at, kind, shipment, item)


def _opening(random: Random, order: Order) -> list[Step]:
    if order.channel is Channel.WEB:
        return [_at(order.created_at, Kind.SHOP_CREATED)]
    if order.channel is Channel.EDI:
        answer = order.entered_at + random.uniform(1, 12) * MINUTE
        return [_at(order.created_at, Kind.EDI_ORDER), _at(answer, Kind.EDI_ANSWER)]
    return []


def _release(random: Random, order: Order) -> list[Step]:
    told = [_at(order.released_at, Kind.ERP_OPEN)]
    if order.held_at is not None:
        told.append(_at(order.held_at, Kind.ERP_REVIEW))
    if order.warehouse == NORTH:
        told.append(_at(order.released_at + random.uniform(5, 40), Kind.NORTH_ORDER))
    return told


def _shipment(random: Random, order: Order, shipment: Shipment) -> list[Step]:
    s, at = shipment.index, shipment.at
    start = order.released_at
    if s:
        start = at - random.uniform(60, 200) * MINUTE
    elif at - start > STUCK_AFTER:
        start = max(start + STUCK_AFTER + 20, at - random.uniform(60, 200) * MINUTE)
    told: list[Step] = []
    if order.warehouse == NORTH:
        told.append(_at(at, Kind.NORTH_SHIPPED, s))
    else:
        allocated = start + (at - start) * random.uniform(0.04, 0.12)
        packed = at - (at - start) * random.uniform(0.08, 0.3)
        picked = packed - (packed - allocated) * random.uniform(0.1, 0.4)
        told += [
            _at(allocated, Kind.WMS_ALLOCATED, s),
            _at(picked, Kind.WMS_PICKED, s),
            _at(packed, Kind.WMS_PACKED, s),
            _at(at, Kind.WMS_SHIPPED, s),
        ]
    posted = at + random.uniform(2, 9) * MINUTE
    if order.blind_from is None or s < order.blind_from:
        told += [_at(posted, Kind.ERP_SHIPPED, s), _at(posted + 0.2, Kind.ERP_SHIPMENT, s)]
    if order.channel is Channel.WEB:
        told.append(_at(posted + random.uniform(20, 90), Kind.SHOP_FULFILLED, s))
        if order.dropped:
            told.append(_at(posted + random.uniform(100, 400), Kind.SHOP_EDITED, s))
    if order.channel is Channel.EDI:
        told.append(_at(posted + random.uniform(2, 12) * MINUTE, Kind.EDI_NOTICE, s))
    for p in range(len(shipment.packages)):
        for place, scan in enumerate(shipment.scans):
            step = _at(scan.at, Kind.TRACKED, s, p * 8 + place)
            heard = step.at + (random.uniform(2, 60) if place else 0)
            told.append(step._replace(send_at=heard))
    return told + _bill(random, order, shipment)


def _bill(random: Random, order: Order, shipment: Shipment) -> list[Step]:
    s, at = shipment.index, max(shipment.invoiced_at, shipment.at + 15 * MINUTE)
    told = [
        _at(at, Kind.ERP_INVOICE, s),
        _at(at + 0.3, Kind.ERP_INVOICED, s),
        _at(at + random.uniform(30, 400), Kind.INVOICED, s),
        _at(at + random.uniform(26, 32) * DAY, Kind.PAID, s),
    ]
    if order.channel is Channel.EDI:
        told.append(_at(at + random.uniform(5, 30) * MINUTE, Kind.EDI_INVOICE, s))
    return told


def _cancellation(random: Random, order: Order, at: float) -> list[Step]:
    told = []
    if order.channel is Channel.WEB:
        told.append(_at(at, Kind.SHOP_CANCELLED))
    if order.channel is Channel.EDI:
        told.append(_at(at, Kind.EDI_CANCEL))
    if order.released_at < at:
        kind = Kind.NORTH_CANCEL if order.warehouse == NORTH else Kind.WMS_CANCELLED
        after = 0.0 if order.channel is Channel.INSIDE else random.uniform(30, 180)
        told.append(_at(at + after, kind))
    return told


def _return(random: Random, order: Order) -> list[Step]:
    back = order.returned_at
    told = [_at(back + random.uniform(20, 200) * MINUTE, Kind.CREDITED)]
    if order.warehouse != NORTH:
        told.append(_at(back, Kind.WMS_RETURN))
    if order.channel is Channel.WEB:
        told.append(_at(back + random.uniform(5, 15) * MINUTE, Kind.SHOP_REFUNDED))
    return told


def fulfil(
    random: Random, order: Order, *, stuck: bool, unscanned: bool, at: float | None = None
) -> Order:
    """The order with its shipments, cancellation and returns; `at`: when a stuck one ships."""
    full = tuple(line.quantity for line in order.lines)
    if stuck:
        return _stuck(random, order, full, at)
    if unscanned:
        return _unscanned(random, order, full)
    fate = random.random()
    if fate < 0.02:
        return _cancelled(random, order)
    scanned = "tardy" if random.random() < 0.05 else "well"
    first = shipped_at(random, order, order.released_at)
    if fate < 0.10 and sum(full) > 1:
        return _short(random, order, first, scanned)
    order = replace(order, shipments=(ship(random, order, first, full, scanned=scanned),))
    if 0.10 <= fate < 0.12:
        place = random.randrange(len(full))
        back = order.shipments[0].scans[-1].at + random.uniform(3, 12) * DAY
        returned = (place, random.randint(1, full[place]))
        return replace(order, returned=returned, returned_at=round(back, 3))
    return order


def _unscanned(random: Random, order: Order, full: tuple[int, ...]) -> Order:
    """Labelled and confirmed, but the carrier sees it a day late, or never."""
    at = shipped_at(random, order, order.released_at)
    shipment = ship(random, order, at, full, scanned=random.choice(("late", "late", "never")))
    ends = shipment.scans[1].at if len(shipment.scans) > 1 else None
    about = " ".join(package.tracking for package in shipment.packages)
    due = int(shipment.at) + NO_SCAN_AFTER
    fault = Fault("no_scan", shipment.at, due, ends, about)
    return replace(order, shipments=(shipment,), faults=(fault,))


def _cancelled(random: Random, order: Order) -> Order:
    """Before the release, or soon after it; an order keyed by hand only after it."""
    start = order.released_at + random.uniform(2, 45) * MINUTE
    if order.channel is not Channel.INSIDE and random.random() < 0.3:
        start = order.entered_at + (order.released_at - order.entered_at) * random.uniform(0.2, 0.9)
    return replace(order, cancelled_at=round(start, 3))


def _stuck(random: Random, order: Order, full: tuple[int, ...], at: float | None) -> Order:
    """Late out of the door after 5 to 30 hours, or given up after two or three days."""
    due = order.released_at + STUCK_AFTER
    if at is None and random.random() < 0.25:
        end = round(order.released_at + random.uniform(48, 72) * HOUR, 3)
        order = replace(order, cancelled_at=end)
    else:
        end = at or order.released_at + random.uniform(5, 30) * HOUR
        order = replace(order, shipments=(ship(random, order, end, full, scanned="well"),))
        end = order.shipments[0].at
    return replace(order, faults=(Fault("stuck_order", order.released_at, due, end),))


def _short(random: Random, order: Order, at: float, scanned: str) -> Order:
    """One line falls short: the rest follows one to three days later, or is dropped."""
    wanted = [line.quantity for line in order.lines]
    place = max(range(len(wanted)), key=lambda i: (wanted[i] > 1, random.random()))
    keep = 0 if wanted[place] == 1 else random.randint(0, wanted[place] - 1)
    if len(wanted) == 1:
        keep = max(keep, 1)
    now = tuple(keep if i == place else q for i, q in enumerate(wanted))
    order = replace(order, shipments=(ship(random, order, at, now, scanned=scanned),))
    if random.random() < 0.4:
        return replace(order, dropped=(place, wanted[place] - keep))
    rest = tuple(wanted[place] - keep if i == place else 0 for i in range(len(wanted)))
    later = at + random.uniform(1, 3) * DAY
    second = ship(random, order, later, rest, scanned="well")
    promised = order.promised + timedelta(days=3)
    return replace(order, shipments=(*order.shipments, second), repromised=promised)


def blind(order: Order) -> Order:
    """The ERP never hears of the second shipment: it goes on showing the goods as owed."""
    second = order.shipments[1]
    fault = Fault("erp_blind", second.at, about="shipped")
    return replace(order, blind_from=1, faults=(*order.faults, fault))


def drift(random: Random, order: Order) -> Order:
    """Somebody typed another price into the ERP than the customer was shown."""
    place = random.randrange(len(order.lines))
    cents = max(round(order.lines[place].item.price * random.uniform(0.05, 0.2)), 1)
    fault = Fault("price_drift", order.entered_at, about="price")
    return replace(order, drift=(place, cents), faults=(*order.faults, fault))
