"""The job that removes demo data, in batches, each in a transaction of its own.

What is left is found in the database each time, so a worker that stops in the middle is continued
by the next run. Own orders that shared a number with a demo order are resolved and folded again.
"""

from collections.abc import Callable, Sequence

from django.db import OperationalError, transaction
from structlog.stdlib import get_logger

from visibility.db.change_feed import append_changes
from visibility.db.database_time import database_now
from visibility.identity.lock_and_load_component import ConcurrentChange
from visibility.kpi import facts_and_cells
from visibility.models import DemoData, DemoDataState, Source
from visibility.models.audit import append_audit_entry
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.pipeline import remove_demo_messages as messages
from visibility.pipeline import remove_demo_setup as setup
from visibility.pipeline.remove_demo_objects import remove_objects
from visibility.pipeline.shutdown_flag import stopping
from visibility.storage.demo_data import forget_demo_data

log = get_logger(__name__)
# Each removes a batch of what the demo sources with these IDs left, and returns how many rows; 0
# if nothing is left. The messages go first: a worker reads none of them any more.
STEPS: tuple[Callable[[Sequence[int]], int], ...] = (
    messages.remove_messages,
    remove_objects,
    messages.remove_events,
)


def remove_demo_data() -> int:
    """Go on removing the demo data; return how many messages, objects and events were removed."""
    total = 0
    while not stopping.is_set():
        try:
            with transaction.atomic():
                removed = _remove_next_batch()
        except (ConcurrentChange, OperationalError) as error:
            # Live work holds the rows; the next run of the job goes on.
            log.info("demo_data_removal_waits", error=type(error).__name__)
            return total
        except Exception as error:  # shown on the page; the next run goes on
            log.exception("demo_data_not_removed")
            DemoData.objects.update(error=f"{type(error).__name__}: {error}"[:300])
            return total
        if removed is None:
            return total
        total += removed
    return total


def _remove_next_batch() -> int | None:
    """Remove a batch, or what is left in the end; None if nothing is to be removed now."""
    now = database_now()
    row = (
        DemoData.objects.select_for_update(skip_locked=True)
        .filter(state=DemoDataState.REMOVING, removal_starts_at__lte=now)
        .first()
    )
    if row is None:
        return None
    sources = list(Source.objects.filter(is_demo=True).values_list("pk", flat=True))
    if not row.to_remove:
        row.to_remove = messages.count_messages_objects_and_events(sources)
    for step in STEPS:
        if removed := step(sources):
            row.removed, row.error = row.removed + removed, ""
            row.save(update_fields=["removed", "to_remove", "error"])
            _publish(sources)
            return removed
    setup.remove_alerts_of_figures(row.ends_at)
    setup.remove_rules_calendars_and_teams(row)
    setup.remove_what_names_sources(sources)
    setup.remove_exports(row.ends_at)
    setup.remove_sources(sources)
    while facts_and_cells.update_cells():
        pass
    row.delete()
    append_audit_entry(
        "demo_data.removed", user=None, object="demo data", detail={"rows": row.removed}, now=now
    )
    forget_demo_data()
    _publish(sources)
    return 0


def _publish(sources: Sequence[int]) -> None:
    """Let open pages load again what they show."""
    number = append_changes({"source": sources, "order": [0], "alert": [0]})
    transaction.on_commit(lambda: broadcast_change_number(number, ["source", "order", "alert"]))
