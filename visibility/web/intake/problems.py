"""RFC 9457 answers for senders: the kind of problem, and nothing internal."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson


def problem(status: int, title: str, *, detail: str = "", **more: Any) -> bytes:
    """The body of an `application/problem+json` answer, with a correlation id of its own."""
    content = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "instance": f"urn:throughline:{secrets.token_hex(8)}",
        **({"detail": detail} if detail else {}),
        **more,
    }
    return orjson.dumps(content)


MEDIA = "application/problem+json"
NO_STORE: Mapping[str, str] = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
