"""A message -> canonical events through its connector, or a reason why not."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.db import transaction

from connectors.sdk.connector import Message, Parsed
from connectors.sdk.events import CanonicalEvent, hash_of, written
from connectors.sdk.payload import PayloadError, Reason
from connectors.sdk.validation import checked
from visibility.db import bulk
from visibility.models.audit import record
from visibility.models.events import Draft
from visibility.models.intake import MessageState, Source

LARGEST = 10_485_760
MAX_MEMBERS = 16
UNREADABLE = frozenset({Reason.SYNTAX, Reason.EDI_ENVELOPE})
FORM = "a form was sent where the source's documents belong: send the document itself as the body"


@dataclass(frozen=True, slots=True)
class Raw:
    """A kept message as the worker reads it."""

    id: int
    source_id: int
    received_at: datetime
    dedupe_key: str
    content_hash: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, row: Sequence[Any]) -> "Raw":
        """From a row of the columns above, as the driver gives them."""
        headers = row[5] if isinstance(row[5], dict) else orjson.loads(row[5])
        return cls(row[0], row[1], row[2], row[3], row[4], headers, bytes(row[6]))


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one message: its events, and why it is parked or rightly says nothing."""

    message_id: int
    drafts: tuple[Draft, ...] = ()
    reason: Reason | None = None
    detail: str = ""


def read(raw: Raw, source: Source) -> Reading:
    """Ask the connector; every failure becomes a reason, none escapes."""
    try:
        body = inflate(raw.body, raw.headers)
        parsed = source.system().parse(Message(body, raw.headers, raw.received_at))
    except PayloadError as error:
        if error.reason in UNREADABLE and _form(raw.headers):
            return Reading(raw.id, reason=Reason.MEDIA, detail=FORM)
        return Reading(raw.id, reason=error.reason, detail=_sentence(error))
    except RecursionError:
        return Reading(raw.id, reason=Reason.DEPTH, detail="nested too deeply")
    return _drafted(raw, parsed)


def _drafted(raw: Raw, parsed: Parsed) -> Reading:
    """The good events apply although others of the same file do not."""
    made, problems = [], list(parsed.problems)
    for event in parsed.events:
        try:
            made.append(_draft(raw, event))
        except PayloadError as error:
            problems.append(error)
    drafts = tuple(made)
    if problems:
        first, more = problems[0], len(problems) - 1
        detail = _sentence(first) + (f" (and {more} more)" if more else "")
        return Reading(raw.id, drafts, first.reason, detail)
    return Reading(raw.id, drafts, detail=f"ignored: {parsed.ignored}"[:500] * bool(parsed.ignored))


def _draft(raw: Raw, said: CanonicalEvent) -> Draft:
    event = checked(said, raw.received_at)
    occurred = event.occurred_at or raw.received_at
    text = written(event)
    return Draft(
        raw.id, raw.source_id, event, occurred, raw.received_at, hash_of(text), text.decode()
    )


def _sentence(error: PayloadError) -> str:
    text = f"{error.path}: {error.detail}" if error.path else error.detail
    return text[:500]


