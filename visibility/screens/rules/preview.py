"""What a rule would alert on now and over the last 28 days, evaluated as the live rules are."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F, Q

from visibility.alerts.kpi_and_alert_rules import conditions_of_unsaved_rule
from visibility.alerts.source_snapshots import load_watched_sources
from visibility.formatting import count_with_noun, format_number
from visibility.kpi.load_kpi_snapshot import load_kpi_snapshot
from visibility.models import ACTIVE_ALERT_STATES, Alert, ClockState, Order, SlaRule
from visibility.sla.clocks_of_order import (
    met_breached_or_running_at,
    order_clocks_of_most_specific_rules,
)
from visibility.sla.load_enabled_rules import (
    LoadedRule,
    load_enabled_order_rules,
    load_enabled_source_rules,
    load_rule_or_failure,
    sort_by_precedence,
)
from visibility.sla.record_rule_errors_and_retry import RuleFailure
from visibility.sla.rule import OrderRule, SourceRule
from visibility.storage.order_folding import load_and_fold_orders

PERIOD = timedelta(days=28)
MAX_ORDERS = 2_000
MAX_SAMPLES = 10
ORDERS_AT_ONCE = 50
TIME_LIMIT_SECONDS = 3.0
NO_HISTORY = "What happened before is not evaluated for rules of this kind."
ClockKey = tuple[int, str]


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """An order that the rule would alert on: its id, number, and the subject of the alert."""

    order_id: int
    number: str
    subject: str
    due_at: datetime


@dataclass(slots=True)
class RulePreview:
    """The effect of a rule.

    `breaches`: missed deadlines of the last `days` days, those that are still open among them.
    `closing`, `staying`: of the active alerts of the stored rule. `failure`: why it cannot run.
    """

    open_now: int = 0
    running: int = 0
    breaches: int = 0
    days: int = 0
    has_history: bool = True
    orders_read: int = 0
    orders: int = 0
    closing: int = 0
    staying: int = 0
    failure: str = ""
    samples: list[SampleOrder] = field(default_factory=list)

    @property
    def opening(self) -> int:
        """How many alerts would open that are not active."""
        return self.open_now - self.staying

    @property
    def sentences(self) -> list[str]:
        """The effect in words."""
        if self.failure:
            return [f"This rule cannot run: {self.failure}."]
        alerts = count_with_noun(self.open_now, "alert")
        if not self.has_history:
            return [f"This rule would open {alerts} now.", NO_HISTORY]
        texts = [f"This rule would open {alerts} now; {self.rate}."]
        if self.orders_read < self.orders:
            read, known = format_number(self.orders_read), format_number(self.orders)
            texts.append(
                f"Only the latest {read} of {known} orders were evaluated: there may be more."
            )
        elif self.days < PERIOD.days:
            known = count_with_noun(self.days, "day") if self.days else "less than a day"
            texts.append(f"The history covers only {known}.")
        return texts

    @property
    def rate(self) -> str:
        """How often it would have alerted: `3 a day over the last 28 days`."""
        if self.orders_read < self.orders:
            missed = count_with_noun(self.breaches, "missed deadline")
            return f"at least {missed} over the last {PERIOD.days} days"
        days = self.days
        period = f"over the last {count_with_noun(days, 'day')}" if days else "so far"
        if not self.breaches:
            return f"none {period}"
        if self.breaches >= days > 0:
            return f"{format_number(round(self.breaches / days))} a day {period}"
        return f"{format_number(self.breaches)} {period}"


def preview_rule(
    rule: SlaRule, *, now: datetime, clock: Callable[[], float] = time.monotonic
) -> RulePreview:
    """Evaluate a rule that may not be stored, in place of the stored one, for some seconds at most.

    Reads only. `clock`: seconds of any clock, for the time limit.
    """
    loaded = load_rule_or_failure(rule)
    if isinstance(loaded.kind, RuleFailure):
        return RulePreview(failure=loaded.kind.message)
    if isinstance(loaded.kind, OrderRule):
        return _preview_order_rule(loaded, now=now, clock=clock)
    conditions = (
        _count_source_conditions(loaded, now)
        if isinstance(loaded.kind, SourceRule)
        else _count_kpi_and_alert_conditions(loaded, now)
    )
    if isinstance(conditions, RuleFailure):
        return RulePreview(failure=conditions.message)
    return RulePreview(open_now=conditions, has_history=False)


def _preview_order_rule(
    loaded: LoadedRule, *, now: datetime, clock: Callable[[], float]
) -> RulePreview:
    rules = _with_draft(load_enabled_order_rules(), loaded)
    active = _active_alert_keys(loaded.rule)
    candidates = _latest_orders(now, {order_id for order_id, _ in active})
    preview = RulePreview(orders=candidates.total)
    preview.days = _days_of_history(candidates.oldest, now)
    breached: set[ClockKey] = set()
    read: set[int] = set()
    end = clock() + TIME_LIMIT_SECONDS
    for ids in _chunks(candidates.ids):
        for order_id, timeline in load_and_fold_orders(ids, as_of=now).items():
            read.add(order_id)
            for rule, result in order_clocks_of_most_specific_rules(timeline, rules):
                if rule is not loaded:
                    continue
                if isinstance(result, RuleFailure):
                    preview.failure = result.message
                    return preview
                state = met_breached_or_running_at(result, now)
                preview.running += state == ClockState.RUNNING
                if state != ClockState.BREACHED:
                    continue
                preview.breaches += now - PERIOD <= result.due_at <= now
                if result.stopped_at is None:
                    breached.add((order_id, result.subject_key))
                    number = candidates.numbers.get(order_id, str(order_id))
                    preview.samples.append(
                        SampleOrder(order_id, number, result.subject, result.due_at)
                    )
        if clock() > end:
            break
    preview.orders_read = len(read)
    preview.open_now = len(breached)
    preview.staying = len(active & breached)
    preview.closing = sum(order_id in read for order_id, _ in active - breached)
    preview.samples = sorted(preview.samples, key=lambda s: s.due_at)[:MAX_SAMPLES]
    return preview


def _with_draft(rules: Sequence[LoadedRule], draft: LoadedRule) -> list[LoadedRule]:
    """The enabled rules with the draft in the place of the stored rule."""
    return sort_by_precedence([*(r for r in rules if r.rule.pk != draft.rule.pk), draft])


def _active_alert_keys(rule: SlaRule) -> set[ClockKey]:
    if rule.pk is None:
        return set()
    active = Alert.objects.filter(rule=rule, state__in=ACTIVE_ALERT_STATES, order__isnull=False)
    return {(order or 0, key) for order, key in active.values_list("order", "subject_key")}


@dataclass(frozen=True, slots=True)
class _Candidates:
    ids: Sequence[int]
    numbers: dict[int, str]
    total: int
    oldest: datetime | None


def _latest_orders(now: datetime, first: set[int]) -> _Candidates:
    """The orders that can have a clock that is missed now or was in the period, latest first."""
    orders = Order.objects.filter(Q(is_open=True) | Q(last_event_at__gte=now - PERIOD))
    rows = list(
        orders.order_by(F("last_event_at").desc(nulls_last=True)).values_list(
            "pk", "number", "ordered_at", "released_at", "last_event_at"
        )[:MAX_ORDERS]
    )
    total = orders.count() if len(rows) == MAX_ORDERS else len(rows)
    ids = sorted(first) + [pk for pk, *_ in rows if pk not in first]
    times = [at for _, _, *moments in rows for at in moments if at]
    return _Candidates(
        ids,
        {pk: number for pk, number, *_ in rows},
        max(total, len(ids)),
        min(times, default=None),
    )


def _days_of_history(oldest: datetime | None, now: datetime) -> int:
    """Whole days since the oldest order, 28 at most."""
    return min((now - oldest).days, PERIOD.days) if oldest and oldest < now else 0


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), ORDERS_AT_ONCE):
        yield ids[start : start + ORDERS_AT_ONCE]


def _count_source_conditions(loaded: LoadedRule, now: datetime) -> int | RuleFailure:
    """How many conditions hold at the sources for which this rule is the one that applies."""
    same_kind = [r for r in load_enabled_source_rules() if r.rule.kind == loaded.rule.kind]
    rules = _with_draft(same_kind, loaded)
    number = 0
    for watched in load_watched_sources(now):
        applied = next((r for r in rules if r.covers_source(watched.snapshot)), None)
        if applied is not loaded:
            continue
        conditions = loaded.conditions_or_failure(watched.snapshot)
        if isinstance(conditions, RuleFailure):
            return conditions
        number += len(conditions)
    return number


def _count_kpi_and_alert_conditions(loaded: LoadedRule, now: datetime) -> int | RuleFailure:
    conditions = conditions_of_unsaved_rule(loaded, load_kpi_snapshot, now=now)
    return conditions if isinstance(conditions, RuleFailure) else len(conditions)
