"""Remove alerts with their history, their notifications and what they count in KPIs."""

from collections.abc import Collection

from django.db.models import QuerySet

from visibility.db.delete_with_dependents import delete_with_dependents
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.kpi.measured_records import RecordKind
from visibility.kpi.remove_facts_of_records import remove_facts_of_records
from visibility.models import Alert, AlertEntry


def remove_alerts(alerts: QuerySet[Alert]) -> None:
    """Remove these alerts."""
    remove_facts_of_alerts(ids := set(alerts.values_list("pk", flat=True)))
    delete_with_dependents(Alert, ids)


def remove_facts_of_alerts(alert_ids: Collection[int]) -> None:
    """Remove what the alerts and the actions on them count in KPIs; the alerts are removed next."""
    if not alert_ids:
        return
    # A worker that measures alerts has read some of them.
    lock_until_commit(LockKey.KPI_RECORDS)
    remove_facts_of_records(RecordKind.ALERT, alert_ids)
    entries = AlertEntry.objects.filter(alert__in=alert_ids)
    remove_facts_of_records(RecordKind.ACTION, set(entries.values_list("pk", flat=True)))
