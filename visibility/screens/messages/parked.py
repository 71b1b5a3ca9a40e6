"""Parked messages: why in words, what to do, and how many lie there for the same cause."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from connectors.sdk.payload import Reason

GROUPS = 100
# (what happened, what to do about it)
WORDS = {
    Reason.EMPTY: (
        "The message has no content",
        "Ask the sender whether it meant to send one; there is nothing to replay",
    ),
    Reason.ENCODING: (
        "The text is not in an encoding we can read",
        "Ask the sender for UTF-8, or correct the encoding in the source's settings, then replay",
    ),
    Reason.SYNTAX: (
        "The message is not well formed",
        "It was probably cut short or built by hand: ask the sender to send it again",
    ),
    Reason.DEPTH: (
        "The message is nested deeper than any order is",
        "Look at it: it is a mistake of the sender, or an attack",
    ),
    Reason.SIZE: (
        "The message is larger than we read",
        "Ask the sender for smaller batches",
    ),
    Reason.NUMBER: (
        "A number can't be read exactly",
        "Correct it at the sender; the path names the field",
    ),
    Reason.TIMESTAMP: (
        "A time can't be right",
        "Check the sender's clock and time zone setting, then replay",
    ),
    Reason.SCHEMA: (
        "A field is missing or of another kind than agreed",
        "The sender changed its format: update the connector, then replay",
    ),
    Reason.MAPPING: (
        "A word of theirs is unknown to us",
        "Add the word to the source's mapping, then replay",
    ),
    Reason.IDENTIFIER: (
        "A number that names the order can't be one",
        "Correct it at the sender; the path names the field",
    ),
    Reason.REFERENCE: (
        "It speaks of something it does not name",
        "Replay once the message it refers to has come; otherwise ask the sender",
    ),
    Reason.QUANTITY: (
        "A quantity can't be right",
        "Compare it with the order at the sender, then have it sent again",
    ),
    Reason.UNIT: (
        "A unit of measure is unknown to us",
        "Add the unit and its factor to the source's mapping, then replay",
    ),
    Reason.CURRENCY: (
        "A currency is missing or contradicts the order",
        "Correct it at the sender, then replay",
    ),
    Reason.MEDIA: (
        "The message is of a kind this source does not send",
        "Check that the sender uses the address meant for it",
    ),
    Reason.XML_FORBIDDEN: (
        "The XML carries declarations that are not safe to read",
        "Ask the sender to leave out document types and entities",
    ),
    Reason.EDI_ENVELOPE: (
        "The EDI envelope's numbers do not agree",
        "The transmission was cut or altered: ask the partner to send it again",
    ),
    Reason.CONFLICT: (
        "The same message came with other content",
        "The newer version counts; look at both and ask the sender which one is right",
    ),
    Reason.JOIN_TOO_LARGE: (
        "It would join more orders into one than can be true",
        "A number is used twice: correct it at the sender before replaying",
    ),
    Reason.RULE_ERROR: (
        "A promise could not be judged with it",
        "Look at the rule named here; replay after it is corrected",
    ),
    Reason.TIMEOUT: (
        "It took too long to read",
        "Replay once; if it happens again, report it with the message's id",
    ),
    Reason.CRASH: (
        "Reading it stopped the reader several times",
        "It is kept apart so that others go on: report it with the message's id",
    ),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Messages parked for one cause."""

    slug: str
    title: str
    reason: str
    detail: str
    count: int
    first_at: datetime
    last_at: datetime
    sample: int

    @property
    def words(self) -> tuple[str, str]:
        """What happened, and what to do."""
        return words(self.reason)


def words(reason: str) -> tuple[str, str]:
    """What a reason means, and what to do about it."""
    known = next((WORDS[code] for code in Reason if code.value == reason), None)
    return known or ("It could not be read", "Look at the message and its detail")


def groups(source_id: int | None = None) -> list[Group]:
    """The causes with the most messages first, of one source or of all."""
    # Where a body breaks off is different each time: the cause is one.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source.slug, source.title, m.reason,
                CASE WHEN m.reason = 'syntax' THEN '' ELSE m.detail END, count(*),
                min(m.received_at), max(m.received_at), max(m.id)
            FROM visibility_inbound_message m
            JOIN visibility_source source ON source.id = m.source_id
            WHERE m.state = 'parked' AND (%s::bigint IS NULL OR m.source_id = %s)
            GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 7 DESC LIMIT %s
            """,
            [source_id, source_id, GROUPS],
        )
        return [Group(*row) for row in cursor.fetchall()]


def ids(source_id: int, *, reason: str, detail: str | None, limit: int = 10_000) -> list[int]:
    """The parked messages of one cause, oldest first; no `detail`: whatever it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM visibility_inbound_message
            WHERE state = 'parked' AND source_id = %s AND (%s = '' OR reason = %s)
                AND (coalesce(%s, '') = '' OR detail = %s)
            ORDER BY id LIMIT %s
            """,
            [source_id, reason, reason, detail, detail, limit],
        )
        return [row[0] for row in cursor.fetchall()]
