"""CloudEvents as sources send them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

HEADERS: Mapping[str, str] = {"content-type": "application/cloudevents+json"}


def cloudevent(
    event_type: str,
    data: Mapping[str, Any],
    *,
    event_id: str,
    at: datetime | str | None = None,
    source: str = "/test",
    **attributes: Any,
) -> dict[str, Any]:
    """One event. Without `at` it has no time; `attributes` add fields and replace them."""
    time = {} if at is None else {"time": at.isoformat() if isinstance(at, datetime) else at}
    names = {"specversion": "1.0", "id": event_id, "source": source, "type": event_type}
    return {**names, **time, "data": data, **attributes}


def authorized_headers(secret: str) -> dict[str, str]:
    """The headers of a request with an event."""
    return {**HEADERS, "authorization": f"Bearer {secret}"}
