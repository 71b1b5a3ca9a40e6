"""Check the existing orders again when a rule was added or changed, in batches behind live work.

A refold sets all clocks of an order and reconciles its alerts, so a check is a refold.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from visibility.db.change_feed import append_changes
from visibility.models.audit import append_audit_entry
from visibility.models.rule_rechecks import RuleRecheck
from visibility.models.rules_clocks_and_calendars import SlaRule, rule_definition_fingerprint
from visibility.sla.load_enabled_rules import (
    rule_kind_codes_not_about_orders,
    source_rule_kind_codes,
)

# Orders of one batch. A live message waits for one batch at most.
BATCH_SIZE = 200
# An order that is not open is checked with the open ones if it has a timer or an active alert.
IS_PENDING = """
(o.is_open OR EXISTS (
    SELECT FROM visibility_slaclock c
    WHERE c.order_id = o.object_id AND c.state = 'running' AND c.stopped_at IS NULL
) OR EXISTS (
    SELECT FROM visibility_alert a
    WHERE a.order_id = o.object_id AND a.state NOT IN ('resolved', 'withdrawn')
))
"""
COUNT_ORDERS = f"""
SELECT count(*) FILTER (WHERE {IS_PENDING}), count(*) FILTER (WHERE NOT {IS_PENDING})
FROM visibility_order o
"""  # noqa: S608  # only own text
# `end`: where the next recheck is, so that both go on together from there.
ENQUEUE_BATCH = """
WITH batch AS (
    SELECT o.object_id FROM visibility_order o
    WHERE o.object_id > %(start)s AND (%(end)s IS NULL OR o.object_id <= %(end)s) AND {condition}
    ORDER BY o.object_id LIMIT %(size)s
), enqueued AS (
    INSERT INTO visibility_refoldrequest (object_id) SELECT object_id FROM batch
)
SELECT count(*), max(object_id) FROM batch
"""
# The refold queue is busy, or the batch before is still in it.
MUST_WAIT = """
SELECT (SELECT count(*) FROM (SELECT FROM visibility_refoldrequest
        WHERE due_at <= clock_timestamp() LIMIT %(size)s) AS due) >= %(size)s
    OR EXISTS (SELECT FROM visibility_refoldrequest
        WHERE object_id > %(after)s AND object_id <= %(end)s AND due_at <= clock_timestamp())
