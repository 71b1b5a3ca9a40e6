"""A cancellation of the whole order after a part of it was shipped cancels what was not shipped."""

from connectors.sdk.events import EventType, Measure
from visibility.timeline.active_cancellations_and_cause import is_seller_cancellation
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.model import RecordedEvent
from visibility.timeline.quantity_claims import ZERO, QuantityClaims


def record_open_quantities_as_cancelled(
    ledger: QuantityLedger, recorded: RecordedEvent
) -> set[tuple[str, Measure]]:
    """Record the open quantities as cancelled. Return the (line, measure) pairs that changed.

    Nothing is recorded if the event has cancelled quantities of its own, if nothing or everything
    was shipped before, or if the shipped quantities are unknown.
    """
    event, at = recorded.event, recorded.occurred_at
    if (
        event.type is not EventType.ORDER_CANCELLED
        or recorded.order_index < 0
        or any(Measure.CANCELLED in line.quantities for line in event.lines)
    ):
        return set()
    progress = ledger.done_and_due_totals(Measure.SHIPPED, at)
    if progress is None or not 0 < progress[0] < progress[1]:
        return set()
    by_seller = is_seller_cancellation(recorded)
    changed = set()
    for key in ledger.keys_of_countable_goods_lines():
        ordered = ledger.authoritative_quantity(key, Measure.ORDERED)
        if ordered is None:
            continue
        balance = max(
            ordered - (ledger.reached_with_substitutes(key, Measure.SHIPPED, at) or ZERO),
            ZERO,
        )
        goods = ledger.interpretation.items[key]
        columns = [ledger.columns[Measure.CANCELLED]]
        columns += [ledger.seller_cancelled] if by_seller else []
        for column in columns:
            cell = column.setdefault(key, QuantityClaims())
            cell.set_source_total_until_reported(
                recorded, balance, unit=goods.unit, scale=goods.scale
            )
        changed.add((key, Measure.CANCELLED))
    ledger.balance_cancellations.add((recorded.source, event.key))
    ledger.clear_caches()
    return changed
