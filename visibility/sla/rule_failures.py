"""Rules that raise: what is written in the place of their clocks, and when they are tried again."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from visibility.models.sla import FailedClock, SlaClock, SlaRule, as_set_up
from visibility.sla.calendar import BadCalendar
from visibility.sla.rule import BadParameter

log = logging.getLogger(__name__)
# A rule that nobody changed is tried again so seldom.
AGAIN = timedelta(hours=1)
BATCH = 1000


class UnknownKind(LookupError):
    """No kind of rule has this code."""


class BadScope(ValueError):
    """A rule's scope names something that orders do not have."""


WORDS: Mapping[type[Exception], str] = {
    UnknownKind: "Its kind is not known",
    BadScope: "Its scope cannot be read",
    BadParameter: "Its parameters cannot be used",
    BadCalendar: "Its working calendar cannot be used",
}
Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a rule has no clock for an order."""

    cause: Exception

    @property
    def words(self) -> str:
        """A sentence for people: what to mend, or that it is a defect."""
        for kind, words in WORDS.items():
            if isinstance(self.cause, kind):
                return f"{words}: {' '.join(map(str, self.cause.args))}."
        name = type(self.cause).__name__
        return f"It is a defect of the product ({name}); the log of the worker says more."

    @property
    def is_defect(self) -> bool:
        """Whether nobody's settings are to blame."""
        return not isinstance(self.cause, tuple(WORDS))


def write(failures: Mapping[tuple[SlaRule, int], Failure], order_ids: Collection[int]) -> None:
    """The failed clocks of these orders, in place of the old ones; only what is new is logged."""
    old = {_key(row): row for row in FailedClock.objects.filter(order_id__in=order_ids)}
    wanted = {
        (o, rule.pk, ""): _row(rule, o, "", failure) for (rule, o), failure in failures.items()
    }
    gone = [row.pk for key, row in old.items() if key not in wanted]
    if gone:
        FailedClock.objects.filter(pk__in=gone).delete()
    moved = {k: r for k, r in wanted.items() if k not in old or _said(old[k]) != _said(r)}
    _put(list(moved.values()))
    told: set[tuple[int, str]] = set()
    for (rule, order_id), failure in failures.items():
        if (order_id, rule.pk, "") in moved and (rule.pk, failure.words) not in told:
            told.add((rule.pk, failure.words))
            _log(rule, order_id, failure)


def note(clock: SlaClock, error: Exception, *, now: datetime) -> None:
    """A clock that was set could not be judged, or not be put into words."""
    row = _row(clock.rule, clock.order_id, clock.obligation, Failure(error))
    row.failed_at = now
    known = FailedClock.objects.filter(
        order=row.order_id, rule=row.rule_id, obligation=row.obligation, error=row.error
    ).exists()
    _put([row])
    if not known:
        _log(clock.rule, clock.order_id, Failure(error))


def failing(order_ids: Collection[int]) -> set[tuple[int, int]]:
    """The (order, rule) of which nothing is known."""
    rows = FailedClock.objects.filter(order_id__in=order_ids)
    return set(rows.values_list("order_id", "rule_id"))


def mended(*, now: datetime) -> list[int]:
    """Orders whose failed clocks are worth another try: the rule has changed, or time has passed.

    Call it in the transaction that has them folded: each is named once.
    """
    rules = SlaRule.objects.filter(pk__in=FailedClock.objects.values("rule").distinct())
    found: list[int] = []
    for rule in rules.select_related("calendar").order_by("pk"):
        setup = as_set_up(rule)
        rows = list(
            FailedClock.objects.select_for_update(skip_locked=True)
            .filter(~Q(setup=setup) | Q(failed_at__lt=now - AGAIN), rule=rule)
            .values_list("pk", "order_id")[:BATCH]
        )
        FailedClock.objects.filter(pk__in=[pk for pk, _ in rows]).update(setup=setup, failed_at=now)
        found += [order_id for _, order_id in rows]
    return sorted(set(found))


def _row(rule: SlaRule, order_id: int, obligation: str, failure: Failure) -> FailedClock:
    return FailedClock(
        rule=rule,
        order_id=order_id,
        obligation=obligation,
        error=failure.words,
        setup=as_set_up(rule),
    )


def _put(rows: list[FailedClock]) -> None:
    FailedClock.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["order", "rule", "obligation"],
        update_fields=["error", "setup", "failed_at"],
    )


def _key(row: FailedClock) -> Key:
    return row.order_id, row.rule_id, row.obligation


def _said(row: FailedClock) -> tuple[str, str]:
    return row.error, row.setup


def _log(rule: SlaRule, order_id: int, failure: Failure) -> None:
    """A setting to be mended is a line; a defect comes with its trace."""
    cause = failure.cause if failure.is_defect else None
    log.warning(
        "event=clock_failed rule=%s order=%s error=%s",
        rule.code,
        order_id,
        type(failure.cause).__name__,
        exc_info=cause,
    )
