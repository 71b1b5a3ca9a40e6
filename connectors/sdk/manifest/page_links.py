"""Read the response of a poll, and find the next page: a link, a number, an offset, a cursor."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from connectors.sdk.manifest.definition import PollRule
from connectors.sdk.manifest.paths import Scope, parse_path
from connectors.sdk.payload import Node, PayloadError, load_json
from connectors.sdk.webhook_and_poll_types import HttpResponse, PollError

NEXT_LINK = re.compile(r"<([^<>]{1,2000})>\s*;[^,]*\brel=\"?next\"?")
# The URL ("" for the same) and the query of a request.
PageRequest = tuple[str, dict[str, str]]


def next_request(
    rule: PollRule,
    response: HttpResponse,
    scope: Scope,
    query: Mapping[str, str],
    progress: tuple[int, int],
) -> PageRequest | None:
    """Return the next request, or None after the last page. `progress` is (page, records)."""
    page_number, record_count = progress
    following = rule.next_page
    if following.get("link_header") == "yes":
        headers = {name.lower(): text for name, text in response.headers.items()}
        match = NEXT_LINK.search(headers.get("link", ""))
        return (match[1], {}) if match else None
    if "url_field" in following:
        link = _text_at(following["url_field"], scope)
        return (link, {}) if link else None
    if "cursor_field" in following:
        cursor = _text_at(following["cursor_field"], scope)
        return ("", {**query, following["cursor_query"]: cursor}) if cursor else None
    if record_count < rule.page_size:
        return None
    if "page_query" in following:
        return "", {**query, following["page_query"]: str(page_number + 1)}
    if "offset_query" in following:
        return "", {**query, following["offset_query"]: str(page_number * rule.page_size)}
    return None


def _text_at(path: str, scope: Scope) -> str:
    try:
        return parse_path(path).text_in(scope)
    except (PayloadError, ValueError) as error:
        raise PollError(f"the response is invalid ({error})") from None


def parse_json_response(response: HttpResponse) -> Node:
    """Return the JSON body; an empty list for 204. Raises PollError."""
    if not response.body.strip():
        if response.status != HTTPStatus.NO_CONTENT:
            raise PollError("the response is empty")
        return Node([], "", [False])
    try:
        return load_json(response.body, max_keys=1_000_000)
    except PayloadError as error:
        raise PollError(f"the response is not valid JSON ({error})") from None
