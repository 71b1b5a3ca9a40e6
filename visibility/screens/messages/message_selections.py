"""Messages that belong to one message or to one replay."""

from typing import Any

from django.db import connection

from visibility.models import InboundMessage, MessageDiscard, MessageReplay
from visibility.screens.messages.message_queries import MessageRow, list_messages


def list_messages_around(message: InboundMessage, *, each: int = 9) -> list[MessageRow]:
    """Some newer and older messages of the same source, and the message itself, newest first."""
    near: list[Any] = [message.source_id, message.received_at, message.pk, each]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            (SELECT id FROM visibility_inbound_message
                WHERE source_id = %s AND (received_at, id) > (%s, %s)
                ORDER BY received_at, id LIMIT %s)
            UNION ALL
            (SELECT id FROM visibility_inbound_message
                WHERE source_id = %s AND (received_at, id) <= (%s, %s)
                ORDER BY received_at DESC, id DESC LIMIT %s + 1)
            """,
            [*near, *near],
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list_messages(source_id=message.source_id, ids=ids)


def message_ids_of_replay(replay_id: int) -> list[int]:
    """IDs of the messages of a replay; empty if there is no such replay."""
    replay = MessageReplay.objects.filter(pk=replay_id).first()
    return replay.message_ids if replay else []


def message_ids_of_discard(discard_id: int) -> list[int]:
    """IDs of the messages of a discard; empty if there is no such discard."""
    discard = MessageDiscard.objects.filter(pk=discard_id).first()
    return discard.message_ids if discard else []
