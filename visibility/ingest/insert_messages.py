"""The inbox: idempotent inserts of messages, and a writer that commits messages in groups."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from django.db import connection
from structlog.stdlib import get_logger

from visibility.ingest import full_disk

MAX_KEY = 500
log = get_logger(__name__)

# A duplicate only increments the counter of its key. A new key also inserts the message and its
# body. A retry gives the seconds since its first attempt began: a key of that time is the attempt's
# own, whose commit was not confirmed, and is not counted as a duplicate.
STORE = """
WITH attempt AS (
    SELECT statement_timestamp() - make_interval(secs => %s::float8) AS began_at
), incoming AS (
    SELECT t.*, nextval('visibility_inbound_message_id') AS id
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::text[], %s::bytea[])
        WITH ORDINALITY
        AS t (source_id, dedupe_key, content_hash, copies, headers, body, position)
), keyed AS (
    INSERT INTO visibility_messagekey AS known
        (source_id, dedupe_key, content_hash, message_id, received_at, duplicate_count)
    SELECT source_id, dedupe_key, content_hash, id, statement_timestamp(), copies - 1
    FROM incoming ORDER BY source_id, dedupe_key, content_hash
    ON CONFLICT (source_id, dedupe_key, content_hash)
        DO UPDATE SET duplicate_count = known.duplicate_count + EXCLUDED.duplicate_count
            + CASE WHEN known.received_at >= (SELECT began_at FROM attempt) THEN 0 ELSE 1 END
    RETURNING message_id, source_id, dedupe_key, content_hash
), stored AS (
    INSERT INTO visibility_inbound_message
        (id, source_id, received_at, dedupe_key, content_hash, headers, state)
    SELECT incoming.id, source_id, statement_timestamp(), dedupe_key, content_hash,
        headers::jsonb, 'waiting'
    FROM incoming JOIN keyed USING (source_id, dedupe_key, content_hash)
    WHERE keyed.message_id = incoming.id
), bodies AS (
    INSERT INTO visibility_message_body (message_id, received_at, body)
    SELECT incoming.id, statement_timestamp(), body
    FROM incoming JOIN keyed USING (source_id, dedupe_key, content_hash)
    WHERE keyed.message_id = incoming.id
), repeated AS (
    -- Of a source with a schedule, an equal file is recorded: it is a finding.
    INSERT INTO visibility_repeatedbatch
        (source_id, message_id, received_at, file_name, file_state)
    SELECT source_id, keyed.message_id, statement_timestamp(),
        coalesce(left(headers::jsonb->>'x-file-name', 200), ''),
        coalesce(left(headers::jsonb->>'x-file-state', 60), '')
    FROM incoming JOIN keyed USING (source_id, dedupe_key, content_hash)
    WHERE keyed.message_id <> incoming.id AND EXISTS (
        SELECT FROM visibility_batchschedule schedule
        WHERE schedule.source_id = incoming.source_id
    )
)
SELECT incoming.position, keyed.message_id, keyed.message_id = incoming.id
FROM incoming JOIN keyed USING (source_id, dedupe_key, content_hash) ORDER BY incoming.position
"""
# Arrays in binary format: in text format, Python would escape every body twice.
STORE_BINARY = STORE.replace("%s", "%b")


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """One authenticated message, before it is stored."""

    source_id: int
    dedupe_key: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_hash(self) -> str:
        """SHA-256 of the body, in hex."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The id of a stored message; `is_new` is False for a duplicate."""

    message_id: int
    is_new: bool


class InboxUnavailable(RuntimeError):
    """The database did not confirm the commit: the sender must retry."""


def store_messages(messages: Sequence[IncomingMessage]) -> list[StoreResult]:
    """Store messages in the caller's transaction. The results are in the order of the messages.

    Raises InboxUnavailable while the disk is full.
    """
    if not messages:
        return []
    _raise_if_disk_is_full()
    parameters, indexes = _deduplicated_insert_columns_and_indexes(messages)
    with connection.cursor() as cursor:
        cursor.execute(STORE, [None, *parameters])
        return _build_store_results(cursor.fetchall(), indexes)


def _raise_if_disk_is_full() -> None:
    if full_disk.is_database_disk_full():
        raise InboxUnavailable("the disk of the database is full")


def _deduplicated_insert_columns_and_indexes(
    messages: Sequence[IncomingMessage],
) -> tuple[list[Any], list[int]]:
    """Return the statement's arrays without duplicates, and the array index of each message."""
    rows: dict[tuple[int, str, str], list[IncomingMessage]] = {}
    for message in messages:
        key = (message.source_id, _shorten_dedupe_key(message.dedupe_key), message.content_hash)
        rows.setdefault(key, []).append(message)
    index_by_key = {key: index for index, key in enumerate(rows)}
    indexes = [
        index_by_key[(a.source_id, _shorten_dedupe_key(a.dedupe_key), a.content_hash)]
        for a in messages
    ]
    columns: list[Any] = [
        [key[0] for key in rows],
        [key[1] for key in rows],
        [key[2] for key in rows],
        [len(copies) for copies in rows.values()],
        [_serialize_headers(copies[0].headers) for copies in rows.values()],
        [copies[0].body for copies in rows.values()],
    ]
    return columns, indexes