def _form(headers: dict[str, str]) -> bool:
    """Whether the sender calls it a form; only a hint, a document may stand under that name."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"application/x-www-form-urlencoded", "multipart/form-data"}


def inflate(body: bytes, headers: dict[str, str]) -> bytes:
    """The body as its sender wrote it; the signature was over what came through the wire."""
    if headers.get("content-encoding", "").strip().lower() not in {"gzip", "x-gzip"}:
        return body
    plain, rest = b"", body
    for _ in range(MAX_MEMBERS):  # gzip may come in several members, one after the other
        inflater = zlib.decompressobj(wbits=31)
        try:
            plain += inflater.decompress(rest, LARGEST + 1 - len(plain))
        except zlib.error:
            detail = "the body is not gzip as its header says"
            raise PayloadError(Reason.SYNTAX, "", detail) from None
        if len(plain) > LARGEST:
            raise PayloadError(Reason.SIZE, "", "the body inflates beyond 10 MiB")
        if not inflater.eof:
            raise PayloadError(Reason.SYNTAX, "", "the gzip body is cut short")
        rest = inflater.unused_data
        if not rest:
            return plain
    detail = f"the gzip body has more than {MAX_MEMBERS} members"
    raise PayloadError(Reason.SYNTAX, "", detail)


RIVALS = """
SELECT m.id, m.source_id, m.received_at, m.dedupe_key, m.content_hash, m.headers, m.body, m.state
FROM visibility_messagekey k
JOIN visibility_inbound_message m ON m.id = k.message_id AND m.received_at = k.received_at
WHERE (k.source_id, k.dedupe_key) IN (SELECT * FROM unnest(%s::bigint[], %b::text[]))
    AND NOT m.id = ANY(%s)
ORDER BY m.id FOR UPDATE OF m
"""
TWICE = """
SELECT k.source_id, k.dedupe_key FROM visibility_messagekey k
JOIN unnest(%s::bigint[], %b::text[]) AS t (source_id, dedupe_key)
    ON k.source_id = t.source_id AND k.dedupe_key = t.dedupe_key
GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2
"""


def rivals(raws: Sequence[Raw]) -> list[Raw]:
    """Versions of these messages that were settled before: same key, other content.

    Workers that hold versions of one message take turns (an advisory lock until the commit). One
    that began before the second version came took no turn: its row is waited for, and the state
    looked at afterwards.
    """
    if not raws:
        return []
    keys = sorted({(r.source_id, r.dedupe_key) for r in raws})
    with bulk.cursor() as cursor:
        cursor.execute(TWICE, [[k[0] for k in keys], [k[1] for k in keys]])
        twice = cursor.fetchall()
        if not twice:
            return []
        for source_id, key in twice:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [key, source_id]
            )
        cursor.execute(RIVALS, [[k[0] for k in twice], [k[1] for k in twice], [r.id for r in raws]])
        return [Raw.of(row) for row in cursor.fetchall() if row[7] != MessageState.WAITING]


def effective(raws: Sequence[Raw], readings: Sequence[Reading]) -> tuple[list[Reading], list[int]]:
    """Of several versions of one message the one that counts; ids of the others.

    The highest revision its events give wins, then the greatest content hash: whichever came first.
    """
    versions: dict[tuple[int, str], list[tuple[str, str, int]]] = {}
    for raw, reading in zip(raws, readings, strict=True):
        revision = max((d.event.revision for d in reading.drafts), default="")
        versions.setdefault((raw.source_id, raw.dedupe_key), []).append(
            (revision, raw.content_hash, raw.id)
        )
    winners = {key: max(found)[2] for key, found in versions.items()}
    result, losers = [], []
    for raw, reading in zip(raws, readings, strict=True):
        winner = winners[(raw.source_id, raw.dedupe_key)]
        if winner == raw.id:
            result.append(reading)
            continue
        losers.append(raw.id)
        detail = f"message {winner} has the same key and another content, and counts instead"
        result.append(Reading(raw.id, reason=Reason.CONFLICT, detail=detail))
    return result, losers


def replay(message_ids: Sequence[int], *, by: User | None, now: datetime) -> int:
    """Set parked messages waiting again; how many. Twice is once: applied ones stay applied."""
    with transaction.atomic():
        with bulk.cursor() as cursor:
            cursor.execute(
                "UPDATE visibility_inbound_message SET state = 'waiting', attempts = 0, "
                "next_attempt_at = NULL WHERE id = ANY(%s) AND state = 'parked'",
                [list(message_ids)],
            )
            count = int(cursor.rowcount)
        record(
            "message.replay",
            who=by,
            object=f"{count} messages",
            detail={"ids": list(message_ids)[:100], "count": count},
            now=now,
        )
    return count
