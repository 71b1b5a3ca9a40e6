"""The steps of one order: everything that the systems report about it."""

from random import Random

from visibility.simulator.lifecycle import DAY, MINUTE, STUCK_AFTER
from visibility.simulator.master_data import NORTH
from visibility.simulator.simulated_order import (
    SalesChannel,
    SimulatedOrder,
    SimulatedShipment,
    SimulatedStep,
    StepKind,
)


def build_all_reported_steps(random: Random, order: SimulatedOrder) -> list[SimulatedStep]:
    """Everything that the systems report about the order, by time."""
    result = [
        _build_step_from_time_and_kind(order.entered_at, StepKind.ERP_DRAFT),
        *_shop_or_edi_order_entry_steps(random, order),
    ]
    cancelled_at = order.cancelled_at
    if cancelled_at is None or order.released_at < cancelled_at:
        result += _release_steps(random, order)
    for shipment in order.shipments:
        result += _shipment_steps(random, order, shipment)
    if cancelled_at is not None:
        result = [step for step in result if step.at < cancelled_at] + _cancellation_steps(
            random, order, cancelled_at
        )
    if order.returned:
        result += _return_steps(random, order)
    return sorted(result)


def _build_step_from_time_and_kind(
    at: float, kind: StepKind, shipment: int = 0, item: int = 0
) -> SimulatedStep:
    at = round(at, 3)
    return SimulatedStep(at, at, kind, shipment, item)


def _shop_or_edi_order_entry_steps(random: Random, order: SimulatedOrder) -> list[SimulatedStep]:
    if order.channel is SalesChannel.WEB:
        return [_build_step_from_time_and_kind(order.created_at, StepKind.SHOP_CREATED)]
    if order.channel is SalesChannel.EDI:
        answer = order.entered_at + random.uniform(1, 12) * MINUTE
        return [
            _build_step_from_time_and_kind(order.created_at, StepKind.EDI_ORDER),
            _build_step_from_time_and_kind(answer, StepKind.EDI_ACKNOWLEDGMENT),
        ]
    return []


def _release_steps(random: Random, order: SimulatedOrder) -> list[SimulatedStep]:
    result = [_build_step_from_time_and_kind(order.released_at, StepKind.ERP_OPEN)]
    if order.credit_hold_at is not None:
        result.append(_build_step_from_time_and_kind(order.credit_hold_at, StepKind.ERP_REVIEW))
    if order.warehouse == NORTH:
        result.append(
            _build_step_from_time_and_kind(
                order.released_at + random.uniform(5, 40), StepKind.NORTH_ORDER
            )
        )
    return result


def _shipment_steps(
    random: Random, order: SimulatedOrder, shipment: SimulatedShipment
) -> list[SimulatedStep]:
    s, at = shipment.index, shipment.at
    start = order.released_at
    if s:
        start = at - random.uniform(60, 200) * MINUTE
    elif at - start > STUCK_AFTER:
        start = max(start + STUCK_AFTER + 20, at - random.uniform(60, 200) * MINUTE)
    result: list[SimulatedStep] = []
    if order.warehouse == NORTH:
        result.append(_build_step_from_time_and_kind(at, StepKind.NORTH_SHIPPED, s))
    else:
        allocated = start + (at - start) * random.uniform(0.04, 0.12)
        packed = at - (at - start) * random.uniform(0.08, 0.3)
        picked = packed - (packed - allocated) * random.uniform(0.1, 0.4)
        result += [
            _build_step_from_time_and_kind(allocated, StepKind.WMS_ALLOCATED, s),
            _build_step_from_time_and_kind(picked, StepKind.WMS_PICKED, s),
            _build_step_from_time_and_kind(packed, StepKind.WMS_PACKED, s),
            _build_step_from_time_and_kind(at, StepKind.WMS_SHIPPED, s),
        ]
    posted = at + random.uniform(2, 9) * MINUTE
    if order.blind_from is None or s < order.blind_from:
        result += [
            _build_step_from_time_and_kind(posted, StepKind.ERP_SHIPPED, s),
            _build_step_from_time_and_kind(posted + 0.2, StepKind.ERP_SHIPMENT, s),
        ]
    if order.channel is SalesChannel.WEB:
        result.append(
            _build_step_from_time_and_kind(
                posted + random.uniform(20, 90), StepKind.SHOP_FULFILLED, s
            )
        )
        if order.dropped:
            result.append(
                _build_step_from_time_and_kind(
                    posted + random.uniform(100, 400), StepKind.SHOP_EDITED, s
                )
            )
    if order.channel is SalesChannel.EDI:
        result.append(
            _build_step_from_time_and_kind(
                posted + random.uniform(2, 12) * MINUTE, StepKind.EDI_NOTICE, s
            )
        )
    for p in range(len(shipment.packages)):
        for index, scan in enumerate(shipment.scans):
            step = _build_step_from_time_and_kind(scan.at, StepKind.CARRIER_SCAN, s, p * 8 + index)
            send_at = step.at + (random.uniform(2, 60) if index else 0)
            result.append(step._replace(send_at=send_at))
    return result + _invoice_and_payment_steps(random, order, shipment)


def _invoice_and_payment_steps(
    random: Random, order: SimulatedOrder, shipment: SimulatedShipment
) -> list[SimulatedStep]:
    s, at = shipment.index, max(shipment.invoiced_at, shipment.at + 15 * MINUTE)
    result = [
        _build_step_from_time_and_kind(at, StepKind.ERP_INVOICE, s),
        _build_step_from_time_and_kind(at + 0.3, StepKind.ERP_INVOICED, s),
        _build_step_from_time_and_kind(at + random.uniform(30, 400), StepKind.INVOICED, s),
        _build_step_from_time_and_kind(at + random.uniform(26, 32) * DAY, StepKind.PAID, s),
    ]
    if order.channel is SalesChannel.EDI:
        result.append(
            _build_step_from_time_and_kind(
                at + random.uniform(5, 30) * MINUTE, StepKind.EDI_INVOICE, s
            )
        )
    return result


def _cancellation_steps(random: Random, order: SimulatedOrder, at: float) -> list[SimulatedStep]:
    result = []
    if order.channel is SalesChannel.WEB:
        result.append(_build_step_from_time_and_kind(at, StepKind.SHOP_CANCELLED))
    if order.channel is SalesChannel.EDI:
        result.append(_build_step_from_time_and_kind(at, StepKind.EDI_CANCEL))
    if order.released_at < at:
        kind = StepKind.NORTH_CANCEL if order.warehouse == NORTH else StepKind.WMS_CANCELLED
        after = 0.0 if order.channel is SalesChannel.INSIDE else random.uniform(30, 180)
        result.append(_build_step_from_time_and_kind(at + after, kind))
    return result


def _return_steps(random: Random, order: SimulatedOrder) -> list[SimulatedStep]:
    returned_at = order.returned_at
    result = [
        _build_step_from_time_and_kind(
            returned_at + random.uniform(20, 200) * MINUTE, StepKind.CREDITED
        )
    ]
    if order.warehouse != NORTH:
        result.append(_build_step_from_time_and_kind(returned_at, StepKind.WMS_RETURN))
    if order.channel is SalesChannel.WEB:
        result.append(
            _build_step_from_time_and_kind(
                returned_at + random.uniform(5, 15) * MINUTE, StepKind.SHOP_REFUNDED
            )
        )
    return result