def _build_store_results(
    rows: Sequence[tuple[int, int, bool]], indexes: Sequence[int]
) -> list[StoreResult]:
    """Return one result per message. Of equal messages in one call, only the first can be new."""
    result, seen = [], set()
    for index in indexes:
        _, message_id, is_new = rows[index]
        result.append(StoreResult(message_id, is_new and index not in seen))
        seen.add(index)
    return result


def _shorten_dedupe_key(text: str) -> str:
    """Shorten a key to what the index can hold; a hash keeps long keys distinct."""
    cleaned = text.replace("\0", "�")
    if len(cleaned) <= MAX_KEY:
        return cleaned
    return f"{cleaned[: MAX_KEY - 65]} {hashlib.sha256(cleaned.encode()).hexdigest()}"


def _serialize_headers(headers: Mapping[str, str]) -> str:
    cleaned = {name: value.replace("\0", "�") for name, value in headers.items()}
    return orjson.dumps(cleaned).decode()


class InboxWriter:
    """Group commit: requests that wait at the same time share one statement and one commit.

    There is no timer: the next batch collects while a commit runs. If the database rejects the
    content of a batch, its messages are stored one by one, so that one bad message fails alone.
    """

    BATCH = 500
    QUEUE = 5_000
    TIMEOUT = 5.0
    # A statement may take so long to reach the database, in seconds.
    TRANSIT = 1.0

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._pending: list[tuple[IncomingMessage, asyncio.Future[StoreResult]]] = []
        self._task: asyncio.Task[None] | None = None
        self._logged_at = -self.TIMEOUT

    async def store(self, message: IncomingMessage) -> StoreResult:
        """Store and commit the message. Raises InboxUnavailable if the commit is not confirmed."""
        (result,) = await self.store_all([message])
        return result

    async def store_all(self, messages: Sequence[IncomingMessage]) -> list[StoreResult]:
        """Store and commit the messages, possibly in several commits.

        Raises InboxUnavailable if one of the commits is not confirmed, and while the disk is full.
        """
        _raise_if_disk_is_full()
        if len(self._pending) >= self.QUEUE:
            raise InboxUnavailable("too many messages are waiting for the database")
        loop = asyncio.get_running_loop()
        waiting = [(message, loop.create_future()) for message in messages]
        if not waiting:
            return []
        self._pending += waiting
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_pending_batches())
        futures = [future for _, future in waiting]
        # The batches before it may use up the whole timeout.
        _, unfinished = await asyncio.wait(futures, timeout=self.TIMEOUT)
        if unfinished:
            self._pending = [entry for entry in self._pending if entry[1] not in unfinished]
            for future in unfinished:
                future.cancel()
            raise InboxUnavailable("the database does not respond")
        for error in filter(None, [future.exception() for future in futures]):
            raise error
        return [future.result() for future in futures]

    async def _write_pending_batches(self) -> None:
        while self._pending:
            batch, self._pending = self._pending[: self.BATCH], self._pending[self.BATCH :]
            try:
                await self._write_batch(batch)
            except Exception as error:  # on any error, no request may wait forever
                full_disk.record_write(error)
                self._log_error_with_rate_limit(error)
                await self._close_connection()
                for _, future in batch:
                    if not future.done():
                        future.set_exception(InboxUnavailable(type(error).__name__))

    def _log_error_with_rate_limit(self, error: Exception) -> None:
        """Log the error, but not for every batch of an outage."""
        if time.monotonic() - self._logged_at > self.TIMEOUT:
            self._logged_at = time.monotonic()
            log.warning("messages_not_stored", error=type(error).__name__)

    async def _write_batch(
        self, batch: list[tuple[IncomingMessage, asyncio.Future[StoreResult]]]
    ) -> None:
        try:
            results = await asyncio.wait_for(
                self._insert_with_retry([message for message, _ in batch]), self.TIMEOUT
            )
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(batch) == 1:
                if not batch[0][1].done():
                    batch[0][1].set_exception(InboxUnavailable(type(error).__name__))
                return
            for entry in batch:
                await self._write_batch([entry])
            return
        full_disk.record_write(None)
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():  # the sender may have disconnected
                future.set_result(result)

    async def _insert_with_retry(self, messages: list[IncomingMessage]) -> list[StoreResult]:
        """Insert, and retry once if the connection was lost: the dedupe keys make a retry safe."""
        started = time.monotonic()
        try:
            return await self._insert(messages)
        except psycopg.OperationalError:
            if self._connection is None or not self._connection.closed:
                raise
            await self._close_connection()
            return await self._insert(messages, first_attempt=started)

    async def _insert(
        self, messages: list[IncomingMessage], *, first_attempt: float | None = None
    ) -> list[StoreResult]:
        conn = await self.reuse_or_open_connection()
        parameters, indexes = _deduplicated_insert_columns_and_indexes(messages)
        age = None
        if first_attempt is not None:
            age = time.monotonic() - first_attempt + self.TRANSIT
        cursor = await conn.execute(STORE_BINARY, [age, *parameters], prepare=True)
        return _build_store_results(await cursor.fetchall(), indexes)

    async def reuse_or_open_connection(self) -> psycopg.AsyncConnection[Any]:
        """Return the open connection of the writer. It is in autocommit mode."""
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=3,
                options="-c synchronous_commit=on -c statement_timeout=5s -c timezone=UTC",
            )
        return self._connection

    async def _close_connection(self) -> None:
        broken, self._connection = self._connection, None
        if broken is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await broken.close()
