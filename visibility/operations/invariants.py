"""Invariant checks on a live database. Each check returns a message per violation."""

import random
from collections.abc import Callable, Mapping

from django.db import connection

from visibility.db.database_time import database_now
from visibility.kpi import facts_and_cells
from visibility.models import audit
from visibility.storage.load_events import load_key_and_events_by_order
from visibility.storage.order_folding import load_dictionary_for_events
from visibility.timeline import fold

SAMPLE_SIZE = 200
MESSAGE_OUTCOMES = """
SELECT s.slug,
    count(m.id) FILTER (WHERE m.state NOT IN ('applied', 'parked', 'waiting', 'discarded')),
    count(m.id), (SELECT count(*) FROM visibility_messagekey k WHERE k.source_id = s.id)
FROM visibility_source s LEFT JOIN visibility_inbound_message m ON m.source_id = s.id
GROUP BY s.id, s.slug
"""
OVERDUE_CLOCKS = """
SELECT count(*) FROM visibility_slaclock
WHERE state = 'running' AND stopped_at IS NULL AND due_at < clock_timestamp() - interval '2 minutes'
"""
BREACHES_WITHOUT_ALERT = """
SELECT count(*) FROM visibility_slaclock c
WHERE c.state = 'breached' AND NOT EXISTS (SELECT 1 FROM visibility_alert a
    WHERE a.order_id = c.order_id AND a.rule_id = c.rule_id AND a.subject_key = c.subject_key)
"""
UNTRIED_MESSAGES = """
SELECT count(*) FROM visibility_inbound_message
WHERE state = 'waiting' AND received_at < clock_timestamp() - interval '2 minutes' AND attempts = 0
"""
# Another version of a message with the reason `conflict` is used. One with the reason
# `body_removed` was replayed while retention removed its month.
UNSETTLED_WITHOUT_BODY = """
SELECT count(*) FROM visibility_inbound_message m
WHERE (m.state = 'waiting'
        OR (m.state = 'parked' AND m.reason NOT IN ('conflict', 'body_removed')))
    AND m.body IS NULL
    AND NOT EXISTS (SELECT FROM visibility_message_body b
        WHERE b.message_id = m.id AND b.received_at = m.received_at)
"""
REFERENCED_MERGED_OBJECTS = """
SELECT o.id, o.merged_into_id FROM visibility_businessobject o
WHERE o.merged_into_id IS NOT NULL AND (
    EXISTS (SELECT FROM visibility_identifier i WHERE i.object_id = o.id)
    OR EXISTS (SELECT FROM visibility_objectrelation r WHERE r.parent_id = o.id)
    OR EXISTS (SELECT FROM visibility_objectrelation r WHERE r.child_id = o.id))
ORDER BY o.id LIMIT 20
"""


def check_messages_have_outcome_and_key() -> list[str]:
    """I4: every stored message has exactly one outcome, and a message key."""
    with connection.cursor() as cursor:
        cursor.execute(MESSAGE_OUTCOMES)
        return [
            f"{slug}: {messages} messages, {keys} keys, {lost} messages without an outcome"
            for slug, lost, messages, keys in cursor.fetchall()
            if lost or messages > keys
        ]


def check_arrival_order_independence() -> list[str]:
    """I2, on a random sample: shuffled and duplicated events fold to the same timeline."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT object_id FROM visibility_order ORDER BY random() LIMIT %s",
            [SAMPLE_SIZE],
        )
        ids = [row[0] for row in cursor.fetchall()]
    now, broken = database_now(), []
    for key, events in load_key_and_events_by_order(ids).values():
        shuffled = [*events, *events[: len(events) // 2]]
        random.shuffle(shuffled)
        dictionary = load_dictionary_for_events(events)
        original, shuffled_result = (
            fold(e, key=key, as_of=now, dictionary=dictionary) for e in (events, shuffled)
        )
        if original != shuffled_result:
            broken.append(f"{key}: the timeline depends on the order of arrival")
    return broken


def check_clocks_and_breach_alerts() -> list[str]:
    """I3: due clocks are evaluated, and every breach has an alert."""
    with connection.cursor() as cursor:
        cursor.execute(OVERDUE_CLOCKS)
        overdue = cursor.fetchone()[0]
        cursor.execute(BREACHES_WITHOUT_ALERT)
        unreported = cursor.fetchone()[0]
    violations = [f"{overdue} due clocks are not evaluated"] if overdue else []
    return violations + ([f"{unreported} breaches have no alert"] if unreported else [])


def check_no_message_waits_untried() -> list[str]:
    """I8: no message waits without an attempt."""
    with connection.cursor() as cursor:
        cursor.execute(UNTRIED_MESSAGES)
        count = cursor.fetchone()[0]
    return [f"{count} messages have waited for more than two minutes"] if count else []


def check_unsettled_messages_have_bodies() -> list[str]:
    """I18: retention never removes the body of a message that waits or is parked."""
    with connection.cursor() as cursor:
        cursor.execute(UNSETTLED_WITHOUT_BODY)
        count = cursor.fetchone()[0]
    return [f"{count} queued or parked messages have no body"] if count else []


def check_audit_chain() -> list[str]:
    """I26: the hash chain of the audit log is intact, up to its sealed end."""
    return list(audit.find_audit_violations())


def check_merged_objects_unreferenced() -> list[str]:
    """Identifiers and relations refer to surviving objects, not to merged ones."""
    with connection.cursor() as cursor:
        cursor.execute(REFERENCED_MERGED_OBJECTS)
        return [
            f"object {merged} was merged into {winner} but still has identifiers or relations"
            for merged, winner in cursor.fetchall()
        ]


def check_kpi_cells() -> list[str]:
    """Cells, with the fact changes that are not added yet, equal a recount of the facts."""
    return [
        f"the cells of KPI {kpi} on {day} differ from its facts"
        for kpi, day in facts_and_cells.find_kpi_days_with_wrong_cells()
    ]


CHECKS: Mapping[str, Callable[[], list[str]]] = {
    "message_outcomes": check_messages_have_outcome_and_key,
    "order_of_arrival": check_arrival_order_independence,
    "clocks_evaluated": check_clocks_and_breach_alerts,
    "merged_objects": check_merged_objects_unreferenced,
    "kpi_cells": check_kpi_cells,
    "messages_processed": check_no_message_waits_untried,
    "message_bodies": check_unsettled_messages_have_bodies,
    "audit": check_audit_chain,
}