"""


def start_rechecks_of_changed_rules(
    *, now: datetime, rule_ids: Collection[int] | None = None
) -> list[RuleRecheck]:
    """Start a recheck for each rule whose definition is new; return these rechecks.

    It compares the definitions themselves, so it does not matter how a rule or its calendar was
    changed. `rule_ids`: rules whose change has given them a new version; without it, all rules are
    compared, and a changed one gets a new version. Rules about sources need no check of orders:
    their recheck ends when `finish_rechecks_of_source_rules()` is called.
    """
    changed = _ids_of_changed_rules(rule_ids)
    if not changed:
        return []
    with transaction.atomic():
        rules = SlaRule.objects.select_related("calendar").select_for_update(of=("self",))
        previous = RuleRecheck.objects.select_for_update().in_bulk(changed)
        started = []
        for rule in rules.filter(pk__in=changed).order_by("pk"):
            before = previous.get(rule.pk)
            fingerprint = rule_definition_fingerprint(rule)
            if before is not None and before.fingerprint == fingerprint:
                continue
            if before is not None and rule_ids is None:
                _give_new_version(rule, now=now)
            started.append(_build_recheck(rule, fingerprint, is_new=before is None, now=now))
        fields = [f.name for f in RuleRecheck._meta.fields if not f.primary_key]
        RuleRecheck.objects.bulk_create(
            started, update_conflicts=True, unique_fields=["rule"], update_fields=fields
        )
        return started


def _ids_of_changed_rules(rule_ids: Collection[int] | None) -> list[int]:
    known = dict(RuleRecheck.objects.values_list("rule_id", "fingerprint"))
    rules = SlaRule.objects.select_related("calendar")
    if rule_ids is not None:
        rules = rules.filter(pk__in=rule_ids)
    return [r.pk for r in rules if known.get(r.pk) != rule_definition_fingerprint(r)]


def _give_new_version(rule: SlaRule, *, now: datetime) -> None:
    """Give the rule a new version: it or its calendar was changed elsewhere than on its page."""
    rule.version += 1
    rule.save(update_fields=["version"])
    append_audit_entry(
        "rule.changed",
        user=None,
        object=f"rule {rule.code}",
        detail={"version": rule.version, "before": {}, "after": {"params": rule.params}},
        now=now,
    )


def _build_recheck(rule: SlaRule, fingerprint: str, *, is_new: bool, now: datetime) -> RuleRecheck:
    recheck = RuleRecheck(
        rule=rule, fingerprint=fingerprint, rule_version=rule.version, started_at=now
    )
    if rule.kind in source_rule_kind_codes():
        recheck.open_orders_checked_at = now
    elif rule.kind in rule_kind_codes_not_about_orders() or (is_new and not rule.enabled):
        # The sweep evaluates each rule about KPIs and alerts anyway.
        recheck.open_orders_checked_at = recheck.finished_at = now
    else:
        with connection.cursor() as cursor:
            cursor.execute(COUNT_ORDERS)
            recheck.open_total, recheck.closed_total = cursor.fetchone()
    return recheck


def finish_rechecks_of_source_rules(rule_ids: Collection[int], *, now: datetime) -> None:
    """Record that these rules about sources were evaluated for every source."""
    RuleRecheck.objects.filter(rule__in=rule_ids, finished_at=None).update(finished_at=now)


def ids_of_changed_source_rules() -> set[int]:
    """Return the ids of the rules about sources that were not evaluated since their change."""
    rows = RuleRecheck.objects.filter(finished_at=None, rule__kind__in=source_rule_kind_codes())
    return set(rows.values_list("rule_id", flat=True))


@dataclass(frozen=True, slots=True)
class EnqueuedBatch:
    """How many orders were enqueued, and the change number; None if no recheck changed."""

    orders: int
    change_number: int | None


def enqueue_next_batch(*, now: datetime) -> EnqueuedBatch:
    """Move the next batch of orders into the refold queue.

    No orders: nothing is left, or the queue is busy. The rechecks that are at the same order share
    the batch; those that are further wait for the others.
    """
    with transaction.atomic():
        rechecks = list(
            RuleRecheck.objects.select_for_update(skip_locked=True)
            .filter(finished_at=None)
            .exclude(rule__kind__in=rule_kind_codes_not_about_orders())
            .order_by("pk")
        )
        if not rechecks or _must_wait(rechecks):
            return EnqueuedBatch(0, None)
        size = 0
        while not size and (unfinished := [r for r in rechecks if r.finished_at is None]):
            group = _slowest_rechecks(unfinished)
            enqueued = _enqueue_batch(group, unfinished)
            if enqueued is None:
                _end_phase(group, now=now)
            else:
                size = enqueued
        for recheck in rechecks:
            recheck.save()
        number = append_changes({"rule": [recheck.pk for recheck in rechecks]})
        return EnqueuedBatch(size, number)


def _must_wait(rechecks: Sequence[RuleRecheck]) -> bool:
    """Whether the refold queue is busy, or has orders of the batch before."""
    slowest = _slowest_rechecks(rechecks)[0]
    with connection.cursor() as cursor:
        cursor.execute(
            MUST_WAIT,
            {"size": BATCH_SIZE, "after": slowest.batch_after, "end": slowest.batch_end},
        )
        return bool(cursor.fetchone()[0])


def _position(recheck: RuleRecheck) -> tuple[bool, int]:
    return recheck.open_orders_checked_at is not None, recheck.batch_end


def _slowest_rechecks(rechecks: Sequence[RuleRecheck]) -> list[RuleRecheck]:
    first = min(map(_position, rechecks))
    return [recheck for recheck in rechecks if _position(recheck) == first]


def _enqueue_batch(group: Sequence[RuleRecheck], rechecks: Sequence[RuleRecheck]) -> int | None:
    """Enqueue the batch after the position of these rechecks; return its size, None at the end."""
    is_closed_phase, start = _position(group[0])
    next_end = min(
        (
            end
            for phase, end in map(_position, rechecks)
            if phase == is_closed_phase and end > start
        ),
        default=None,
    )
    condition = f"NOT {IS_PENDING}" if is_closed_phase else IS_PENDING
    with connection.cursor() as cursor:
        cursor.execute(
            ENQUEUE_BATCH.format(condition=condition),
            {"start": start, "end": next_end, "size": BATCH_SIZE},
        )
        size, end = cursor.fetchone()
    if size < BATCH_SIZE and next_end is not None:
        end = next_end
    if end is None:
        return None
    for recheck in group:
        _count_batch(recheck)
        recheck.batch_after, recheck.batch_end, recheck.batch_size = start, end, size
    return int(size)


def _end_phase(group: Sequence[RuleRecheck], *, now: datetime) -> None:
    """End the open orders, or else the whole recheck."""
    for recheck in group:
        _count_batch(recheck)
        if recheck.open_orders_checked_at is None:
            recheck.open_total, recheck.open_orders_checked_at = recheck.open_done, now
            recheck.batch_after = recheck.batch_end = 0
        else:
            recheck.closed_total, recheck.finished_at = recheck.closed_done, now


def _count_batch(recheck: RuleRecheck) -> None:
    """Count the orders of the latest batch, which have left the queue."""
    if recheck.open_orders_checked_at is None:
        recheck.open_done += recheck.batch_size
    else:
        recheck.closed_done += recheck.batch_size
    recheck.batch_size = 0
