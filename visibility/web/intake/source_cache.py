"""The intake's cache of sources, their rate limits, and the counts of rejected requests."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from structlog.stdlib import get_logger

from connectors.sdk.connector import Connector
from visibility.ingest import source_secrets
from visibility.ingest.insert_messages import InboxUnavailable, InboxWriter
from visibility.ingest.unstored_requests import ReceivedRequest
from visibility.models.sources_and_messages import UnusableSource, build_connector
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.storage import published_manifests
from visibility.web.intake.unstored_request_log import UnstoredRequestLog

log = get_logger(__name__)
REFRESH_SECONDS = 2.0
# How long a request waits for a cache refresh when a stale copy is available, in seconds.
REFRESH_TIMEOUT = 0.5
SELECT_SOURCES = """
SELECT id, slug, connector, config, sealed_secrets, clock_timestamp() FROM visibility_source
WHERE enabled
"""
COUNT_REJECTIONS = """
INSERT INTO visibility_rejectedrequestcount AS known (slug, status, hour, count, last_at)
SELECT slug, status, date_trunc('hour', now()), count, now()
FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS t (slug, status, count)
ORDER BY slug, status
ON CONFLICT (slug, status, hour)
    DO UPDATE SET count = known.count + EXCLUDED.count, last_at = EXCLUDED.last_at
"""


@dataclass
class IntakeSource:
    """A source with its connector, secrets and token bucket."""

    source_id: int
    slug: str
    connector: Connector
    secrets: Sequence[source_secrets.SourceSecret]
    tokens: float = field(default_factory=lambda: float(2 * settings.SOURCE_RATE))
    refilled_at: float = field(default_factory=time.monotonic)

    def take_rate_limit_token(self) -> bool:
        """Take a token from the rate limit bucket; False if it is empty."""
        now = time.monotonic()
        rate = settings.SOURCE_RATE
        self.tokens = min(2.0 * rate, self.tokens + (now - self.refilled_at) * rate)
        self.refilled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class SourceCache:
    """The sources, reloaded every two seconds, and the inbox writer. One per process."""

    def __init__(self) -> None:
        self.writer = InboxWriter(conninfo())
        self._sources: dict[str, IntakeSource] = {}
        self._unusable: frozenset[str] = frozenset()
        self._refreshed_at = -REFRESH_SECONDS
        # The database's time at an instant of the monotonic clock: the host's clock may jump.
        self._database_time: tuple[datetime, float] = (
            datetime.fromtimestamp(time.time(), UTC),
            0.0,
        )
        self._refresh_task: asyncio.Task[None] | None = None
        self._is_loaded = False
        self._rejections: Counter[tuple[str, int]] = Counter()
        self._nudge_task: asyncio.Task[None] | None = None
        self._nudge_pending = False
        self.unstored = UnstoredRequestLog()

    def estimated_database_time(self) -> datetime:
        """The database's time at the last refresh plus the time that has passed since."""
        moment, at = self._database_time
        return moment + timedelta(seconds=time.monotonic() - at)

    async def find_source_by_slug(self, slug: str) -> IntakeSource | None:
        """The enabled source with this slug.

        Raises InboxUnavailable before the first refresh, and for a source whose stored row cannot
        be used: its sender keeps the messages and retries.
        """
        await self.refresh_if_stale()
        if slug in self._unusable:
            raise InboxUnavailable("the stored source cannot be used")
        return self._sources.get(slug)

    async def sources_of_connector(self, connector: str) -> list[IntakeSource]:
        """The enabled sources that use this connector."""
        await self.refresh_if_stale()
        return [d for d in self._sources.values() if d.connector.slug == connector]

    async def refresh_if_stale(self) -> None:
        """Reload the sources if the last refresh is older than two seconds."""
        if time.monotonic() - self._refreshed_at >= REFRESH_SECONDS:
            if self._refresh_task is None or self._refresh_task.done():
                self._refresh_task = asyncio.create_task(self._try_refresh())
            await asyncio.wait(
                {self._refresh_task}, timeout=REFRESH_TIMEOUT if self._is_loaded else None
            )
        if not self._is_loaded:
            raise InboxUnavailable("the sources have not been loaded yet")

    async def _try_refresh(self) -> None:
        try:
            async with asyncio.timeout(3):
                await self._reload_and_store_rejections()
            self._is_loaded = True
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.warning("sources_not_loaded", error=type(error).__name__)
        self._refreshed_at = time.monotonic()

    async def _reload_and_store_rejections(self) -> None:
        conn = await psycopg.AsyncConnection.connect(conninfo(), autocommit=True, connect_timeout=3)
        async with conn:
            rows = await (await conn.execute(SELECT_SOURCES)).fetchall()
            await _use_published_manifests(conn)
            await self._store_rejection_counts(conn)
        sources: dict[str, IntakeSource] = {}
        for source_id, slug, code, config, sealed, db_now in rows:
            self._database_time = (db_now, time.monotonic())
            source = _build_intake_source(source_id, slug, code, config, sealed)
            if source is None:
                continue
            previous = self._sources.get(slug)
            if previous:
                source.tokens, source.refilled_at = previous.tokens, previous.refilled_at
            sources[slug] = source
        self._sources = sources
        self._unusable = frozenset(row[1] for row in rows) - sources.keys()

    def count_rejection(
        self, slug: str, status: int, reason: str = "", *, size: int = 0, is_test: bool = False
    ) -> None:
        """Count a rejected request, and record it on its source.

        The counts are written at the next refresh. A test is no request of the sender.
        """
        known_slug = slug if slug in self._sources or slug in self._unusable else ""
        if not is_test:
            self._rejections[(known_slug, status)] += 1
        if source := self._sources.get(slug):
            now = self.estimated_database_time()
            self.unstored.record(
                ReceivedRequest(source.source_id, now, status, reason, size, is_test)
            )

    async def _store_rejection_counts(self, conn: psycopg.AsyncConnection[Any]) -> None:
        counts, self._rejections = self._rejections, Counter()
        if counts:
            keys = list(counts)
            await conn.execute(
                COUNT_REJECTIONS,
                [[k[0] for k in keys], [k[1] for k in keys], [counts[k] for k in keys]],
            )

    def nudge_workers(self) -> None:
        """Wake up the workers, at most 20 times a second. Never raises."""
        self._nudge_pending = True
        if self._nudge_task is None or self._nudge_task.done():
            self._nudge_task = asyncio.create_task(self._nudge_while_pending())

    async def _nudge_while_pending(self) -> None:
        while self._nudge_pending:
            self._nudge_pending = False
            await asyncio.sleep(0.05)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(ask_worker_to_run_job_now, "process"), 3)


