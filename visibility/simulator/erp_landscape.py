"""Which ERP reports which steps: one ERP alone, or an old one until a cut-over and then a new one.

At a cut-over, an order with a shipment is finished in the old ERP. One without is migrated: the old
ERP reports nothing more about it, and the new one reports it from the cut-over on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from visibility.simulator.simulated_order import SimulatedOrder, SimulatedStep, StepKind

CUT_OVER_DAYS = 14
MAX_STEPS = 256  # upper bound of steps per order
# The step index of the row that the migration creates in the new ERP.
MIGRATION_INDEX = MAX_STEPS - 1
ORDER_STATES = frozenset({StepKind.ERP_DRAFT, StepKind.ERP_REVIEW, StepKind.ERP_OPEN})
# A row of an ERP: time, order, index of the step, kind.
ErpRow = tuple[float, int, int, StepKind]


class ErpSystem(StrEnum):
    """A simulated ERP, by the slug of its connector."""

    BUSINESS_CENTRAL = "business_central"
    TRYTON = "tryton"


class ErpChoice(StrEnum):
    """The ERPs of the simulated distributor."""

    BUSINESS_CENTRAL = "business_central"
    TRYTON = "tryton"
    BOTH = "both"


# The source of each ERP; the new one has a source of its own only beside the old one.
OLD_SOURCE, NEW_SOURCE = "erp", "new_erp"


@dataclass(frozen=True)
class ErpLandscape:
    """The ERPs, and with both when the new one replaces the old one (seconds since 1970)."""

    choice: ErpChoice = ErpChoice.BUSINESS_CENTRAL
    cut_over_at: float = 0.0

    @property
    def system_by_source(self) -> dict[str, ErpSystem]:
        """The ERP behind each source."""
        if self.choice is ErpChoice.BOTH:
            return {OLD_SOURCE: ErpSystem.BUSINESS_CENTRAL, NEW_SOURCE: ErpSystem.TRYTON}
        return {OLD_SOURCE: ErpSystem(self.choice)}

    def reporting_source(self, order: SimulatedOrder, step: SimulatedStep) -> str:
        """The source that reports this step of the ERP."""
        if self.choice is not ErpChoice.BOTH or step.at < self.cut_over_at:
            return OLD_SOURCE
        is_new = order.entered_at >= self.cut_over_at
        return NEW_SOURCE if is_new or self.is_migrated(order) else OLD_SOURCE

    def is_migrated(self, order: SimulatedOrder) -> bool:
        """Whether the order is open in the old ERP at the cut-over and goes on in the new one."""
        return (
            self.choice is ErpChoice.BOTH
            and order.entered_at < self.cut_over_at
            and (order.cancelled_at is None or order.cancelled_at >= self.cut_over_at)
            and not any(shipment.at < self.cut_over_at for shipment in order.shipments)
        )

    def rows_by_source(
        self, rows: Iterable[ErpRow], orders: Iterable[SimulatedOrder]
    ) -> dict[str, list[ErpRow]]:
        """Distribute the rows, and add those that the migration creates in the new ERP.

        `orders`: those that the rows are about, each once and in the order of the rows.
        """
        result: dict[str, list[ErpRow]] = {source: [] for source in self.system_by_source}
        if self.choice is not ErpChoice.BOTH:
            result[OLD_SOURCE] += rows
            return result
        by_order: dict[int, list[ErpRow]] = {}
        for row in rows:
            by_order.setdefault(row[1], []).append(row)
        for order in orders:
            for row in by_order.get(order.n, ()):
                result[self.reporting_source(order, order.steps[row[2]])].append(row)
            result[NEW_SOURCE] += self._migration_rows(order)
        return result

    def _migration_rows(self, order: SimulatedOrder) -> Iterator[ErpRow]:
        if self.is_migrated(order):
            state = state_at(order, self.cut_over_at)
            yield self.cut_over_at, order.n, MIGRATION_INDEX, state.kind

    def step_of_row(self, order: SimulatedOrder, index: int) -> SimulatedStep:
        """The step that a row is about; that of a migration is the state at the cut-over."""
        if index != MIGRATION_INDEX:
            return order.steps[index]
        state = state_at(order, self.cut_over_at)
        return state._replace(at=self.cut_over_at, send_at=self.cut_over_at)

    def starts_at(self, order: SimulatedOrder) -> float:
        """Since when the ERP that finishes the order has it."""
        return self.cut_over_at if self.is_migrated(order) else 0.0


def state_at(order: SimulatedOrder, at: float) -> SimulatedStep:
    """The last step by then that changed the state of the order in the ERP."""
    return max(
        (s for s in order.steps if s.kind in ORDER_STATES and s.at <= at), key=lambda s: s.at
    )
