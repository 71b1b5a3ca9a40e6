"""Publishes changes in Redis, for the live sockets of every web process.

The change number in PostgreSQL is the truth, and each hub polls it every second. A lost message
costs that second. So publishing has a short timeout, never raises, and pauses after a failure.
"""

import json
import time
from functools import lru_cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.stdlib import get_logger

log = get_logger(__name__)

TIMEOUT_SECONDS = 0.3
# Publishing pauses after a failure: an unreachable Redis must not slow every commit.
PAUSE_SECONDS = 2.0


def redis_channel_name() -> str:
    """The pub/sub channel; installations that share a Redis differ by their prefix."""
    return f"{settings.REDIS_PREFIX}:live"


class Broadcaster:
    """A Redis connection that pauses after each failure."""

    def __init__(self) -> None:
        self.client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self.paused_until = 0.0

    def publish(self, text: str) -> None:
        """Publish, unless paused. A failure is logged and starts a pause."""
        if time.monotonic() < self.paused_until:
            return
        try:
            self.client.publish(redis_channel_name(), text)
        except (redis.RedisError, OSError) as error:
            self.paused_until = time.monotonic() + PAUSE_SECONDS
            log.warning("live_publish_failed", error=type(error).__name__)


@lru_cache(maxsize=1)
def broadcaster() -> Broadcaster:
    """This process's broadcaster."""
    return Broadcaster()


def broadcast_change_number(head: int, kinds: list[str]) -> None:
    """Publish, after the commit, that the latest change number is `head`. Never raises."""
    broadcaster().publish(json.dumps({"head": head, "kinds": kinds}))
