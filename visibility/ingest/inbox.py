"""Each message once: the statement, for one or for many, and the writer that shares commits."""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from django.db import connection

LONGEST_KEY = 500
log = logging.getLogger(__name__)

# Duplicates count on the first one's key; only a new key brings a message with it.
KEEP = """
WITH incoming AS (
    SELECT t.*, nextval('visibility_inbound_message_id') AS id
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::text[], %s::bytea[])
        WITH ORDINALITY
        AS t (source_id, dedupe_key, content_hash, copies, headers, body, place)
), keyed AS (
    INSERT INTO visibility_messagekey AS known
        (source_id, dedupe_key, content_hash, message_id, received_at, repeats)
    SELECT source_id, dedupe_key, content_hash, id, statement_timestamp(), copies - 1
    FROM incoming ORDER BY source_id, dedupe_key, content_hash
    ON CONFLICT (source_id, dedupe_key, content_hash)
        DO UPDATE SET repeats = known.repeats + EXCLUDED.repeats + 1
    RETURNING message_id, source_id, dedupe_key, content_hash
), kept AS (
    INSERT INTO visibility_inbound_message
        (id, source_id, received_at, dedupe_key, content_hash, headers, body, state)
    SELECT incoming.id, source_id, statement_timestamp(), dedupe_key, content_hash,
        headers::jsonb, body, 'waiting'
    FROM incoming JOIN keyed USING (source_id, dedupe_key, content_hash)
    WHERE keyed.message_id = incoming.id
)
SELECT incoming.place, keyed.message_id, keyed.message_id = incoming.id
FROM incoming JOIN keyed USING (source_id, dedupe_key, content_hash) ORDER BY incoming.place
"""
# Arrays in binary form: as text, every body would be escaped twice, in Python.
KEEP_BINARY = KEEP.replace("%s", "%b")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One authentic message, about to be kept."""

    source_id: int
    dedupe_key: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_hash(self) -> str:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Kept:
    """Under which number a message is kept; `new` is False for a duplicate."""

    message_id: int
    new: bool


class Unavailable(RuntimeError):
    """The database did not confirm the commit: the sender must try again."""


def keep(arrivals: Sequence[Arrival]) -> list[Kept]:
    """Keep messages in the caller's transaction."""
    if not arrivals:
        return []
    parameters, places = _parameters(arrivals)
    with connection.cursor() as cursor:
        cursor.execute(KEEP, parameters)
        return _spread(cursor.fetchall(), places)


def _parameters(arrivals: Sequence[Arrival]) -> tuple[list[Any], list[int]]:
    """Arrays for the statement, without repeats among themselves, and each arrival's row."""
    rows: dict[tuple[int, str, str], list[Arrival]] = {}
    for arrival in arrivals:
        key = (arrival.source_id, _safe(arrival.dedupe_key), arrival.content_hash)
        rows.setdefault(key, []).append(arrival)
    order = {key: place for place, key in enumerate(rows)}
    places = [order[(a.source_id, _safe(a.dedupe_key), a.content_hash)] for a in arrivals]
    columns: list[Any] = [
        [key[0] for key in rows],
        [key[1] for key in rows],
        [key[2] for key in rows],
        [len(same) for same in rows.values()],
        [_headers(same[0].headers) for same in rows.values()],
        [same[0].body for same in rows.values()],
    ]
    return columns, places


def _spread(found: Sequence[tuple[int, int, bool]], places: Sequence[int]) -> list[Kept]:
    """One answer per arrival: of equal ones among themselves only the first can be new."""
    result, seen = [], set()
    for place in places:
        _, message_id, new = found[place]
        result.append(Kept(message_id, new and place not in seen))
        seen.add(place)
    return result


def _safe(text: str) -> str:
    """A key the index can hold; of a longer one the end still counts, by its hash."""
    cleaned = text.replace("\0", "�")
    if len(cleaned) <= LONGEST_KEY:
        return cleaned
    return f"{cleaned[: LONGEST_KEY - 65]} {hashlib.sha256(cleaned.encode()).hexdigest()}"


