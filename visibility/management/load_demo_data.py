"""The job that loads demo data: sources, two rules and messages, in batches.

Each batch and its progress are one transaction, and the messages are the same in each run, so that
a worker that stops in the middle leaves nothing twice.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from structlog.stdlib import get_logger

from visibility.alerts.change_sla_rules import create_rule
from visibility.db.change_feed import append_changes
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import InboxUnavailable, IncomingMessage, store_messages
from visibility.management.demo_messages import demo_messages
from visibility.management.demo_setup import (
    demo_calendar,
    demo_rules,
    demo_source_settings,
    demo_team_titles,
)
from visibility.models import (
    DemoData,
    DemoDataState,
    InboundMessage,
    MessageState,
    Source,
    Team,
    WorkCalendar,
)
from visibility.models.audit import append_audit_entry
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.pipeline.shutdown_flag import stopping
from visibility.storage.demo_data import forget_demo_data

log = get_logger(__name__)
BATCH_SIZE = 200


def load_demo_data() -> int:
    """Go on loading the demo data that was requested; return how many messages were stored."""
    row = DemoData.objects.filter(state=DemoDataState.LOADING).first()
    if row is None:
        return 0
    try:
        _create_sources_and_rules()
        stored = 0 if row.sent == row.total else _store_messages(row.ends_at, row.prefix)
        _finish_when_all_messages_are_read()
    except InboxUnavailable as error:
        DemoData.objects.update(error=str(error)[:300])
        return 0
    except Exception as error:  # shown on the page; the next run goes on
        log.exception("demo_data_not_loaded")
        DemoData.objects.update(error=f"{type(error).__name__}: {error}"[:300])
        return 0
    return stored


def _lock_while_loading() -> DemoData | None:
    """Lock the row; None if another worker loads, or if a person asked for the removal."""
    rows = DemoData.objects.select_for_update(skip_locked=True)
    return rows.filter(state=DemoDataState.LOADING).first()


@transaction.atomic
def _create_sources_and_rules() -> None:
    row, now = _lock_while_loading(), database_now()
    if row is None or Source.objects.filter(is_demo=True).exists():
        return
    for slug, connector, title, config in demo_source_settings(row.prefix):
        source = add_source(slug, connector=connector, config=config, title=title, now=now).source
        # Nothing sends to them, and nothing polls.
        Source.objects.filter(pk=source.pk).update(
            is_demo=True, enabled=False, next_poll_at=None, expect_every=None
        )
    calendar = WorkCalendar.objects.create(**demo_calendar(row.prefix))
    known_teams = set(
        Team.objects.filter(title__in=demo_team_titles()).values_list("pk", flat=True)
    )
    rules = [
        create_rule({**values, "calendar": calendar.code}, by=None, now=now).rule
        for values in demo_rules(row.prefix)
    ]
    teams = {rule.owner_team_id for rule in rules if rule.owner_team_id} - known_teams
    row.rule_ids, row.team_ids = [rule.pk for rule in rules], sorted(teams)
    row.calendar_ids = [calendar.pk]
    row.save()
    transaction.on_commit(forget_demo_data)


def _store_messages(ends_at: datetime, prefix: str) -> int:
    sources = {
        source.slug.removeprefix(f"{prefix}-"): source
        for source in Source.objects.filter(is_demo=True)
    }
    if not sources:
        return 0
    messages, stored = demo_messages(sources, ends_at), 0
    for start in range(0, len(messages), BATCH_SIZE):
        if stopping.is_set():
            break
        stored += _store_batch(start, messages[start : start + BATCH_SIZE], len(messages))
    if stored:
        ask_worker_to_run_job_now("process")
    return stored


@transaction.atomic
def _store_batch(start: int, batch: Sequence[IncomingMessage], total: int) -> int:
    row = _lock_while_loading()
    if row is None or row.sent > start:
        return 0
    stored = sum(result.is_new for result in store_messages(batch))
    row.sent, row.total, row.error = start + len(batch), total, ""
    row.save(update_fields=["sent", "total", "error"])
    return stored


@transaction.atomic
def _finish_when_all_messages_are_read() -> None:
    row, now = _lock_while_loading(), database_now()
    if row is None or row.total is None or row.sent < row.total:
        return
    messages = InboundMessage.objects.filter(source__in=Source.objects.filter(is_demo=True))
    if messages.filter(state=MessageState.WAITING).exists():
        return
    row.state = DemoDataState.LOADED
    row.save(update_fields=["state"])
    append_audit_entry(
        "demo_data.loaded",
        user=None,
        object="demo data",
        detail={"messages": messages.count()},
        now=now,
    )
    number = append_changes({"source": list(messages.values_list("source", flat=True).distinct())})
    forget_demo_data()
    transaction.on_commit(lambda: broadcast_change_number(number, ["source", "order", "alert"]))
