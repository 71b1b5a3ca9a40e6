"""Rules that raise: record the failure instead of a clock, and retry later."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from structlog.stdlib import get_logger

from visibility.models.rules_clocks_and_calendars import (
    FailedClock,
    SlaClock,
    SlaRule,
    rule_fingerprint,
)
from visibility.sla.calendar import InvalidCalendar
from visibility.sla.kpi_and_alert_snapshots import UnknownKpi
from visibility.sla.parameters import InvalidParameters

log = get_logger(__name__)
# A rule that was not changed is retried after this time.
RETRY_AFTER = timedelta(hours=1)
BATCH_SIZE = 1000


class UnknownRuleKind(LookupError):
    """No kind of rule has this code."""


class UnknownFieldInRuleScope(ValueError):
    """The scope of a rule names a field that orders do not have."""


MESSAGES: Mapping[type[Exception], str] = {
    UnknownRuleKind: "The kind of this rule is unknown",
    UnknownFieldInRuleScope: "The scope of this rule is invalid",
    InvalidParameters: "The parameters of this rule are invalid",
    UnknownKpi: "The KPI of this rule is unknown",
    InvalidCalendar: "The working calendar of this rule is invalid",
}
ClockKey = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class RuleFailure:
    """Why a rule has no clock for an order."""

    cause: Exception

    @property
    def message(self) -> str:
        """A sentence that says what to correct, or that this is a defect of the product."""
        for kind, text in MESSAGES.items():
            if isinstance(self.cause, kind):
                return f"{text}: {' '.join(map(str, self.cause.args))}."
        name = type(self.cause).__name__
        return f"This rule failed with an internal error ({name}). See the worker log."

    @property
    def is_defect(self) -> bool:
        """Whether the product failed, and not a setting."""
        return not isinstance(self.cause, tuple(MESSAGES))


def replace_failed_clocks_of_orders(
    failures: Mapping[tuple[SlaRule, int], RuleFailure], order_ids: Collection[int]
) -> None:
    """Replace the failed clocks of these orders; log only new failures."""
    old = {_clock_key(row): row for row in FailedClock.objects.filter(order_id__in=order_ids)}
    wanted = {
        (o, rule.pk, ""): _build_failed_clock(rule, o, "", failure)
        for (rule, o), failure in failures.items()
    }
    stale_ids = [row.pk for key, row in old.items() if key not in wanted]
    if stale_ids:
        FailedClock.objects.filter(pk__in=stale_ids).delete()
    changed = {
        k: r
        for k, r in wanted.items()
        if k not in old or _error_and_rule_fingerprint(old[k]) != _error_and_rule_fingerprint(r)
    }
    _upsert_failed_clocks(list(changed.values()))
    logged: set[tuple[int, str]] = set()
    for (rule, order_id), failure in failures.items():
        if (order_id, rule.pk, "") in changed and (rule.pk, failure.message) not in logged:
            logged.add((rule.pk, failure.message))
            _log_failure(rule, order_id, failure)


def record_failure_of_existing_clock(clock: SlaClock, error: Exception, *, now: datetime) -> None:
    """Record that a clock could not be evaluated, or its alert could not be titled."""
    row = _build_failed_clock(clock.rule, clock.order_id, clock.subject_key, RuleFailure(error))
    row.failed_at = now
    already_recorded = FailedClock.objects.filter(
        order=row.order_id, rule=row.rule_id, subject_key=row.subject_key, error=row.error
    ).exists()
    _upsert_failed_clocks([row])
    if not already_recorded:
        _log_failure(clock.rule, clock.order_id, RuleFailure(error))


def failed_order_rule_pairs(order_ids: Collection[int]) -> set[tuple[int, int]]:
    """Return (order id, rule id) pairs whose rule failed."""
    rows = FailedClock.objects.filter(order_id__in=order_ids)
    return set(rows.values_list("order_id", "rule_id"))


def take_orders_due_for_retry(*, now: datetime) -> list[int]:
    """Return the orders whose failed clocks are due for a retry, and mark them as retried.

    A retry is due when the rule was changed or after an hour. Call it in the transaction that
    requests the refold: each order is returned once.
    """
    rules = SlaRule.objects.filter(pk__in=FailedClock.objects.values("rule").distinct())
    order_ids: list[int] = []
    for rule in rules.select_related("calendar").order_by("pk"):
        fingerprint = rule_fingerprint(rule)
        rows = list(
            FailedClock.objects.select_for_update(skip_locked=True)
            .filter(
                ~Q(rule_fingerprint=fingerprint) | Q(failed_at__lt=now - RETRY_AFTER), rule=rule
            )
            .values_list("pk", "order_id")[:BATCH_SIZE]
        )
        FailedClock.objects.filter(pk__in=[pk for pk, _ in rows]).update(
            rule_fingerprint=fingerprint, failed_at=now
        )
        order_ids += [order_id for _, order_id in rows]
    return sorted(set(order_ids))


def _build_failed_clock(
    rule: SlaRule, order_id: int, subject_key: str, failure: RuleFailure
) -> FailedClock:
    return FailedClock(
        rule=rule,
        order_id=order_id,
        subject_key=subject_key,
        error=failure.message,
        rule_fingerprint=rule_fingerprint(rule),
    )


def _upsert_failed_clocks(rows: list[FailedClock]) -> None:
    FailedClock.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["order", "rule", "subject_key"],
        update_fields=["error", "rule_fingerprint", "failed_at"],
    )


def _clock_key(row: FailedClock) -> ClockKey:
    return row.order_id, row.rule_id, row.subject_key


def _error_and_rule_fingerprint(row: FailedClock) -> tuple[str, str]:
    return row.error, row.rule_fingerprint


def _log_failure(rule: SlaRule, order_id: int, failure: RuleFailure) -> None:
    """Log an invalid setting without a traceback, a defect with one."""
    cause = failure.cause if failure.is_defect else None
    log.warning(
        "clock_failed",
        rule=rule.code,
        order=order_id,
        error=type(failure.cause).__name__,
        exc_info=cause,
    )
