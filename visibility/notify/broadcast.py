"""Rings the doorbell of the live sockets.

The change number in PostgreSQL is the truth; the doorbell may be lost (a hub looks for itself every
second), so it waits briefly, never raises, and is left alone for a while after a failure.
"""

import json
import logging
import time
from functools import lru_cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.3
# After a failure the doorbell is left alone for so long: a dead Redis must not slow each commit.
PAUSE_SECONDS = 2.0


def channel() -> str:
    """The doorbell's name in Redis; installations that share one differ by their prefix."""
    return f"{settings.REDIS_PREFIX}:live"


class Doorbell:
    """One connection to Redis, and a pause after each failure."""

    def __init__(self) -> None:
        self.client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self.quiet_until = 0.0

    def ring(self, text: str) -> None:
        """Publish, or remember that it is of no use for a while."""
        if time.monotonic() < self.quiet_until:
            return
        try:
            self.client.publish(channel(), text)
        except (redis.RedisError, OSError) as error:
            self.quiet_until = time.monotonic() + PAUSE_SECONDS
            log.warning("event=doorbell_failed error=%s", type(error).__name__)


@lru_cache(maxsize=1)
def doorbell() -> Doorbell:
    """This process's doorbell."""
    return Doorbell()


def announce(head: int, kinds: list[str]) -> None:
    """Tell the live sockets, after the commit, that the head is now `head`; never raises."""
    doorbell().ring(json.dumps({"head": head, "kinds": kinds}))
