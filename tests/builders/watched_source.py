"""Send events through every stage, and read the states of alerts."""

from datetime import datetime

from tests.builders.cloudevents import cloudevent
from tests.builders.sources import cloudevent_message
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import store_messages
from visibility.models import Alert, InboundMessage, MessageBody, MessageState, Source
from visibility.pipeline import job_functions


def send_and_process(
    source: Source, kind: str, at: datetime, order: str = "SO-1", **more: object
) -> None:
    store_message(source, kind, at, order, **more)
    job_functions.process_messages_and_refold()
    sweep(now=database_now())


def store_message(
    source: Source, kind: str, at: datetime, order: str = "SO-1", **more: object
) -> None:
    """Store a message without processing it."""
    event = cloudevent(
        kind, {"order": {"number": order}, **more}, event_id=f"{kind} {order} {at} {more}", at=at
    )
    store_messages([cloudevent_message(source, event)])


def set_received_at_of_waiting_messages(received_at: datetime, **filters: object) -> None:
    """Set when the messages that wait were received, as if it had been another time."""
    waiting = InboundMessage.objects.filter(state=MessageState.WAITING, **filters)
    ids = list(waiting.values_list("pk", flat=True))
    InboundMessage.objects.filter(pk__in=ids).update(received_at=received_at)
    MessageBody.objects.filter(message_id__in=ids).update(received_at=received_at)


def states() -> list[str]:
    """The states of all alerts, without those about failing rules."""
    alerts = Alert.objects.exclude(kind="rule_failed").order_by("pk")
    return list(alerts.values_list("state", flat=True))