def _headers(headers: Mapping[str, str]) -> str:
    cleaned = {name: value.replace("\0", "�") for name, value in headers.items()}
    return orjson.dumps(cleaned).decode()


class Writer:
    """Group commit: requests that wait at the same time share one statement and one commit.

    No timer: while one commit runs, the next batch gathers. A batch the database refuses for its
    content is tried again one by one, so that one bad message stays alone.
    """

    BATCH = 500
    QUEUE = 5_000
    TIMEOUT = 5.0

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._pending: list[tuple[Arrival, asyncio.Future[Kept]]] = []
        self._task: asyncio.Task[None] | None = None
        self._said_at = -self.TIMEOUT

    async def keep(self, arrival: Arrival) -> Kept:
        """Commit the message; raises Unavailable when that is not certain."""
        (kept,) = await self.keep_all([arrival])
        return kept

    async def keep_all(self, arrivals: Sequence[Arrival]) -> list[Kept]:
        """Commit them all, if not at once; raises Unavailable when one of them is not certain."""
        if len(self._pending) >= self.QUEUE:
            raise Unavailable("too many messages are waiting for the database")
        loop = asyncio.get_running_loop()
        waiting = [(arrival, loop.create_future()) for arrival in arrivals]
        if not waiting:
            return []
        self._pending += waiting
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        futures = [future for _, future in waiting]
        # Its turn may not come: what is before it may wait for the database as long as it may.
        _, late = await asyncio.wait(futures, timeout=self.TIMEOUT)
        if late:
            self._pending = [one for one in self._pending if one[1] not in late]
            for future in late:
                future.cancel()
            raise Unavailable("the database does not answer")
        for error in filter(None, [future.exception() for future in futures]):
            raise error
        return [future.result() for future in futures]

    async def _drain(self) -> None:
        while self._pending:
            batch, self._pending = self._pending[: self.BATCH], self._pending[self.BATCH :]
            try:
                await self._settle(batch)
            except Exception as error:  # whatever it is, nobody may wait for an answer for ever
                self._say(error)
                await self._drop()
                for _, future in batch:
                    if not future.done():
                        future.set_exception(Unavailable(type(error).__name__))

    def _say(self, error: Exception) -> None:
        """Not with every batch of an outage."""
        if time.monotonic() - self._said_at > self.TIMEOUT:
            self._said_at = time.monotonic()
            log.warning("messages are not kept error=%s", type(error).__name__)

    async def _settle(self, batch: list[tuple[Arrival, asyncio.Future[Kept]]]) -> None:
        try:
            kept = await asyncio.wait_for(self._write([a for a, _ in batch]), self.TIMEOUT)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(batch) == 1:
                if not batch[0][1].done():
                    batch[0][1].set_exception(Unavailable(type(error).__name__))
                return
            for one in batch:
                await self._settle([one])
            return
        for (_, future), result in zip(batch, kept, strict=True):
            if not future.done():  # the sender may have gone
                future.set_result(result)

    async def _write(self, arrivals: list[Arrival]) -> list[Kept]:
        """Once more on a new connection where the old one had died; their keys make that safe."""
        try:
            return await self._insert(arrivals)
        except psycopg.OperationalError:
            if self._connection is None or not self._connection.closed:
                raise
            await self._drop()
            return await self._insert(arrivals)

    async def _insert(self, arrivals: list[Arrival]) -> list[Kept]:
        conn = await self.connected()
        parameters, places = _parameters(arrivals)
        cursor = await conn.execute(KEEP_BINARY, parameters, prepare=True)
        return _spread(await cursor.fetchall(), places)

    async def connected(self) -> psycopg.AsyncConnection[Any]:
        """The writer's own connection; every statement is its own transaction."""
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=3,
                options="-c synchronous_commit=on -c statement_timeout=5s -c timezone=UTC",
            )
        return self._connection

    async def _drop(self) -> None:
        broken, self._connection = self._connection, None
        if broken is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await broken.close()
