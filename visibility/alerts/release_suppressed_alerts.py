"""Open alerts that were suppressed, once their sources have reported up to the deadline."""

from datetime import datetime
from itertools import islice

from django.db import connection, transaction

from visibility.alerts.load_source_evidence import load_evidence_of_enabled_sources
from visibility.alerts.queue_notifications import queue_notifications
from visibility.db.change_feed import append_changes
from visibility.models.alerts import Alert, AlertEntry, AlertState
from visibility.models.rules_clocks_and_calendars import SlaClock
from visibility.sla.source_evidence import gaps_before_deadline
from visibility.storage.refold_queue import orders_with_pending_refold

BATCH_SIZE = 500
MAX_SUPPRESSED_READ = 50_000
RELEASED = "The sources have reported up to the deadline; the condition still holds."
# Without a clock, the rule of the alert failed, and its state is unknown.
CLOCKS_OF_SUPPRESSED = """
SELECT clock.id, alert.id AS alert_id, clock.order_id, clock.due_at, clock.expected_sources,
    clock.sources_are_known
FROM visibility_alert alert
JOIN visibility_slaclock clock ON clock.order_id = alert.order_id
    AND clock.rule_id = alert.rule_id AND clock.subject_key = alert.subject_key
WHERE alert.state = 'suppressed' ORDER BY alert.id LIMIT %s
"""


def open_suppressed_alerts(*, now: datetime) -> int:
    """Open the suppressed alerts whose deadline is proven to be missed; return how many.

    An alert whose order has events that are not folded yet stays suppressed: they may contain the
    evidence.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM visibility_alert WHERE state = 'suppressed')")
        if not cursor.fetchone()[0]:
            return 0
    # The evidence first: what is applied later than it is neither counted nor needed.
    evidence = load_evidence_of_enabled_sources(now)
    proven = {
        vars(clock)["alert_id"]: clock.order_id
        for clock in SlaClock.objects.raw(CLOCKS_OF_SUPPRESSED, [MAX_SUPPRESSED_READ])
        if not gaps_before_deadline(
            clock.due_at, clock.expected_sources, evidence, are_known=clock.sources_are_known
        )
    }
    pending = orders_with_pending_refold(set(proven.values()))
    ready = (alert_id for alert_id in sorted(proven) if proven[alert_id] not in pending)
    ids = list(islice(ready, BATCH_SIZE))
    return _open_alerts(ids, now=now) if ids else 0


def _open_alerts(alert_ids: list[int], *, now: datetime) -> int:
    with transaction.atomic():
        alerts = list(
            Alert.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(pk__in=alert_ids, state=AlertState.SUPPRESSED)
            .order_by("pk")
        )
        Alert.objects.filter(pk__in=[a.pk for a in alerts]).update(
            state=AlertState.OPEN, changed_at=now
        )
        AlertEntry.objects.bulk_create(
            [AlertEntry(alert=a, at=now, action="opened", text=RELEASED) for a in alerts]
        )
        queue_notifications(alerts, "opened")
        append_changes({"alert": [a.pk for a in alerts]})
        return len(alerts)
