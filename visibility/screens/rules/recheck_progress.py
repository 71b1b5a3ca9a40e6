"""How many orders are checked against the newest version of a rule."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from visibility.formatting import count_with_noun, format_number
from visibility.models import RuleRecheck, SlaRule
from visibility.models.rules_clocks_and_calendars import rule_definition_fingerprint
from visibility.sla.load_enabled_rules import rule_kind_codes_not_about_orders


class RecheckState(StrEnum):
    """`waiting` until the worker notices the change."""

    WAITING = "waiting"
    OPEN_ORDERS = "open_orders"
    CLOSED_ORDERS = "closed_orders"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class OrderProgress:
    """Checked orders, and how many there are."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class RecheckProgress:
    """The progress of one rule about orders. Open orders are checked first."""

    state: RecheckState
    open_orders: OrderProgress
    closed_orders: OrderProgress
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def shown_orders(self) -> OrderProgress:
        """The orders that are being checked."""
        is_open = self.state in {RecheckState.WAITING, RecheckState.OPEN_ORDERS}
        return self.open_orders if is_open else self.closed_orders

    @property
    def sentence(self) -> str:
        """The progress in words."""
        open_orders = count_with_noun(self.open_orders.total, "open order")
        closed_orders = count_with_noun(self.closed_orders.total, "closed order")
        if self.state is RecheckState.WAITING:
            return "The orders have not been checked against this version yet."
        if self.state is RecheckState.OPEN_ORDERS:
            done = format_number(self.open_orders.done)
            return f"{done} of {open_orders} checked against this version."
        if self.state is RecheckState.CLOSED_ORDERS:
            done = format_number(self.closed_orders.done)
            return (
                f"All of {open_orders} checked against this version, and {done} of {closed_orders}."
            )
        return f"All orders checked against this version: {open_orders}, {closed_orders}."


def load_recheck_progress(rules: Iterable[SlaRule]) -> dict[int, RecheckProgress]:
    """Return the progress of the rules about orders, by rule id. One statement."""
    not_about_orders = rule_kind_codes_not_about_orders()
    about_orders = {rule.pk: rule for rule in rules if rule.kind not in not_about_orders}
    rechecks = RuleRecheck.objects.in_bulk(about_orders)
    return {
        rule_id: _progress_of_rule(rule, rechecks.get(rule_id))
        for rule_id, rule in about_orders.items()
    }


def _progress_of_rule(rule: SlaRule, recheck: RuleRecheck | None) -> RecheckProgress:
    if recheck is None or recheck.fingerprint != rule_definition_fingerprint(rule):
        nothing = OrderProgress(0, 0)
        return RecheckProgress(RecheckState.WAITING, nothing, nothing, None, None)
    if recheck.finished_at:
        state = RecheckState.DONE
    elif recheck.open_orders_checked_at:
        state = RecheckState.CLOSED_ORDERS
    else:
        state = RecheckState.OPEN_ORDERS
    return RecheckProgress(
        state,
        _order_progress(recheck.open_done, recheck.open_total),
        _order_progress(recheck.closed_done, recheck.closed_total),
        recheck.started_at,
        recheck.finished_at,
    )


def _order_progress(done: int, total: int) -> OrderProgress:
    """Return the progress; orders that arrive during the check may be counted, too."""
    return OrderProgress(done, max(done, total))
