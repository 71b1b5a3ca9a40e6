"""Answer rejected requests with problem details, and count them for their source."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from visibility.ingest.insert_messages import InboxUnavailable
from visibility.web.intake.read_request_and_respond import (
    ClientDisconnected,
    HttpError,
    Send,
    send_problem,
)
from visibility.web.intake.source_cache import SourceCache

RETRY_SECONDS = 5
CLIENT_CLOSED_REQUEST = 499  # no response is sent; only the count uses it


@dataclass
class SourceSlugOfRequest:
    """The slug of the source that sends a request, empty until it is known; and its size."""

    slug: str = ""
    size: int = 0
    is_test: bool = False


@asynccontextmanager
async def answer_rejections(
    sources: SourceCache, sender: SourceSlugOfRequest, send: Send
) -> AsyncIterator[None]:
    """Handle the errors with which the block rejects a request."""
    try:
        yield
    except HttpError as error:
        sources.count_rejection(
            sender.slug, error.status, error.reason, size=sender.size, is_test=sender.is_test
        )
        await send_problem(send, error)
    except InboxUnavailable:
        sources.count_rejection(sender.slug, 503, "the database is unavailable")
        await send_problem(send, http_error_with_random_retry_after(503, "Service Unavailable"))
    except ClientDisconnected:
        sources.count_rejection(sender.slug, CLIENT_CLOSED_REQUEST, "the sender disconnected")


def http_error_with_random_retry_after(status: int, title: str) -> HttpError:
    """An error that asks the client to retry after a random delay, to spread the retries."""
    pause = RETRY_SECONDS + random.randint(0, RETRY_SECONDS)  # noqa: S311  # jitter, not a secret
    return HttpError(status, title, headers={"retry-after": str(pause)})
