"""Where an alert about a source leads: to the form or the tab where its cause is shown."""

from urllib.parse import quote

from visibility.models import Alert
from visibility.models.alerts import AlertKind
from visibility.sla.batch_finding import BatchFindingKind
from visibility.sla.rules.call_errors import CallErrors
from visibility.sla.rules.changed_fields import ChangedMessageFields
from visibility.sla.rules.outdated_version import OutdatedMessageVersion
from visibility.sla.rules.queue_backlog import QueueBacklog
from visibility.sla.rules.run_failed import RunFailed

BATCH_KINDS = frozenset(kind.value for kind in BatchFindingKind)
TELEMETRY_KINDS = frozenset({CallErrors.code, QueueBacklog.code, RunFailed.code})


def source_alert_links(alert: Alert) -> list[tuple[str, str]]:
    """Return addresses and labels; none for an alert about an order."""
    if alert.source is None:
        return []
    page, subject = f"/sources/{alert.source.slug}", quote(alert.subject_key, safe="")
    if alert.kind == AlertKind.UNMAPPED_STATUS:
        form = f"/mappings/mapping/new?kind=status&source={alert.source.slug}&external={subject}"
        return [(form, "Open the form to map this status")]
    if alert.kind == ChangedMessageFields.code:
        return [(f"{page}?tab=drift", "Compare the fields, and accept the changes")]
    if alert.kind == OutdatedMessageVersion.code:
        return [(f"{page}?tab=drift", "See which versions the source sends")]
    if alert.kind in TELEMETRY_KINDS:
        return [(f"{page}?tab=calls&named={subject}", "Open the calls, runs or readings")]
    if alert.kind in BATCH_KINDS:
        message = alert.subject_key.removeprefix("before ")
        links = [(f"{page}?tab=batches", "Show the batches of this source")]
        if message.isdecimal():
            links.append((f"/messages/{message}", "Show the message of this batch"))
        return links
    return []
