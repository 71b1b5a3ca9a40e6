"""RFC 9457 problem details for senders, without internal information."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson


def problem_body(status: int, title: str, *, detail: str = "", **more: Any) -> bytes:
    """The body of an `application/problem+json` response, with a new correlation id."""
    content = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "instance": f"urn:throughline:{secrets.token_hex(8)}",
        **({"detail": detail} if detail else {}),
        **more,
    }
    return orjson.dumps(content)


PROBLEM_TYPE = "application/problem+json"
NO_STORE: Mapping[str, str] = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
