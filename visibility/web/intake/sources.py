"""What the intake remembers of the sources: secrets, rates, and how often it had to refuse."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings

from connectors.catalog import systems
from connectors.sdk.connector import Connector
from visibility.ingest import source_secrets
from visibility.ingest.inbox import Unavailable, Writer
from visibility.pipeline.stages import nudge

log = logging.getLogger(__name__)
REFRESH = 2.0
# How long a request waits for a reading of the sources that it could do without.
PATIENCE = 0.5
SOURCES = """
SELECT id, slug, connector, config, sealed_secrets, clock_timestamp() FROM visibility_source
WHERE enabled
"""
REFUSE = """
INSERT INTO visibility_refusal AS known (slug, status, hour, count, last_at)
SELECT slug, status, date_trunc('hour', now()), count, now()
FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS t (slug, status, count)
ORDER BY slug, status
ON CONFLICT (slug, status, hour)
    DO UPDATE SET count = known.count + EXCLUDED.count, last_at = EXCLUDED.last_at
"""


@dataclass
class Door:
    """One source as the intake sees it."""

    source_id: int
    slug: str
    connector: Connector
    held: Sequence[source_secrets.Secret]
    tokens: float = field(default_factory=lambda: float(2 * settings.SOURCE_RATE))
    filled: float = field(default_factory=time.monotonic)

    def admit(self) -> bool:
        """Take one from the source's bucket."""
        now = time.monotonic()
        rate = settings.SOURCE_RATE
        self.tokens = min(2.0 * rate, self.tokens + (now - self.filled) * rate)
        self.filled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Gate:
    """The sources, read again every two seconds, and the writer. One per process."""

    def __init__(self) -> None:
        self.writer = Writer(conninfo())
        self._doors: dict[str, Door] = {}
        self._read_at = -REFRESH
        # The database's time at a moment of the monotonic clock: this host's own may jump.
        self._now_at: tuple[datetime, float] = (datetime.fromtimestamp(time.time(), UTC), 0.0)
        self._reading: asyncio.Task[None] | None = None
        self._known = False
        self._refused: Counter[tuple[str, int]] = Counter()
        self._bell: asyncio.Task[None] | None = None
        self._rung = False

    def now(self) -> datetime:
        """The database's time, as of the last reading plus what has passed since."""
        moment, at = self._now_at
        return moment + timedelta(seconds=time.monotonic() - at)

    async def door(self, slug: str) -> Door | None:
        """The enabled source of that slug. Raises Unavailable if none could ever be read."""
        await self.refresh()
        return self._doors.get(slug)

    async def doors(self, connector: str) -> list[Door]:
        """The enabled sources of one connector."""
        await self.refresh()
        return [d for d in self._doors.values() if d.connector.slug == connector]

    async def refresh(self) -> None:
        """Read the sources again if the last reading is older than two seconds."""
        if time.monotonic() - self._read_at >= REFRESH:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._try_reading())
            await asyncio.wait({self._reading}, timeout=PATIENCE if self._known else None)
        if not self._known:
            raise Unavailable("the sources were never read")

    async def _try_reading(self) -> None:
        try:
            async with asyncio.timeout(3):
                await self._read()
            self._known = True
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.warning("sources not read error=%s", type(error).__name__)
        self._read_at = time.monotonic()

    async def _read(self) -> None:
        conn = await psycopg.AsyncConnection.connect(conninfo(), autocommit=True, connect_timeout=3)
        async with conn:
            rows = await (await conn.execute(SOURCES)).fetchall()
            await self._write_refusals(conn)
        found: dict[str, Door] = {}
        for source_id, slug, code, config, sealed, db_now in rows:
            self._now_at = (db_now, time.monotonic())
            door = _make(source_id, slug, code, config, sealed)
            if door is None:
                continue
            before = self._doors.get(slug)
            if before:
                door.tokens, door.filled = before.tokens, before.filled
            found[slug] = door
        self._doors = found

    def refused(self, slug: str, status: int) -> None:
        """Count a refusal; the counts are written with the next reading of the sources."""
        known = slug if slug in self._doors else ""
        self._refused[(known, status)] += 1

    async def _write_refusals(self, conn: psycopg.AsyncConnection[Any]) -> None:
        counts, self._refused = self._refused, Counter()
        if counts:
            keys = list(counts)
            await conn.execute(
                REFUSE, [[k[0] for k in keys], [k[1] for k in keys], [counts[k] for k in keys]]
            )

    def ring(self) -> None:
        """Tell the workers there is something, at most a few times a second, never raising."""
        self._rung = True
        if self._bell is None or self._bell.done():
            self._bell = asyncio.create_task(self._ring())

    async def _ring(self) -> None:
        while self._rung:
            self._rung = False
            await asyncio.sleep(0.05)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(nudge, "advance"), 3)


def _make(source_id: int, slug: str, code: str, config: dict[str, str], sealed: str) -> Door | None:
    if code not in systems():
        log.error("source without its connector source=%s connector=%s", slug, code)
        return None
    try:
        held = source_secrets.unseal(sealed)
    except source_secrets.Unreadable as error:
        log.error("source=%s error=%s", slug, error)
        return None
    return Door(source_id, slug, systems()[code]({**config, "source": slug}), held)


def conninfo() -> str:
    """The database of the settings, for a connection of our own."""
    database = settings.DATABASES["default"]
    parts = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
    }
    return psycopg.conninfo.make_conninfo("", **{k: v for k, v in parts.items() if v})
