"""Compare two folds of the affected orders: the differences of each order, and sums over all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from connectors.sdk.event_codec import format_decimal
from visibility.kpi.kpi import KpiFamily, KpiMeasurement, KpiUnit
from visibility.kpi.registry import kpi_registry
from visibility.release_checks.fold_both_ways import BothFolds, FoldedOrder
from visibility.release_checks.order_differences import (
    DifferenceChange,
    DifferenceKind,
    OrderDifference,
    differences_of_orders,
)

# So many numbers of other orders are named in a sentence.
MAX_NAMED = 3
NO_ORDER = FoldedOrder({}, "", {}, frozenset())


@dataclass(frozen=True, slots=True)
class ComparedOrder:
    """An order that differs. `object_id` is None if it would be new."""

    object_id: int | None
    number: str
    identity: str
    differences: Sequence[OrderDifference]
    message_ids: Sequence[int]

    @property
    def tags(self) -> list[str]:
        """By what it is counted and selected."""
        tags = {tag for difference in self.differences for tag in difference.tags}
        return sorted(tags | ({DifferenceKind.IDENTITY.value} if self.identity else set()))


@dataclass(slots=True)
class KpiSum:
    """How orders count in a KPI: facts that count, excluded ones, numerator and denominator."""

    counted: int = 0
    excluded: int = 0
    numerator: Decimal = field(default_factory=Decimal)
    denominator: Decimal = field(default_factory=Decimal)

    def add(self, measured: KpiMeasurement) -> None:
        """Add one fact."""
        if measured.excluded:
            self.excluded += 1
            return
        self.counted += 1
        self.numerator += measured.numerator or 0
        self.denominator += measured.denominator or 0

    def value(self, *, has_value: bool) -> str:
        """Numerator / denominator, or "" without one."""
        if not has_value or not self.denominator:
            return ""
        return format_decimal(round(self.numerator / self.denominator, 6))

    def to_json(self, *, has_value: bool) -> dict[str, object]:
        """Its values."""
        return {
            "counted": self.counted,
            "excluded": self.excluded,
            "numerator": format_decimal(self.numerator),
            "denominator": format_decimal(self.denominator),
            "value": self.value(has_value=has_value),
        }


def compare_folds(folds: BothFolds) -> Iterator[ComparedOrder]:
    """Yield the orders that differ: present ones by id, then those that would be new."""
    sentences = _IdentitySentences(folds)
    for object_id in sorted({*folds.before, *folds.after}):
        old, new = folds.before.get(object_id, NO_ORDER), folds.after.get(object_id, NO_ORDER)
        differences = [
            *differences_of_orders(old.values, new.values),
            *_kpi_differences(old, new),
        ]
        identity = sentences.of_order(object_id)
        if differences or identity:
            yield ComparedOrder(
                object_id if object_id in folds.before else None,
                old.number or new.number,
                identity,
                differences,
                sorted(old.message_ids | new.message_ids),
            )


def summarize_kpis(folds: BothFolds) -> list[dict[str, object]]:
    """Each KPI over the affected orders, before and after; those without any fact are left out."""
    rows: list[dict[str, object]] = []
    for code, kpi in kpi_registry().items():
        before, after = (
            _sum_of(order.measurements.get(code, ()) for order in orders.values())
            for orders in (folds.before, folds.after)
        )
        if before.counted or before.excluded or after.counted or after.excluded:
            has_value = kpi.family is not KpiFamily.STOCK
            rows.append(
                {
                    "code": code,
                    "title": kpi.title,
                    "is_percent": kpi.unit is KpiUnit.PERCENT,
                    "before": before.to_json(has_value=has_value),
                    "after": after.to_json(has_value=has_value),
                }
            )
    return rows


def count_tags(orders: Iterable[ComparedOrder]) -> dict[str, int]:
    """How many orders have each tag."""
    return dict(sorted(Counter(tag for order in orders for tag in order.tags).items()))


def _sum_of(groups: Iterable[Sequence[KpiMeasurement]]) -> KpiSum:
    total = KpiSum()
    for measurements in groups:
        for measured in measurements:
            total.add(measured)
    return total


def _kpi_differences(old: FoldedOrder, new: FoldedOrder) -> Iterator[OrderDifference]:
    for code in dict.fromkeys((*old.measurements, *new.measurements)):
        before, after = (_fact_texts(order.measurements.get(code, ())) for order in (old, new))
        if before != after:
            change = (
                DifferenceChange.ADDED
                if not before
                else DifferenceChange.REMOVED
                if not after
                else DifferenceChange.CHANGED
            )
            texts = "; ".join(before), "; ".join(after)
            yield OrderDifference(DifferenceKind.KPI, code, "", change, *texts)


def _fact_texts(measurements: Sequence[KpiMeasurement]) -> list[str]:
    return sorted(_fact_text(measured) for measured in measurements)


def _fact_text(measured: KpiMeasurement) -> str:
    day = measured.day.isoformat()
    if measured.excluded:
        return f"{day} excluded: {measured.excluded}"
    top, bottom = (
        "-" if number is None else format_decimal(number)
        for number in (measured.numerator, measured.denominator)
    )
    return f"{day} {top}/{bottom}"


class _IdentitySentences:
    """What becomes of the numbers of an order, in one sentence; "" if nothing."""

    def __init__(self, folds: BothFolds) -> None:
        self._folds = folds
        self._before_by_message = _orders_by_message(folds.before)
        self._after_by_message = _orders_by_message(folds.after)

    def of_order(self, object_id: int) -> str:
        folds = self._folds
        old, new = folds.before.get(object_id), folds.after.get(object_id)
        if old is None and new is not None:
            others = self._others(object_id, new, self._before_by_message, folds.before)
            return f"It would be a new order{_clause(', with messages of', others)}."
        if old is not None and new is None:
            into = folds.after.get(folds.merged_into.get(object_id, 0))
            if into is not None:
                return f"It would become one order with {into.number}."
            others = self._others(object_id, old, self._after_by_message, folds.after)
            clause = _clause(": its messages would be on", others)
            return f"No message would name {old.number} any more{clause}."
        assert old is not None
        assert new is not None
        if old.number != new.number:
            return (
                f"Its number would change from {old.number} to {new.number}. Messages of other "
                f"sources that name {old.number} would no longer lead to it."
            )
        others = self._others(object_id, old, self._after_by_message, folds.after)
        if others - self._others(object_id, old, self._before_by_message, folds.before):
            return f"Some of its messages would be on{_clause('', others)}."
        return ""

    @staticmethod
    def _others(
        object_id: int,
        order: FoldedOrder,
        by_message: Mapping[int, set[int]],
        orders: Mapping[int, FoldedOrder],
    ) -> set[str]:
        ids = {o for message in order.message_ids for o in by_message.get(message, ())}
        return {orders[o].number for o in ids - {object_id}}


def _orders_by_message(orders: Mapping[int, FoldedOrder]) -> dict[int, set[int]]:
    result: dict[int, set[int]] = {}
    for object_id, order in orders.items():
        for message_id in order.message_ids:
            result.setdefault(message_id, set()).add(object_id)
    return result


def _clause(start: str, numbers: Iterable[str]) -> str:
    ordered = sorted(numbers)
    if not ordered:
        return ""
    more = f" and {len(ordered) - MAX_NAMED} more" if len(ordered) > MAX_NAMED else ""
    return f"{start} {', '.join(ordered[:MAX_NAMED])}{more}"