async def _use_published_manifests(conn: psycopg.AsyncConnection[Any]) -> None:
    """Use the manifests that are published now, before the connectors of sources are built."""
    row = await (await conn.execute(published_manifests.SELECT_VERSION)).fetchone()
    version = row[0] if row else None
    if not published_manifests.is_loaded(version):
        rows = await (await conn.execute(published_manifests.SELECT_PUBLISHED)).fetchall()
        await asyncio.to_thread(published_manifests.use_published_rows, version, rows)


def _build_intake_source(
    source_id: int, slug: str, code: str, config: object, sealed: str
) -> IntakeSource | None:
    """Build a source from its row, or log why it cannot be used: the others still can."""
    try:
        secrets = source_secrets.decrypt_secrets(sealed)
        connector = build_connector(
            code, config, slug, source_secrets.secret_setting_values_by_name(secrets)
        )
        return IntakeSource(source_id, slug, connector, secrets)
    except source_secrets.UnreadableSecrets as error:
        log.error("source_secrets_unreadable", source=slug, error=str(error))
    except UnusableSource as error:
        log.error("source_unusable", source=slug, error=str(error))
    except Exception:  # a connector that cannot be built must not stop the other sources
        log.exception("source_failed", source=slug)
    return None


def conninfo() -> str:
    """The libpq connection string of the default database."""
    database = settings.DATABASES["default"]
    fields = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
    }
    return psycopg.conninfo.make_conninfo("", **{k: v for k, v in fields.items() if v})
